"""/v1/notifications/bulk: the same message to many, answered at once."""

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.campaigns import examples, reading
from apps.campaigns.bodies import BulkBody
from apps.campaigns.lifecycle import CampaignStatus
from apps.campaigns.sending_bulk import send_bulk, shown
from apps.campaigns.serializers import BulkAccepted
from apps.core import clock, ids
from apps.core.bodies import decode_bytes, read_body
from apps.core.enums import Scope
from apps.core.problems import ProblemBody
from apps.ingest import idempotency
from apps.ingest.api.sending import REPLAYED
from apps.tenants.authentication import caller_of


class BulkNotifications(APIView):
    """Costs one request of the rate limit: its messages go out at the campaign's own pace."""

    scopes = {"POST": Scope.CAMPAIGNS_WRITE}

    @extend_schema(
        operation_id="send_bulk_notifications",
        summary="Send the same to many",
        description="Makes a campaign and launches it, in under a second for any audience: it is expanded in the background. The key needs"
        " `campaigns:write` and `campaigns:launch`. Follow it with `/v1/campaigns/{campaign_id}/stats`; pause or cancel it like any"
        " campaign. With an `Idempotency-Key` the same request again sends nothing.",
        tags=["Notifications"],
        request=BulkBody,
        responses={202: BulkAccepted} | dict.fromkeys((400, 403, 404, 409, 422), ProblemBody),
        examples=examples.BULK,
    )
    def post(self, request: Request) -> Response:
        raw = read_body(request, settings.API_BATCH_BODY_LIMIT)
        body, caller = decode_bytes(raw, BulkBody), caller_of(request)
        is_named = body.idempotency_key is not None or "HTTP_IDEMPOTENCY_KEY" in request.META
        key = idempotency.key_of(request, caller, body.idempotency_key)
        sent = send_bulk(
            caller=caller,
            body=body,
            now=clock.now(),
            request_key=idempotency.scoped(request, caller, key) if is_named else None,
            fingerprint=idempotency.fingerprint(raw),
        )
        row = reading.campaign(caller.tenant.id, sent.campaign_id)
        assert row is not None
        campaign_id = ids.show(ids.CAMPAIGN, sent.campaign_id)
        answer = BulkAccepted(
            campaign_id=campaign_id,
            status=row.head["status"],
            status_text=CampaignStatus(row.head["status"]).sentence,
            people=sent.people,
            unknown=len(sent.unknown),
            unknown_ids=shown(sent.unknown),
            next_fire_at=row.head["next_fire_at"],
            stats_url=reverse("campaign-stats", args=[campaign_id]),
            runs_url=reverse("campaign-runs", args=[campaign_id]),
        )
        headers = {idempotency.HEADER: key, **(REPLAYED if sent.is_replay else {})}
        return Response(answer, status=202, headers=headers)
