"""Schedules made, changed, paused, resumed, cancelled. Each locks the row: what fires it at that moment is before it or after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from apps.core.bodies import decode_bytes
from apps.core.enums import Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller
from apps.ingest.planning import Planned
from apps.ingest.several import plan_all
from apps.schedules import requests, selectors
from apps.schedules.bodies import ScheduledBody, ScheduleTiming, expires_after, timing_of
from apps.schedules.firing import note_skip
from apps.schedules.missed import MOST_COUNTED
from apps.schedules.models import Schedule, ScheduleRecipient, SkipReason, Status
from apps.schedules.timing import RECIPIENT, Fire, Timing, instant, shown, wall_of
from apps.schedules.waves import set_waves, timing_of_row, waves_from, zones_of

_TIMING = ("start", "zone", "rule", "exdates", "rdates")
_APART = ("schedule_at", "expiry_at", "event_id")


@dataclass(frozen=True, slots=True)
class Created:
    id: UUID
    is_replay: bool


def create_schedule(
    *,
    caller: Caller,
    body: ScheduledBody,
    now: datetime,
    request_key: bytes | None = None,
    fingerprint: bytes | None = None,
) -> Created:
    """Its people are found or created, and its message is checked as if it were sent now. Raises Problem."""
    if request_key is not None and (earlier := _made_before(caller, request_key, fingerprint)):
        return earlier
    assert body.schedule is not None
    timing = _checked(body)
    with transaction.atomic():
        planned = plan_all(caller, body, now)
        row = Schedule(
            tenant_id=caller.tenant.id,
            api_key_id=caller.key_id,
            mode=caller.mode,
            may_critical=caller.may(Scope.NOTIFICATIONS_CRITICAL),
            request_key=request_key,
            fingerprint=fingerprint,
        )
        _keep(row, body, timing)
        zones = zones_of(row.tenant_id, [p.notification.recipient_id for p in planned], timing)
        set_waves(row, waves_from(timing, set(zones.values()), now))
        if not row.waves:
            raise _past(body.schedule, timing)
        inserted = Schedule.objects.bulk_create([row], ignore_conflicts=request_key is not None)
        if request_key is not None and not Schedule.objects.of(row.tenant_id).filter(id=inserted[0].id).exists():
            # its twin was quicker; what this one wrote about people is what that one wrote
            return _made_before(caller, request_key, fingerprint) or _reused()
        _keep_people(row, body, planned, zones)
        _note_past(row, timing, zones, now)
    return Created(row.id, is_replay=False)


def update_schedule(
    *, caller: Caller, schedule_id: UUID, version: int, changes: Mapping[str, Any], now: datetime
) -> None:
    """`changes`: members of the body; None takes one away, `schedule` is merged by itself. The whole is checked anew. Raises Problem:
    not_found, stale_version, already_final, and whatever making it would raise."""
    with transaction.atomic():
        row = _locked(caller.tenant.id, schedule_id)
        if row.version != version:
            raise Problem(Code.STALE_VERSION, f"Its version is {row.version}.", pointer="/version")
        _check_open(row)
        body = _merged(row, changes)
        assert body.schedule is not None
        timing = _checked(body)
        planned = plan_all(caller, body, now)
        before = {name: getattr(row, name) for name in _TIMING}
        _keep(row, body, timing)
        zones = zones_of(row.tenant_id, [p.notification.recipient_id for p in planned], timing)
        is_other_time = before != {name: getattr(row, name) for name in _TIMING}
        waves = waves_from(timing, set(zones.values()), now)
        kept = (
            {}
            if is_other_time
            else {z: wall for z, wall in row.waves.items() if z in zones.values() or not timing.is_local}
        )
        set_waves(row, waves | kept)
        if not row.waves:
            raise _past(body.schedule, timing)
        row.may_critical = row.may_critical or caller.may(Scope.NOTIFICATIONS_CRITICAL)
        row.version += 1
        row.save()
        ScheduleRecipient.objects.of(row.tenant_id).filter(schedule_id=row.id).delete()
        _keep_people(row, body, planned, zones)


def pause_schedule(*, tenant_id: UUID, schedule_id: UUID) -> None:
    """It fires no more until it is resumed. Raises Problem: not_found, already_final."""
    _set_status(tenant_id, schedule_id, Status.PAUSED)


def cancel_schedule(*, tenant_id: UUID, schedule_id: UUID) -> None:
    """It never fires again. What it sent stays sent; what waits to be sent goes on. Raises Problem: not_found, already_final."""
    _set_status(tenant_id, schedule_id, Status.CANCELLED)


def resume_schedule(*, tenant_id: UUID, schedule_id: UUID, now: datetime) -> None:
    """It goes on with its next time; what fell into the pause is left out, and noted. Raises Problem: not_found, already_final."""
    with transaction.atomic():
        row = _locked(tenant_id, schedule_id)
        _check_open(row)
        if row.status == Status.ACTIVE:
            return
        timing = timing_of_row(row)
        for zone, wall in row.waves.items():
            _note_pause(row, timing, zone, wall_of(wall), now)
        set_waves(row, waves_from(timing, row.waves, now))
        row.status = Status.ACTIVE if row.waves else Status.FINISHED
        row.version += 1
        row.save()


def _set_status(tenant_id: UUID, schedule_id: UUID, status: Status) -> None:
    with transaction.atomic():
        row = _locked(tenant_id, schedule_id)
        _check_open(row)
        if row.status == status:
            return
        row.status = status
        row.version += 1
        if status is Status.CANCELLED:
            set_waves(row, {})
        row.save()


def _locked(tenant_id: UUID, schedule_id: UUID) -> Any:
    row = Schedule.objects.of(tenant_id).filter(id=schedule_id).select_for_update(no_key=True).first()
    if row is None:
        raise Problem(Code.NOT_FOUND)
    return row


def _check_open(row: Any) -> None:
    if row.status in (Status.CANCELLED, Status.FINISHED):
        raise Problem(Code.ALREADY_FINAL, f"The schedule is {row.status}.")


def _checked(body: ScheduledBody) -> Timing:
    assert body.schedule is not None
    for name in _APART:
        if getattr(body, name) is not None:
            instead = {"schedule_at": "`schedule.at`", "expiry_at": "`schedule.expires_after_minutes`"}.get(name)
            detail = f"With `schedule`, send {instead}." if instead else "Each time it fires is an event of its own."
            raise Problem(Code.CONTRADICTION, detail, pointer=f"/{name}")
    return timing_of(body.schedule)


def _keep(row: Any, body: ScheduledBody, timing: Timing) -> None:
    said = body.schedule
    assert said is not None
    row.name = said.name
    row.sealed = requests.seal(requests.content_of(body), row.id)
    row.start, row.zone, row.rule = shown(timing.start), timing.zone, said.rule or ""
    row.exdates, row.rdates = list(said.exdates), list(said.rdates)
    row.missed, row.missed_limit, row.expires_after = said.missed, said.missed_limit, expires_after(said)


def _keep_people(row: Any, body: ScheduledBody, planned: Sequence[Planned], zones: Mapping[UUID, str]) -> None:
    more = requests.differences_of(body)
    people = [
        ScheduleRecipient(
            tenant_id=row.tenant_id,
            schedule_id=row.id,
            recipient_id=p.notification.recipient_id,
            zone=zones[p.notification.recipient_id],
        )
        for p in planned
    ]
    for person, p in zip(people, planned, strict=True):
        person.sealed = requests.seal(more.get(p.user_id, {}), person.id)
    ScheduleRecipient.objects.bulk_create(people)


def _note_past(row: Any, timing: Timing, zones: Mapping[UUID, str], now: datetime) -> None:
    """Where everybody has their own clock, it may be over on some already: those are left out, and it is noted."""
    for zone in sorted(set(zones.values()) - set(row.waves)) if timing.is_local else ():
        note_skip(row, zone, Fire(timing.start, instant(timing.start, zone)), SkipReason.PAST, now)


def _note_pause(row: Any, timing: Timing, zone: str, wall: datetime, now: datetime) -> None:
    first, count = Fire(wall, instant(wall, zone)), 0
    if first.at > now:
        return
    for count, fire in enumerate(timing.fires(first.at, zone), 1):
        if fire.at > now or count >= MOST_COUNTED:
            break
    else:
        count += 1
    note_skip(row, zone, first, SkipReason.PAUSED, now, covers=max(count, 1))


def _past(said: ScheduleTiming, timing: Timing) -> Problem:
    where = "rule" if said.rule else "at" if said.at else "start"
    detail = "All its times are in the past." if timing.is_recurring else f"`{where}` is in the past."
    return Problem(Code.SCHEDULE_IN_PAST, detail, pointer=f"/schedule/{where}")


def _made_before(caller: Caller, request_key: bytes, fingerprint: bytes | None) -> Created | None:
    rows = Schedule.objects.of(caller.tenant).filter(request_key=request_key)
    row = rows.values_list("id", "fingerprint").first()
    if row is None:
        return None
    return Created(row[0], is_replay=True) if bytes(row[1]) == fingerprint else _reused()


def _reused() -> Created:
    raise Problem(Code.IDEMPOTENCY_KEY_REUSED, pointer="#header/Idempotency-Key")


def _merged(row: Any, changes: Mapping[str, Any]) -> ScheduledBody:
    """RFC 7396, one level down in `schedule`."""
    now = {**selectors.request_of(row.tenant_id, row.id), "schedule": _said(row)}
    people = {"user_id", "recipient", "recipients"}
    if people & set(changes):
        now = {name: value for name, value in now.items() if name not in people}
    if {"message", "template_id"} & {name for name, value in changes.items() if value is not None}:
        now = {name: value for name, value in now.items() if name not in {"message", "template_id"}}
    schedule = dict(changes.get("schedule") or {})
    if "at" in schedule or "start" in schedule:
        now["schedule"] = {name: value for name, value in now["schedule"].items() if name not in {"at", "start"}}
    if "at" in schedule and now["schedule"].get("zone") == RECIPIENT:
        del now["schedule"]["zone"]
    whole = {**now, **changes, "schedule": {**now["schedule"], **schedule}}
    whole["schedule"] = {name: value for name, value in whole["schedule"].items() if value is not None}
    whole = {name: value for name, value in whole.items() if value is not None}
    return decode_bytes(msgspec.json.encode(whole), ScheduledBody)


def _said(row: Any) -> dict[str, Any]:
    said = {name: getattr(row, name) for name in ("name", *_TIMING, "missed", "missed_limit")}
    minutes = None if row.expires_after is None else int(row.expires_after.total_seconds() // 60)
    return {
        name: value for name, value in {**said, "expires_after_minutes": minutes}.items() if value not in (None, "")
    }
