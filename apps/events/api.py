"""/v1/event-types: the catalogue."""

import re
from datetime import timedelta
from typing import Annotated

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import Answer, Body, decode
from apps.core.enums import Category, Channel, ResendInDoubt, Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import EventType
from apps.events.selectors import event_type, event_type_page, event_types
from apps.events.services import delete_event_type, put_event_type
from apps.tenants.authentication import caller_of

_KEY = r"^[a-z0-9_]+([.-][a-z0-9_]+)*$"
_MONTH = 30 * 24 * 3600
_DAY = 24 * 3600
Channels = Annotated[list[Channel], Meta(max_length=4, examples=[["push", "email"]])]
KEY = OpenApiParameter(
    "key", {"type": "string", "pattern": _KEY, "maxLength": 100, "examples": ["order.shipped"]}, OpenApiParameter.PATH
)


class EventTypeBody(Body, frozen=True):
    """`channels`: the default wish; `fallback`: sent one after another, each only when the one before gives up. Of the channels wished
    for, those in `fallback` wait for their turn; the others are sent at once."""

    name: Annotated[str, Meta(min_length=1, max_length=200, examples=["Order shipped"])]
    category: Annotated[Category, Meta(examples=["transactional"])]
    template_key: Annotated[str, Meta(max_length=100, examples=["order-shipped"])] = ""
    channels: Channels = []
    fallback: Channels = []
    fallback_after_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAY,
            description="Without proof of arrival after this time the next channel of `fallback` is tried; 0: only when one gives up.",
        ),
    ] = 0
    resend_in_doubt: Annotated[
        ResendInDoubt,
        Meta(
            description="What is done when a provider gave no answer: `default` (as the category does), `never`, `once`."
        ),
    ] = ResendInDoubt.DEFAULT
    dedup_window_seconds: Annotated[
        int,
        Meta(ge=0, le=_MONTH, description="The same content to the same person within this time is sent once; 0: off."),
    ] = 0
    sensitive_keys: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=100)]],
        Meta(max_length=50, description="Keys of `data` that are erased as soon as the message is over, e.g. codes."),
    ] = []
    owner: Annotated[str, Meta(max_length=200, description="Who to ask about it.")] = ""


class EventTypeAnswer(Answer):
    key: str
    name: str
    category: Category
    template_key: str
    channels: list[Channel]
    fallback: list[Channel]
    fallback_after_seconds: int
    resend_in_doubt: ResendInDoubt
    dedup_window_seconds: int
    sensitive_keys: list[str]
    owner: str


class EventTypePage(Answer):
    data: list[EventTypeAnswer]
    has_more: bool
    next_cursor: str | None


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
                data=[_answer(kind) for kind in found],
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
        return Response(_answer(_known(event_type(caller_of(request).tenant.id, key), key)))

    @extend_schema(
        operation_id="put_event_type",
        summary="Create or replace an event type",
        description="Replaces every field. Takes effect everywhere within a second.",
        tags=["Event types"],
        parameters=[KEY],
        request=EventTypeBody,
        responses={200: EventTypeAnswer, 201: EventTypeAnswer},
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
    def put(self, request: Request, key: str) -> Response:
        body = decode(request, EventTypeBody)
        if len(key) > 100 or not re.fullmatch(_KEY, key):
            detail = "A key is 1 to 100 of a-z 0-9 _ in parts joined by . or -, e.g. `order.shipped`."
            raise Problem(Code.OUT_OF_RANGE, detail, pointer="#path/key")
        for name in ("channels", "fallback", "sensitive_keys"):
            if len(set(values := getattr(body, name))) != len(values):
                raise Problem(Code.OUT_OF_RANGE, f"`{name}` names something twice.", pointer=f"/{name}")
        tenant = caller_of(request).tenant
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
            sensitive_keys=body.sensitive_keys,
            owner=body.owner,
        )
        found = event_types([(tenant.id, key)]).get((tenant.id, key))
        return Response(_answer(_known(found, key)), status=201 if is_new else 200)

    @extend_schema(
        operation_id="delete_event_type",
        summary="Remove an event type",
        description="New requests that name it are refused; what is accepted is still sent.",
        tags=["Event types"],
        parameters=[KEY],
        responses={204: None},
    )
    def delete(self, request: Request, key: str) -> Response:
        if not delete_event_type(tenant=caller_of(request).tenant, key=key):
            raise Problem(Code.NOT_FOUND, f"There is no event type `{key}`.")
        return Response(status=204)


def _known(found: EventType | None, key: str) -> EventType:
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no event type `{key}`.")
    return found


def _answer(kind: EventType) -> EventTypeAnswer:
    return EventTypeAnswer(
        key=kind.key,
        name=kind.name,
        category=kind.category,
        template_key=kind.template_key,
        channels=list(kind.channels),
        fallback=list(kind.fallback),
        fallback_after_seconds=int(kind.fallback_after.total_seconds()),
        resend_in_doubt=kind.resend_in_doubt,
        dedup_window_seconds=int(kind.dedup_window.total_seconds()),
        sensitive_keys=list(kind.sensitive_keys),
        owner=kind.owner,
    )
