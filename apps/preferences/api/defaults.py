"""/v1/preference-defaults: what a tenant lays down."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Default
from apps.preferences.bodies import DefaultAnswer, DefaultBody, DefaultsAnswer
from apps.preferences.defaults import delete_default, put_default
from apps.preferences.selectors import DefaultRow, defaults
from apps.preferences.topics import CHANNELS
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of

TOPIC = OpenApiParameter(
    "topic",
    {"type": "string", "minLength": 1, "maxLength": 100, "examples": ["category:marketing"]},
    OpenApiParameter.PATH,
    description="An event type, a pattern like `order.*`, `category:<name>` or `*`.",
)
CHANNEL = OpenApiParameter(
    "channel",
    {"type": "string", "enum": list(CHANNELS)},
    OpenApiParameter.PATH,
    description="`*`: every channel that has none of its own.",
)


class PreferenceDefaults(APIView):
    scopes = {"GET": Scope.ADMIN}

    @extend_schema(
        operation_id="list_preference_defaults",
        summary="List preference defaults",
        description="What holds for people who chose nothing, and what nobody can change. By topic and channel.",
        responses={200: DefaultsAnswer},
        tags=["Preferences"],
    )
    def get(self, request: Request) -> Response:
        return Response(DefaultsAnswer(data=[_answer(row) for row in defaults(caller_of(request).tenant.id)]))


class PreferenceDefault(APIView):
    scopes = {"PUT": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(
        operation_id="put_preference_default",
        summary="Create or replace a preference default",
        description="In force everywhere within a second. A locked one binds everybody, whatever they chose, and they are told the"
        " `reason`. `category:critical` on and not locked: people may opt out of critical messages.",
        parameters=[TOPIC, CHANNEL],
        request=DefaultBody,
        responses={200: DefaultAnswer, 201: DefaultAnswer},
        examples=[
            OpenApiExample("Marketing only for who wants it", {"on": False}, request_only=True),
            OpenApiExample(
                "Invoices go out by email",
                {"on": True, "locked": True, "reason": "The law wants you to get your invoices."},
                request_only=True,
            ),
        ],
        tags=["Preferences"],
    )
    @audited("preferences.defaultpreference", topic="topic", channel="channel")
    def put(self, request: Request, topic: str, channel: str) -> Response:
        body = decode(request, DefaultBody)
        if channel not in CHANNELS:
            detail = f"A channel is one of {', '.join(CHANNELS)}."
            raise Problem(Code.OUT_OF_RANGE, detail, pointer="#path/channel")
        tenant_id = caller_of(request).tenant.id
        default = Default(topic, channel, body.on, body.digest, body.locked, body.reason)
        is_new = put_default(tenant_id=tenant_id, default=default)
        found = next((r for r in defaults(tenant_id) if (r.default.topic, r.default.channel) == (topic, channel)), None)
        if found is None:
            raise Problem(Code.CONFLICT, "It was written, and removed again at the same moment.")
        return Response(_answer(found), status=201 if is_new else 200)

    @extend_schema(
        operation_id="delete_preference_default",
        summary="Remove a preference default",
        description="In force everywhere within a second.",
        parameters=[TOPIC, CHANNEL],
        request=None,
        responses={204: None, 404: ProblemBody},
        tags=["Preferences"],
    )
    @audited("preferences.defaultpreference", topic="topic", channel="channel")
    def delete(self, request: Request, topic: str, channel: str) -> Response:
        if not delete_default(tenant_id=caller_of(request).tenant.id, topic=topic, channel=channel):
            raise Problem(Code.NOT_FOUND, "There is no default for this topic on this channel.")
        return Response(status=204)


def _answer(row: DefaultRow) -> DefaultAnswer:
    default = row.default
    return DefaultAnswer(
        topic=default.topic,
        channel=default.channel,
        on=default.is_on,
        digest=default.digest,
        locked=default.is_locked,
        reason=default.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
