"""The door at which apps and web pages report what people do with messages: pushes opened, items put away."""

from datetime import datetime
from math import ceil
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import clock, ids
from apps.core.bodies import decode
from apps.core.buckets import Bucket, take
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.dispatch.ringer import ringer
from apps.dispatch.tracking import engaged_delivery
from apps.inbox.authentication import InboxTokenAuthentication, InboxTokenScheme
from apps.inbox.origins import cors_headers, preflight_headers
from apps.inbox.tokens import InboxViewer
from apps.receipts.bodies import EngagementBody, EngagementsAnswer, EngagementsBody, RefusedEngagement
from apps.receipts.models import TrackedEvent
from apps.receipts.tracking import APP, store_tracked

QUEUE = "receipts"
RATE_PER_SECOND, BURST = 10, 60


class OptionalInboxToken(InboxTokenAuthentication):
    """A request without the header is nobody's: each of its events must prove itself."""

    def authenticate(self, request: Request) -> tuple[InboxViewer, InboxViewer] | None:  # type: ignore[override]
        return super().authenticate(request) if request.META.get("HTTP_AUTHORIZATION") else None


class OptionalInboxTokenScheme(InboxTokenScheme):  # type: ignore[no-untyped-call]
    target_class = OptionalInboxToken
    name: Literal["OptionalInboxToken"] = "OptionalInboxToken"  # type: ignore[assignment]


class Engagements(APIView):
    authentication_classes = [OptionalInboxToken]
    permission_classes = []
    throttle_classes = []

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        origin = request.headers.get("Origin", "")
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=preflight_headers(origin))
        response = super().dispatch(request, *args, **kwargs)
        headers = cors_headers(origin)
        patch_vary_headers(response, [headers.pop("Vary")] if headers else [])
        for name, value in headers.items():
            response[name] = value
        return response

    @extend_schema(
        operation_id="report_engagements",
        summary="Report what a person did with messages",
        description="For apps and web pages: a push that was opened, clicked or put away, proved by the `engagement_token` in its"
        " payload; or an inbox item, proved by the person's inbox token. Send as often as you like: each counts once.",
        request=EngagementsBody,
        responses={202: EngagementsAnswer, 401: ProblemBody, 429: ProblemBody},
        examples=[
            OpenApiExample(
                "A push was opened",
                {"events": [{"kind": "opened", "token": "AZqPq0...", "at": "2027-03-01T12:00:00Z"}]},
                request_only=True,
            )
        ],
        tags=["Inbox"],
    )
    def post(self, request: Request) -> Response:
        body = decode(request, EngagementsBody)
        viewer = request.auth if isinstance(request.auth, InboxViewer) else None
        now = clock.now()
        events: list[TrackedEvent] = []
        refused: list[RefusedEngagement] = []
        for index, said in enumerate(body.events):
            delivery_id = _delivery(said, viewer)
            if delivery_id is None:
                code = Code.ENGAGEMENT_UNPROVED
                refused.append(RefusedEngagement(index=index, code=code, detail=code.meaning))
            else:
                events.append(_event(said, delivery_id, viewer, now))
        if not events:
            raise Problem(Code.ENGAGEMENT_UNPROVED)
        _throttle(viewer.recipient_id if viewer else events[0].delivery_id)
        store_tracked(events)
        transaction.on_commit(lambda: ringer.ask(QUEUE), robust=True)
        return Response(EngagementsAnswer(taken=len(events), refused=refused), status=202)


def _delivery(said: EngagementBody, viewer: InboxViewer | None) -> UUID | None:
    if said.token:
        return engaged_delivery(said.token)
    if viewer is None:
        return None
    return ids.read(ids.INBOX_ITEM, said.delivery) or ids.read(ids.DELIVERY, said.delivery)


def _event(said: EngagementBody, delivery_id: UUID, viewer: InboxViewer | None, now: datetime) -> TrackedEvent:
    """A clock that goes ahead is set right. Without a token of its own the event must be of the person's own messages."""
    return TrackedEvent(
        delivery_id=delivery_id,
        recipient_id=viewer.recipient_id if viewer and not said.token else None,
        kind=said.kind,
        at=min(said.at or now, now),
        source=APP,
    )


def _throttle(who: UUID) -> None:
    verdict = take([Bucket(f"rate:engagements:{who}", RATE_PER_SECOND, BURST)])
    if not verdict.is_allowed:
        raise Problem(Code.THROTTLED, headers={"Retry-After": str(ceil(verdict.retry_after))})
