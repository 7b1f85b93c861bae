"""/v1/webhook-endpoints: who else is told, and how that went."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from msgspec import UNSET
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import ids
from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.dispatch.ringer import ringer
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of
from apps.webhooks import replaying, selectors, services
from apps.webhooks.catalogue import DEFAULT
from apps.webhooks.pacing import QUEUE
from apps.webhooks.serializers import (
    WebhookAttemptAnswer,
    WebhookAttemptPage,
    WebhookEndpointAnswer,
    WebhookEndpointBody,
    WebhookEndpointCreated,
    WebhookEndpointPage,
    WebhookEndpointPatch,
    WebhookReplayAnswer,
    WebhookReplayBody,
    WebhookRotationAnswer,
    WebhookRotationBody,
    WebhookTestAnswer,
    WebhookTestBody,
)

TAGS = ["Webhooks"]
ID = OpenApiParameter(
    "endpoint_id", {"type": "string", "examples": ["whk_06czvrg000jr4dx5k0mb8w1a2c"]}, OpenApiParameter.PATH
)
EVENT = OpenApiParameter("event_id", {"type": "string"}, description="Only attempts to tell this event.")


class WebhookEndpoints(APIView):
    scopes = {"GET": Scope.ADMIN, "POST": Scope.ADMIN}

    @extend_schema(
        operation_id="list_webhook_endpoints",
        summary="List webhook endpoints",
        description="Newest first.",
        tags=TAGS,
        parameters=PAGE_PARAMETERS,
        responses={200: WebhookEndpointPage},
    )
    def get(self, request: Request) -> Response:
        page = page_request(request)
        found = selectors.endpoints(caller_of(request).tenant.id, before=page.before, limit=page.limit + 1)
        shown, cursor = _cut(found, page.limit)
        data = [WebhookEndpointAnswer.of(one) for one in shown]
        return Response(WebhookEndpointPage(data=data, has_more=cursor is not None, next_cursor=cursor))

    @extend_schema(
        operation_id="create_webhook_endpoint",
        summary="Add a webhook endpoint",
        description="What happens from now on is told to it by POST requests, signed as Standard Webhooks says. The answer has the secret:"
        " keep it, it is never shown again.",
        tags=TAGS,
        request=WebhookEndpointBody,
        responses={201: WebhookEndpointCreated, 409: ProblemBody},
        examples=[
            OpenApiExample(
                "Arrivals and refusals",
                {"url": "https://example.com/hooks/notifier", "events": ["message.delivered", "message.bounced"]},
                request_only=True,
            )
        ],
    )
    @audited("webhooks.webhookendpoint")
    def post(self, request: Request) -> Response:
        body, tenant_id = decode(request, WebhookEndpointBody), caller_of(request).tenant.id
        issued = services.create_endpoint(
            tenant_id=tenant_id, url=body.url, events=body.events or DEFAULT, description=body.description
        )
        found = _known(tenant_id, issued.endpoint_id)
        return Response(WebhookEndpointCreated.with_secret(found, issued.secret), status=201)


class WebhookEndpointView(APIView):
    scopes = {"GET": Scope.ADMIN, "PATCH": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(
        operation_id="get_webhook_endpoint",
        summary="Read a webhook endpoint",
        tags=TAGS,
        parameters=[ID],
        responses={200: WebhookEndpointAnswer},
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        return Response(WebhookEndpointAnswer.of(_known(caller_of(request).tenant.id, _id(endpoint_id))))

    @extend_schema(
        operation_id="update_webhook_endpoint",
        summary="Change a webhook endpoint, or switch it off or on",
        tags=TAGS,
        parameters=[ID],
        request=WebhookEndpointPatch,
        responses={200: WebhookEndpointAnswer},
        examples=[OpenApiExample("Switch it on again", {"on": True}, request_only=True)],
    )
    @audited("webhooks.webhookendpoint", id="endpoint_id")
    def patch(self, request: Request, endpoint_id: str) -> Response:
        body, tenant_id, found = decode(request, WebhookEndpointPatch), caller_of(request).tenant.id, _id(endpoint_id)
        given = {"url": body.url, "events": body.events, "description": body.description, "is_on": body.on}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
        services.update_endpoint(tenant_id=tenant_id, endpoint_id=found, **changes)
        return Response(WebhookEndpointAnswer.of(_known(tenant_id, found)))

    @extend_schema(
        operation_id="delete_webhook_endpoint",
        summary="Remove a webhook endpoint",
        description="With its attempts. It is told nothing more.",
        tags=TAGS,
        parameters=[ID],
        responses={204: None},
    )
    @audited("webhooks.webhookendpoint", id="endpoint_id")
    def delete(self, request: Request, endpoint_id: str) -> Response:
        services.delete_endpoint(tenant_id=caller_of(request).tenant.id, endpoint_id=_id(endpoint_id))
        return Response(status=204)


class WebhookAttempts(APIView):
    scopes = {"GET": Scope.ADMIN}

    @extend_schema(
        operation_id="list_webhook_attempts",
        summary="List what an endpoint was told, and what it answered",
        description="Newest first; kept for 30 days.",
        tags=TAGS,
        parameters=[ID, EVENT, *PAGE_PARAMETERS],
        responses={200: WebhookAttemptPage},
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        page, tenant_id, found = page_request(request), caller_of(request).tenant.id, _id(endpoint_id)
        asked = request.query_params.get("event_id")
        event_id = ids.read(ids.WEBHOOK_EVENT, asked) if asked else None
        if asked and event_id is None:
            raise Problem(Code.OUT_OF_RANGE, "An event's id begins with `evt_`.", pointer="#query/event_id")
        _known(tenant_id, found)
        rows = selectors.attempts(tenant_id, found, event_id=event_id, before=page.before, limit=page.limit + 1)
        shown, cursor = _cut(rows, page.limit)
        data = [WebhookAttemptAnswer.of(one) for one in shown]
        return Response(WebhookAttemptPage(data=data, has_more=cursor is not None, next_cursor=cursor))


class WebhookReplay(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="replay_webhook_events",
        summary="Tell an endpoint again",
        description="One event by its id, or what happened in a range of time. Events keep their `webhook-id`; they can be told again for"
        " 30 days.",
        tags=TAGS,
        parameters=[ID],
        request=WebhookReplayBody,
        responses={202: WebhookReplayAnswer, 409: ProblemBody},
        examples=[
            OpenApiExample(
                "What it missed in a night",
                {"start": "2027-03-01T20:00:00Z", "end": "2027-03-02T06:00:00Z"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        body, tenant_id, found = decode(request, WebhookReplayBody), caller_of(request).tenant.id, _id(endpoint_id)
        said = _replay(body, tenant_id, found)
        _ring()
        return Response(WebhookReplayAnswer(queued=said.count, rest_from=said.rest_from), status=202)


class WebhookRotation(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        summary="Give an endpoint a new secret",
        description="Both secrets sign for the time of `overlap_hours`: the header then has two signatures.",
        tags=TAGS,
        parameters=[ID],
        request=WebhookRotationBody,
        responses={200: WebhookRotationAnswer},
    )
    @audited("webhooks.webhookendpoint", action="rotate", id="endpoint_id")
    def post(self, request: Request, endpoint_id: str) -> Response:
        body, tenant_id, found = decode(request, WebhookRotationBody), caller_of(request).tenant.id, _id(endpoint_id)
        overlap = timedelta(hours=body.overlap_hours)
        issued = services.rotate_secret(tenant_id=tenant_id, endpoint_id=found, overlap=overlap)
        until = _known(tenant_id, found).previous_until
        return Response(WebhookRotationAnswer(secret=issued.secret, previous_secret_until=until))


class WebhookTest(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="test_webhook_endpoint",
        summary="Send an endpoint a test event",
        description="An example of the kind you name, in `mode` test, signed and tried again as every other event.",
        tags=TAGS,
        parameters=[ID],
        request=WebhookTestBody,
        responses={202: WebhookTestAnswer, 409: ProblemBody},
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        body, tenant_id = decode(request, WebhookTestBody), caller_of(request).tenant.id
        event_id = replaying.send_test(tenant_id=tenant_id, endpoint_id=_id(endpoint_id), kind=body.type)
        _ring()
        return Response(WebhookTestAnswer(event_id=ids.show(ids.WEBHOOK_EVENT, event_id)), status=202)


def _replay(body: WebhookReplayBody, tenant_id: UUID, endpoint_id: UUID) -> replaying.Replayed:
    if body.event_id is not None:
        if body.start or body.end:
            raise Problem(Code.CONTRADICTION, "Name an event or a range of time, not both.", pointer="/event_id")
        event_id = ids.read(ids.WEBHOOK_EVENT, body.event_id)
        if event_id is None:
            raise Problem(Code.OUT_OF_RANGE, "An event's id begins with `evt_`.", pointer="/event_id")
        return replaying.replay_event(tenant_id=tenant_id, endpoint_id=endpoint_id, event_id=event_id)
    if body.start is None or body.end is None:
        missing = "start" if body.start is None else "end"
        raise Problem(Code.MISSING_FIELD, "Name an event, or the start and the end of a range.", pointer=f"/{missing}")
    if body.end <= body.start:
        raise Problem(Code.CONTRADICTION, "`end` is not after `start`.", pointer="/end")
    return replaying.replay_range(
        tenant_id=tenant_id, endpoint_id=endpoint_id, start=body.start, end=body.end, only_failed=body.only_failed
    )


def _ring() -> None:
    transaction.on_commit(lambda: ringer.ask(QUEUE), robust=True)


def _id(shown: str) -> UUID:
    found = ids.read(ids.WEBHOOK_ENDPOINT, shown)
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return found


def _known(tenant_id: UUID, endpoint_id: UUID) -> selectors.EndpointFacts:
    found = selectors.endpoint(tenant_id, endpoint_id)
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return found


def _cut(rows: list[Any], limit: int) -> tuple[list[Any], str | None]:
    """A page of one row more than was asked for: the page, and where the next begins."""
    shown = rows[:limit]
    return shown, next_cursor(shown[-1].id) if len(rows) > limit else None
