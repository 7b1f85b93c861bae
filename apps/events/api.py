"""/v1/event-types: the catalogue."""

import re
from datetime import timedelta

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import decode
from apps.core.enums import Category, Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Caller, Critical, EventType, Grouping
from apps.events.bodies import EventTypeAnswer, EventTypeBody, EventTypePage, GroupingBody, answer_of
from apps.events.critical import approve_critical
from apps.events.selectors import event_type, event_type_page, event_types, waits_for_itself
from apps.events.services import delete_event_type, put_event_type
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of

_KEY = r"^[a-z0-9_]+([.-][a-z0-9_]+)*$"
KEY = OpenApiParameter(
    "key", {"type": "string", "pattern": _KEY, "maxLength": 100, "examples": ["order.shipped"]}, OpenApiParameter.PATH
)


class EventTypesView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="list_event_types",
        summary="List event types",
        description="Newest first.",
        tags=["Event types"],
        parameters=PAGE_PARAMETERS,
        responses={200: EventTypePage},
    )
    def get(self, request: Request) -> Response:
        page = page_request(request)
        found = event_type_page(caller_of(request).tenant.id, page.limit + 1, page.before)
        has_more, found = len(found) > page.limit, found[: page.limit]
        return Response(
            EventTypePage(
                data=[answer_of(kind) for kind in found],
                has_more=has_more,
                next_cursor=next_cursor(found[-1].id) if has_more else None,
            )
        )


class EventTypeView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ, "PUT": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(
        operation_id="get_event_type",
        summary="Read an event type",
        tags=["Event types"],
        parameters=[KEY],
        responses={200: EventTypeAnswer},
    )
    def get(self, request: Request, key: str) -> Response:
        return Response(answer_of(_known(event_type(caller_of(request).tenant.id, key), key)))

    @extend_schema(
        operation_id="put_event_type",
        summary="Create or replace an event type",
        description="Replaces every field. Takes effect everywhere within a second.",
        tags=["Event types"],
        parameters=[KEY],
        request=EventTypeBody,
        responses={200: EventTypeAnswer, 201: EventTypeAnswer, 422: ProblemBody},
        examples=[
            OpenApiExample(
                "order shipped",
                value={
                    "name": "Order shipped",
                    "category": "transactional",
                    "template_key": "order-shipped",
                    "channels": ["push", "email"],
                    "fallback": ["push", "sms"],
                },
                request_only=True,
            )
        ],
    )
    @audited("events.eventtype", key="key")
    def put(self, request: Request, key: str) -> Response:
        body = decode(request, EventTypeBody)
        if len(key) > 100 or not re.fullmatch(_KEY, key):
            detail = "A key is 1 to 100 of a-z 0-9 _ in parts joined by . or -, e.g. `order.shipped`."
            raise Problem(Code.OUT_OF_RANGE, detail, pointer="#path/key")
        for name in ("channels", "fallback", "sensitive_keys", "waits_for"):
            if len(set(values := getattr(body, name))) != len(values):
                raise Problem(Code.OUT_OF_RANGE, f"`{name}` names something twice.", pointer=f"/{name}")
        if key in body.waits_for:
            raise Problem(Code.CONTRADICTION, "An event type cannot wait for itself.", pointer="/waits_for")
        if bool(body.waits_for) != bool(body.waits_seconds):
            raise Problem(
                Code.CONTRADICTION, "Send `waits_for` and `waits_seconds`, or neither.", pointer="/waits_seconds"
            )
        caller = caller_of(request)
        tenant = caller.tenant
        for name in ("critical_reason", "owner"):
            if body.category == Category.CRITICAL and not getattr(body, name).strip():
                raise Problem(Code.CRITICAL_NEEDS_REASON, pointer=f"/{name}")
        if body.category == Category.CRITICAL and body.grouping:
            raise Problem(Code.CONTRADICTION, "What is critical is never summed up.", pointer="/grouping")
        if waits_for_itself(tenant.id, key, body.waits_for):
            raise Problem(Code.CONTRADICTION, "They would wait for each other.", pointer="/waits_for")
        is_new = put_event_type(
            tenant=tenant,
            key=key,
            name=body.name,
            category=body.category,
            template_key=body.template_key,
            channels=body.channels,
            fallback=body.fallback,
            fallback_after=timedelta(seconds=body.fallback_after_seconds),
            resend_in_doubt=body.resend_in_doubt,
            dedup_window=timedelta(seconds=body.dedup_window_seconds),
            dedup_by=body.dedup_by,
            waits_for=body.waits_for,
            waits=timedelta(seconds=body.waits_seconds),
            sensitive_keys=body.sensitive_keys,
            owner=body.owner,
            grouping=_grouping(body.grouping),
            overflows=body.overflows,
            digest_template_key=body.digest_template_key,
            critical=Critical(body.critical_reason, name_of_key(caller)),
        )
        found = event_types([(tenant.id, key)]).get((tenant.id, key))
        return Response(answer_of(_known(found, key)), status=201 if is_new else 200)

    @extend_schema(
        operation_id="delete_event_type",
        summary="Remove an event type",
        description="New requests that name it are refused; what is accepted is still sent.",
        tags=["Event types"],
        parameters=[KEY],
        responses={204: None},
    )
    @audited("events.eventtype", key="key")
    def delete(self, request: Request, key: str) -> Response:
        if not delete_event_type(tenant=caller_of(request).tenant, key=key):
            raise Problem(Code.NOT_FOUND, f"There is no event type `{key}`.")
        return Response(status=204)


class CriticalApprovalView(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="approve_critical_event_type",
        summary="Approve that an event type is critical",
        description="By another key than the one that asked for it. From then on its messages pass over what recipients switched off.",
        tags=["Event types"],
        parameters=[KEY],
        request=None,
        responses={200: EventTypeAnswer, 404: ProblemBody, 409: ProblemBody},
    )
    @audited("events.eventtype", action="approve", key="key")
    def post(self, request: Request, key: str) -> Response:
        caller = caller_of(request)
        approve_critical(tenant=caller.tenant, key=key, by=name_of_key(caller))
        found = event_types([(caller.tenant.id, key)]).get((caller.tenant.id, key))
        return Response(answer_of(_known(found, key)))


def _grouping(body: GroupingBody | None) -> Grouping | None:
    if body is None:
        return None
    return Grouping(body.by, timedelta(seconds=body.window_seconds), body.most, body.leads, body.low_only)


def name_of_key(caller: Caller) -> str:
    """A rotated key keeps its name, and so who it is."""
    return f"key {caller.key_name}"[:150]


def _known(found: EventType | None, key: str) -> EventType:
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no event type `{key}`.")
    return found
