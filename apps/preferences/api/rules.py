"""/v1/quiet-hours-rules and /v1/frequency-caps: when, and how often, a tenant lets people be disturbed."""

from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import decode
from apps.core.enums import CapPeriod, Category, Channel, Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Cap, QuietHours
from apps.preferences.models import FrequencyCap, QuietHoursRule
from apps.preferences.rule_bodies import (
    FrequencyCapAnswer,
    FrequencyCapBody,
    FrequencyCapsAnswer,
    QuietHoursRuleAnswer,
    QuietHoursRuleBody,
    QuietHoursRulesAnswer,
)
from apps.preferences.tenant_rules import NAME, delete_cap, delete_quiet_hours, put_cap, put_quiet_hours
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of

NAMED = OpenApiParameter(
    "name", {"type": "string", "pattern": NAME, "examples": ["us-marketing-texts"]}, OpenApiParameter.PATH
)
UNSAVED = UUID(int=0)
Row = TypeVar("Row", QuietHoursRule, FrequencyCap)


class QuietHoursRules(APIView):
    scopes = {"GET": Scope.ADMIN}

    @extend_schema(
        operation_id="list_quiet_hours_rules",
        summary="List default quiet hours",
        description="For people who chose none of their own, and, where locked, for everybody.",
        responses={200: QuietHoursRulesAnswer},
        tags=["Preferences"],
    )
    def get(self, request: Request) -> Response:
        rows = QuietHoursRule.objects.of(caller_of(request).tenant.id).order_by("name")
        return Response(QuietHoursRulesAnswer(data=[_quiet_hours(row) for row in rows]))


class QuietHoursRuleByName(APIView):
    scopes = {"PUT": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(
        operation_id="put_quiet_hours_rule",
        summary="Create or replace default quiet hours",
        description="On the person's own clock; in force within a second. What falls into them waits for their end and is judged"
        " again then. All rules that speak of a message hold together.",
        parameters=[NAMED],
        request=QuietHoursRuleBody,
        responses={200: QuietHoursRuleAnswer, 201: QuietHoursRuleAnswer},
        examples=[
            OpenApiExample(
                "No marketing texts in the United States before 8 and after 21 o'clock",
                {
                    **{"start": "21:00", "end": "08:00", "country": "US"},
                    **{"channels": ["sms"], "categories": ["marketing"], "locked": True},
                },
                request_only=True,
            )
        ],
        tags=["Preferences"],
    )
    @audited("preferences.quiethoursrule", name="name")
    def put(self, request: Request, name: str) -> Response:
        body = decode(request, QuietHoursRuleBody)
        tenant_id = caller_of(request).tenant.id
        quiet = QuietHours(
            start=_minutes(body.start),
            end=_minutes(body.end),
            channels=tuple(dict.fromkeys(body.channels)),
            categories=tuple(dict.fromkeys(body.categories)),
            country=body.country,
            is_locked=body.locked,
        )
        is_new = put_quiet_hours(tenant_id=tenant_id, name=name, quiet=quiet)
        row = QuietHoursRule.objects.of(tenant_id).filter(name=name).first()
        return Response(_quiet_hours(_still(row)), status=201 if is_new else 200)

    @extend_schema(
        operation_id="delete_quiet_hours_rule",
        summary="Remove default quiet hours",
        description="What waits for their end already waits on.",
        parameters=[NAMED],
        request=None,
        responses={204: None, 404: ProblemBody},
        tags=["Preferences"],
    )
    @audited("preferences.quiethoursrule", name="name")
    def delete(self, request: Request, name: str) -> Response:
        if not delete_quiet_hours(tenant_id=caller_of(request).tenant.id, name=name):
            raise Problem(Code.NOT_FOUND, "There is no such rule.")
        return Response(status=204)


class FrequencyCaps(APIView):
    scopes = {"GET": Scope.ADMIN}

    @extend_schema(
        operation_id="list_frequency_caps",
        summary="List frequency caps",
        responses={200: FrequencyCapsAnswer},
        tags=["Preferences"],
    )
    def get(self, request: Request) -> Response:
        rows = FrequencyCap.objects.of(caller_of(request).tenant.id).order_by("name")
        return Response(FrequencyCapsAnswer(data=[_cap(row) for row in rows]))


class FrequencyCapByName(APIView):
    scopes = {"PUT": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(
        operation_id="put_frequency_cap",
        summary="Create or replace a frequency cap",
        description="A message counts when it is sent, under each cap that speaks of it. One that has no place goes into the person's"
        " daily digest when its event type `overflows`, and is skipped with `frequency_cap` otherwise. Critical messages neither count"
        " nor are held back. In force within a second; a new cap counts from then on. At most 20.",
        parameters=[NAMED],
        request=FrequencyCapBody,
        responses={200: FrequencyCapAnswer, 201: FrequencyCapAnswer},
        examples=[
            OpenApiExample(
                "Five marketing mails a day",
                {"limit": 5, "period": "day", "topic": "category:marketing", "channel": "email"},
                request_only=True,
            ),
            OpenApiExample(
                "Ten pushes in any hour",
                {"limit": 10, "period": "rolling", "window_seconds": 3600, "channel": "push"},
                request_only=True,
            ),
        ],
        tags=["Preferences"],
    )
    @audited("preferences.frequencycap", name="name")
    def put(self, request: Request, name: str) -> Response:
        body = decode(request, FrequencyCapBody)
        tenant_id = caller_of(request).tenant.id
        window = timedelta(seconds=body.window_seconds or 0)
        cap = Cap(UNSAVED, name, body.limit, body.period, window, body.topic, body.channel)
        is_new = put_cap(tenant_id=tenant_id, cap=cap)
        row = FrequencyCap.objects.of(tenant_id).filter(name=name).first()
        return Response(_cap(_still(row)), status=201 if is_new else 200)

    @extend_schema(
        operation_id="delete_frequency_cap",
        summary="Remove a frequency cap",
        parameters=[NAMED],
        request=None,
        responses={204: None, 404: ProblemBody},
        tags=["Preferences"],
    )
    @audited("preferences.frequencycap", name="name")
    def delete(self, request: Request, name: str) -> Response:
        if not delete_cap(tenant_id=caller_of(request).tenant.id, name=name):
            raise Problem(Code.NOT_FOUND, "There is no such cap.")
        return Response(status=204)


def _still(row: Row | None) -> Row:
    if row is None:
        raise Problem(Code.CONFLICT, "It was written, and removed again at the same moment.")
    return row


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _quiet_hours(row: QuietHoursRule) -> QuietHoursRuleAnswer:
    return QuietHoursRuleAnswer(
        name=row.name,
        start=_clock(row.start),
        end=_clock(row.end),
        country=row.country,
        channels=[Channel(c) for c in row.channels],
        categories=[Category(c) for c in row.categories],
        locked=row.is_locked,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _cap(row: FrequencyCap) -> FrequencyCapAnswer:
    return FrequencyCapAnswer(
        name=row.name,
        limit=row.limit,
        period=CapPeriod(row.period),
        window_seconds=row.window_seconds or None,
        topic=row.topic,
        channel=row.channel,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
