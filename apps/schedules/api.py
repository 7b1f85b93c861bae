"""/v1/scheduled-notifications: what is to be sent later, once or again; seen, changed, paused, resumed, cancelled."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from msgspec import UNSET, structs
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import clock, ids
from apps.core.bodies import decode, decode_bytes, read_body
from apps.core.enums import Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.ingest import idempotency
from apps.ingest.answers import Accepted, SeveralAccepted
from apps.ingest.api.sending import REPLAYED, NotificationsView
from apps.schedules import examples, selectors, services
from apps.schedules.bodies import ScheduledBody, SchedulePatch, SchedulePreviewBody, check_zone, timing_of
from apps.schedules.models import Status
from apps.schedules.serializers import (
    FireAnswer,
    FiresAnswer,
    RunAnswer,
    RunPage,
    ScheduleAnswer,
    ScheduleDetail,
    SchedulePage,
)
from apps.tenants.auditing import audited, note, row_of
from apps.tenants.authentication import caller_of
from apps.tenants.throttles import charge

TAGS = ["Schedules"]
_KIND = "schedules.schedule"
ID = OpenApiParameter(
    "schedule_id", {"type": "string", "examples": ["sch_06czvrg000jr4dx5k0mb8w1a2c"]}, OpenApiParameter.PATH
)
STATUS = OpenApiParameter(
    "status", {"type": "string", "enum": [status.value for status in Status]}, description="Only those."
)
COUNT = OpenApiParameter(
    "count", {"type": "integer", "minimum": 1, "maximum": 50, "default": 5}, description="How many."
)


class ScheduledNotifications(NotificationsView):
    """Sending with `schedule_at` waits for its time as every accepted notification does; with `schedule` a schedule is kept."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ, "POST": Scope.NOTIFICATIONS_WRITE}

    @extend_schema(
        operation_id="list_scheduled_notifications",
        summary="List schedules",
        description="Newest first. Notifications that were accepted with `schedule_at` are not among them: they are notifications.",
        tags=TAGS,
        parameters=[STATUS, *PAGE_PARAMETERS],
        responses={200: SchedulePage},
    )
    def get(self, request: Request) -> Response:
        charge(request, 1)
        page, status = page_request(request), request.query_params.get("status")
        if status is not None and status not in set(Status):
            raise Problem(Code.OUT_OF_RANGE, f"`status` is one of {', '.join(Status)}.", pointer="#query/status")
        tenant_id = caller_of(request).tenant.id
        found = selectors.schedules(tenant_id, status=status, before=page.before, limit=page.limit + 1)
        rows, cursor = _cut(found, page.limit)
        data = [ScheduleAnswer.of(one) for one in rows]
        return Response(SchedulePage(data=data, has_more=cursor is not None, next_cursor=cursor))

    @extend_schema(
        operation_id="schedule_notification",
        summary="Schedule a notification",
        description="With `schedule_at`: the same as sending one, accepted now (`202`) and sent then. With `schedule`: kept as a"
        " schedule (`201`) that fires once or by a rule, on one clock or on each recipient's own; each time it sends the notification"
        " anew.",
        request=ScheduledBody,
        responses={
            201: ScheduleDetail,
            202: Accepted | SeveralAccepted,
            404: ProblemBody,
            409: ProblemBody,
            422: ProblemBody,
        },
        tags=TAGS,
        examples=examples.SCHEDULE,
    )
    def post(self, request: Request) -> Response:
        raw = read_body(request, settings.API_BODY_LIMIT)
        body, caller = decode_bytes(raw, ScheduledBody), caller_of(request)
        if body.schedule is None:
            return super().post(request)
        charge(request, len(body.recipients or [None]))
        is_named = body.idempotency_key is not None or "HTTP_IDEMPOTENCY_KEY" in request.META
        key = idempotency.key_of(request, caller, body.idempotency_key)
        with transaction.atomic():
            created = services.create_schedule(
                caller=caller,
                body=body,
                now=clock.now(),
                request_key=idempotency.scoped(request, caller, key) if is_named else None,
                fingerprint=idempotency.fingerprint(raw),
            )
            if not created.is_replay:
                note(request, _KIND, {}, row_of(_KIND, caller.tenant.id, {"id": created.id}))
        headers = {idempotency.HEADER: key, **(REPLAYED if created.is_replay else {})}
        return Response(_detail(caller.tenant.id, created.id), status=201, headers=headers)

    def decoded(self, raw: bytes) -> ScheduledBody:
        body = decode_bytes(raw, ScheduledBody)
        if body.schedule_at is None:
            raise Problem(Code.MISSING_FIELD, "`schedule_at` or `schedule` is required here.", pointer="/schedule_at")
        return body


class ScheduledNotification(APIView):
    scopes = {
        "GET": Scope.NOTIFICATIONS_READ,
        "PATCH": Scope.NOTIFICATIONS_WRITE,
        "DELETE": Scope.NOTIFICATIONS_WRITE,
    }

    @extend_schema(
        operation_id="get_scheduled_notification",
        summary="Read a schedule",
        tags=TAGS,
        parameters=[ID],
        responses={200: ScheduleDetail},
    )
    def get(self, request: Request, schedule_id: str) -> Response:
        return Response(_detail(caller_of(request).tenant.id, _id(schedule_id)))

    @extend_schema(
        operation_id="update_scheduled_notification",
        summary="Change a schedule",
        description="What you send replaces what is there, `null` takes it away; the whole is checked as if it were made anew. A changed"
        " time counts from now on. Who joins gets the next one.",
        tags=TAGS,
        parameters=[ID],
        request=SchedulePatch,
        responses={200: ScheduleDetail, 409: ProblemBody},
        examples=examples.PATCH,
    )
    @audited("schedules.schedule", id="schedule_id")
    def patch(self, request: Request, schedule_id: str) -> Response:
        body, caller, found = decode(request, SchedulePatch), caller_of(request), _id(schedule_id)
        said = {name: value for name, value in structs.asdict(body).items() if name != "version" and value is not UNSET}
        services.update_schedule(caller=caller, schedule_id=found, version=body.version, changes=said, now=clock.now())
        return Response(_detail(caller.tenant.id, found))

    @extend_schema(
        operation_id="cancel_scheduled_notification",
        summary="Cancel a schedule",
        description="It never fires again. What it has sent before is not taken back.",
        tags=TAGS,
        parameters=[ID],
        responses={200: ScheduleDetail, 409: ProblemBody},
    )
    @audited("schedules.schedule", action="cancel", id="schedule_id")
    def delete(self, request: Request, schedule_id: str) -> Response:
        tenant_id, found = caller_of(request).tenant.id, _id(schedule_id)
        services.cancel_schedule(tenant_id=tenant_id, schedule_id=found)
        return Response(_detail(tenant_id, found))


class SchedulePause(APIView):
    scopes = {"POST": Scope.NOTIFICATIONS_WRITE}

    @extend_schema(
        operation_id="pause_scheduled_notification",
        summary="Pause a schedule",
        description="It does not fire until it is resumed. Pausing a paused one changes nothing.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: ScheduleDetail, 409: ProblemBody},
    )
    @audited("schedules.schedule", action="pause", id="schedule_id")
    def post(self, request: Request, schedule_id: str) -> Response:
        tenant_id, found = caller_of(request).tenant.id, _id(schedule_id)
        services.pause_schedule(tenant_id=tenant_id, schedule_id=found)
        return Response(_detail(tenant_id, found))


class ScheduleResume(APIView):
    scopes = {"POST": Scope.NOTIFICATIONS_WRITE}

    @extend_schema(
        operation_id="resume_scheduled_notification",
        summary="Resume a schedule",
        description="It goes on with its next time. What fell into the pause is left out, and a run says so; it is finished when nothing is"
        " to come.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: ScheduleDetail, 409: ProblemBody},
    )
    @audited("schedules.schedule", action="resume", id="schedule_id")
    def post(self, request: Request, schedule_id: str) -> Response:
        tenant_id, found = caller_of(request).tenant.id, _id(schedule_id)
        services.resume_schedule(tenant_id=tenant_id, schedule_id=found, now=clock.now())
        return Response(_detail(tenant_id, found))


class ScheduleNext(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="list_next_fires",
        summary="When a schedule fires next",
        description="In order; where each recipient has their own clock, a time on the wall is there once for each zone.",
        tags=TAGS,
        parameters=[ID, COUNT],
        responses={200: FiresAnswer},
    )
    def get(self, request: Request, schedule_id: str) -> Response:
        tenant_id, found = caller_of(request).tenant.id, _id(schedule_id)
        _known(tenant_id, found)
        text = request.query_params.get("count", "5")
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 50:
            raise Problem(Code.OUT_OF_RANGE, "`count` is a whole number from 1 to 50.", pointer="#query/count")
        coming = selectors.upcoming(tenant_id, found, now=clock.now(), count=int(text))
        return Response(FiresAnswer(data=[FireAnswer.of(one) for one in coming]))


class ScheduleRuns(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="list_schedule_runs",
        summary="What became of each time",
        description="Newest first: fired, left out and why, or refused and why. Kept as long as notifications are.",
        tags=TAGS,
        parameters=[ID, *PAGE_PARAMETERS],
        responses={200: RunPage},
    )
    def get(self, request: Request, schedule_id: str) -> Response:
        page, tenant_id, found = page_request(request), caller_of(request).tenant.id, _id(schedule_id)
        _known(tenant_id, found)
        rows, cursor = _cut(selectors.runs(tenant_id, found, before=page.before, limit=page.limit + 1), page.limit)
        data = [RunAnswer.of(one) for one in rows]
        return Response(RunPage(data=data, has_more=cursor is not None, next_cursor=cursor))


class SchedulePreview(APIView):
    scopes = {"POST": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="preview_schedule",
        summary="When a schedule would fire",
        description="Of a `schedule` that is not kept. An empty list: all its times are in the past.",
        tags=TAGS,
        request=SchedulePreviewBody,
        responses={200: FiresAnswer},
        examples=examples.PREVIEW,
    )
    def post(self, request: Request) -> Response:
        body = decode(request, SchedulePreviewBody)
        for place, zone in enumerate(body.zones):
            check_zone(zone, f"/zones/{place}")
        timing = timing_of(body.schedule)
        found = selectors.previewed(timing, body.zones, now=clock.now(), count=body.count)
        return Response(FiresAnswer(data=[FireAnswer.plain(fire, zone) for fire, zone in found]))


def _id(shown: str) -> UUID:
    found = ids.read(ids.SCHEDULE, shown)
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return found


def _known(tenant_id: UUID, schedule_id: UUID) -> selectors.ScheduleFacts:
    found = selectors.schedule(tenant_id, schedule_id)
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return found


def _detail(tenant_id: UUID, schedule_id: UUID) -> ScheduleDetail:
    return ScheduleDetail.whole(_known(tenant_id, schedule_id), selectors.request_of(tenant_id, schedule_id))


def _cut(rows: list[Any], limit: int) -> tuple[list[Any], str | None]:
    """A page of one row more than was asked for: the page, and where the next begins."""
    found = rows[:limit]
    return found, next_cursor(found[-1].id) if len(rows) > limit else None
