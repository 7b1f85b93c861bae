"""/v1/campaigns: made, read, changed, deleted."""

from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from msgspec import UNSET
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.campaigns import composing, examples, reading
from apps.campaigns.api.finding import ID, TAGS, found, mine
from apps.campaigns.bodies import CampaignBody, CampaignPatch, values_of
from apps.campaigns.lifecycle import CampaignStatus
from apps.campaigns.serializers import CampaignAnswer, CampaignPage
from apps.core import clock
from apps.core.bodies import decode, decode_bytes, read_body
from apps.core.enums import Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Caller
from apps.ingest import idempotency
from apps.ingest.api.sending import REPLAYED
from apps.tenants import auditing
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of

STATUS = OpenApiParameter(
    "status", {"type": "string", "enum": [status.value for status in CampaignStatus]}, description="Only those."
)


class Campaigns(APIView):
    scopes = {"GET": Scope.CAMPAIGNS_READ, "POST": Scope.CAMPAIGNS_WRITE}

    @extend_schema(
        operation_id="list_campaigns",
        summary="List campaigns",
        description="Newest first, those made in the admin too.",
        tags=TAGS,
        parameters=[STATUS, *PAGE_PARAMETERS],
        responses={200: CampaignPage},
    )
    def get(self, request: Request) -> Response:
        page, status = page_request(request), request.query_params.get("status")
        if status is not None and status not in set(CampaignStatus):
            raise Problem(
                Code.OUT_OF_RANGE, f"`status` is one of {', '.join(CampaignStatus)}.", pointer="#query/status"
            )
        tenant_id = caller_of(request).tenant.id
        rows = reading.campaigns(tenant_id, status=status, before=page.before, limit=page.limit + 1)
        has_more, rows = len(rows) > page.limit, rows[: page.limit]
        cursor = next_cursor(rows[-1].id) if has_more else None
        data = [CampaignAnswer.of(row) for row in rows]
        return Response(CampaignPage(data=data, has_more=has_more, next_cursor=cursor))

    @extend_schema(
        operation_id="create_campaign",
        summary="Make a campaign",
        description="A draft: nothing is sent before it is launched. Everything but `name` can come later. With an `Idempotency-Key` the"
        " same request again answers with the same campaign as it is then.",
        tags=TAGS,
        request=CampaignBody,
        responses={201: CampaignAnswer, 422: ProblemBody},
        examples=examples.CREATE,
    )
    def post(self, request: Request) -> Response:
        raw = read_body(request, settings.API_BODY_LIMIT)
        body, caller = decode_bytes(raw, CampaignBody), caller_of(request)
        is_named = body.idempotency_key is not None or "HTTP_IDEMPOTENCY_KEY" in request.META
        key = idempotency.key_of(request, caller, body.idempotency_key)
        request_key = idempotency.scoped(request, caller, key) if is_named else None
        fingerprint = idempotency.fingerprint(raw)
        made = _known(caller, request_key, fingerprint)
        if (is_replay := made is not None) is False:
            try:
                made = self._make(caller, body, request_key, fingerprint)
            except IntegrityError:
                made, is_replay = _known(caller, request_key, fingerprint), True
        row = reading.campaign(caller.tenant.id, made) if made else None
        if row is None:
            raise Problem(Code.IDEMPOTENCY_IN_PROGRESS)
        headers = {idempotency.HEADER: key, **(REPLAYED if is_replay else {})}
        return Response(CampaignAnswer.of(row), status=201, headers=headers)

    def _make(self, caller: Caller, body: CampaignBody, request_key: bytes | None, fingerprint: bytes) -> UUID:
        """Its id."""
        _check_mode(caller, body)
        actor = auditing.key(caller)
        with transaction.atomic():
            made = composing.create_campaign(
                tenant=caller.tenant,
                values=values_of(body, mode=caller.mode),
                by=actor.name,
                now=clock.now(),
                may_critical=caller.may(Scope.NOTIFICATIONS_CRITICAL),
                api_key_id=caller.key_id,
                request_key=request_key,
                fingerprint=fingerprint,
            )
            row = auditing.row_of("campaigns.campaign", caller.tenant.id, {"id": made})
            auditing.note(self.request, "campaigns.campaign", {}, row)
        return made


class CampaignView(APIView):
    scopes = {"GET": Scope.CAMPAIGNS_READ, "PATCH": Scope.CAMPAIGNS_WRITE, "DELETE": Scope.CAMPAIGNS_WRITE}

    @extend_schema(
        operation_id="get_campaign",
        summary="Read a campaign",
        tags=TAGS,
        parameters=[ID],
        responses={200: CampaignAnswer, 404: ProblemBody},
    )
    def get(self, request: Request, campaign_id: str) -> Response:
        return Response(CampaignAnswer.of(found(request, campaign_id)))

    @extend_schema(
        operation_id="update_campaign",
        summary="Change a campaign",
        description="What you send replaces what is there; what you leave out stays. Only before it is launched; one in review, approved or"
        " scheduled becomes a draft again, and what was approved is void.",
        tags=TAGS,
        parameters=[ID],
        request=CampaignPatch,
        responses={200: CampaignAnswer, 404: ProblemBody, 409: ProblemBody},
        examples=examples.PATCH,
    )
    @audited("campaigns.campaign", id="campaign_id")
    def patch(self, request: Request, campaign_id: str) -> Response:
        body, caller, row = decode(request, CampaignPatch), caller_of(request), mine(request, campaign_id)
        _check_mode(caller, body)
        composing.save_part(
            tenant=caller.tenant,
            campaign_id=row.id,
            values=values_of(body),
            version=body.version,
            by=auditing.key(caller).name,
            now=clock.now(),
            reopens=True,
        )
        return Response(CampaignAnswer.of(found(request, campaign_id)))

    @extend_schema(
        operation_id="delete_campaign",
        summary="Delete a draft",
        description="One that was never launched. Others are cancelled, and stay with their results.",
        tags=TAGS,
        parameters=[ID],
        responses={204: None, 404: ProblemBody, 409: ProblemBody},
    )
    @audited("campaigns.campaign", id="campaign_id")
    def delete(self, request: Request, campaign_id: str) -> Response:
        row = mine(request, campaign_id)
        composing.delete_draft(tenant=caller_of(request).tenant, campaign_id=row.id)
        return Response(status=204)


def _known(caller: Caller, request_key: bytes | None, fingerprint: bytes) -> UUID | None:
    """The id of what this key made before. Raises Problem: idempotency_key_reused."""
    known = reading.campaign_by_request(caller.tenant.id, request_key) if request_key is not None else None
    if known is None:
        return None
    if known[1] != fingerprint:
        raise Problem(Code.IDEMPOTENCY_KEY_REUSED)
    return known[0]


def _check_mode(caller: Caller, body: CampaignBody | CampaignPatch) -> None:
    if body.mode is not UNSET and body.mode != caller.mode:
        raise Problem(
            Code.CONTRADICTION, f"This is a {caller.mode} key: what it makes is {caller.mode}.", pointer="/mode"
        )
