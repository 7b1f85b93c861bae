"""Fires what is due: one wave of one schedule a transaction, in which its notifications are made and its next time is set.

The row is locked and its status is read under that lock: nobody else fires it meanwhile, and who paused or cancelled it before has
prevailed. A worker that dies leaves what was there before. What a second worker, a doubled message or an emptied Redis brings finds the
next time already set; were it not, the run's unique key and the front door's keys would still know that wave.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction

from apps.core import clock
from apps.core.rows import fetch
from apps.dispatch import bells
from apps.dispatch.shares import shares
from apps.schedules.making import Made, TryLaterError, make
from apps.schedules.missed import Missed, Verdict, judge
from apps.schedules.models import Outcome, Schedule, ScheduleRun, SkipReason, Status
from apps.schedules.timing import Fire, Timing, instant, shown, wall_of
from apps.schedules.waves import set_waves, timing_of_row

log = logging.getLogger(__name__)
QUEUE = "schedules"
LOOK_AHEAD = timedelta(seconds=1)
_TINY = timedelta(microseconds=1)
_CHANGED = ("waves", "next_fire_at", "status", "fired_count", "last_fired_at", "updated_at")
# literal, so that a prepared statement can use the partial index
_CLAIM = """
SELECT id FROM schedules_schedule
WHERE status = 'active' AND next_fire_at <= %(now)s AND id <> ALL(%(aside)s)
ORDER BY next_fire_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""
_COMING = """
SELECT next_fire_at FROM schedules_schedule WHERE status = 'active' AND next_fire_at > %(now)s ORDER BY next_fire_at LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Wave:
    zone: str
    wall: datetime
    at: datetime


def fire_due(*, ends: float) -> int:
    """Fires until nothing is due within LOOK_AHEAD, or until `ends` (monotonic seconds); the number of waves. What is about to come is
    waited for: a beat comes up to a second late. Returns at once when the queue's share of this process is used."""
    if not shares.enter(QUEUE, settings.QUEUE_SHARES[QUEUE]):
        return 0
    fired, aside = 0, set[UUID]()
    try:
        while monotonic() < ends:
            close_old_connections()
            if fire_next(clock.now(), aside):
                fired += 1
            elif not _await_next():
                return fired
        bells.ring(QUEUE)
        return fired
    except (OperationalError, InterfaceError) as error:
        log.warning("database away while firing schedules", extra={"error": type(error).__name__})
        return fired
    finally:
        if shares.leave(QUEUE):
            bells.ring(QUEUE)


def fire_next(now: datetime, aside: set[UUID]) -> bool:
    """Whether one was due. One that cannot be fired right now is set `aside`, stays due and does not stand in the others' way."""
    found: UUID | None = None
    try:
        with transaction.atomic():
            found = _claimed(now, aside)
            if found is not None:
                _fire(Schedule.objects.all_tenants().get(id=found), now)
    except (TryLaterError, OperationalError) as error:
        if found is None:
            raise
        log.warning("schedule fires later", extra={"schedule": str(found), "error": type(error).__name__})
        aside.add(found)
    except InterfaceError:
        raise
    except Exception as error:
        if found is None:
            raise
        log.error("schedule failed", extra={"schedule": str(found)}, exc_info=error)
        aside.add(found)
        _go_on_after_a_fault(found, now)
    return found is not None


def coming(now: datetime) -> datetime | None:
    """When the next one is due that is not due yet."""
    rows = fetch(_COMING, {"now": now})
    return rows[0][0] if rows else None


def _await_next() -> bool:
    """Whether the next one comes within LOOK_AHEAD; it is there then."""
    now = clock.now()
    at = coming(now)
    if at is None or at > now + LOOK_AHEAD:
        return False
    sleep(max(0.0, (at - clock.now()).total_seconds()))
    return True


def _claimed(now: datetime, aside: Collection[UUID]) -> UUID | None:
    rows = fetch(_CLAIM, {"now": now, "aside": list(aside)})
    return rows[0][0] if rows else None


def _fire(row: Any, now: datetime) -> None:
    timing, wave = timing_of_row(row), _earliest(row)
    due = timing.fires(wave.at - _TINY, wave.zone)
    verdict = judge(due, now, Missed(row.missed), row.missed_limit)
    if verdict is None:
        # the calendar of that zone was changed: its next time is another one now
        _advance(row, timing, wave.zone, wave.at - _TINY, now)
        return
    _note_skipped(row, wave.zone, verdict, now)
    over = verdict.fire or verdict.last
    assert over is not None
    if verdict.fire is not None and not _is_done(row, wave.zone, verdict.fire):
        made = make(row, timing, wave.zone, verdict.fire, now)
        _note(row, wave.zone, verdict.fire, made, now)
        if made.is_empty:
            _end_wave(row, wave.zone, now)
            return
    _advance(row, timing, wave.zone, over.at, now)


def _earliest(row: Any) -> Wave:
    waves = [Wave(zone, wall, instant(wall, zone)) for zone, wall in ((z, wall_of(w)) for z, w in row.waves.items())]
    return min(waves, key=lambda wave: (wave.at, wave.zone))


def _is_done(row: Any, zone: str, fire: Fire) -> bool:
    runs = ScheduleRun.objects.of(row.tenant_id)
    return bool(runs.filter(schedule=row, zone=zone, wall=shown(fire.wall)).exists())


def _note_skipped(row: Any, zone: str, verdict: Verdict, now: datetime) -> None:
    if verdict.first is not None:
        note_skip(row, zone, verdict.first, SkipReason.MISSED, now, covers=verdict.skipped)


def note_skip(row: Any, zone: str, fire: Fire, reason: SkipReason, now: datetime, *, covers: int = 1) -> None:
    """Notes that it was left out, with those after it."""
    run = _run(row, zone, fire, now, outcome=Outcome.SKIPPED, reason=reason, covers=covers)
    ScheduleRun.objects.bulk_create([run], ignore_conflicts=True)


def _note(row: Any, zone: str, fire: Fire, made: Made, now: datetime) -> None:
    said = {"error": made.error, "detail": made.detail[:300], "refused": made.refused}
    if made.skipped:
        run = _run(row, zone, fire, now, outcome=Outcome.SKIPPED, reason=made.skipped)
    else:
        outcome = Outcome.FIRED if made.count else Outcome.FAILED
        run = _run(row, zone, fire, now, outcome=outcome, count=made.count, **said)
    run.save(force_insert=True)
    if made.count:
        row.fired_count += 1
        row.last_fired_at = now


def _run(row: Any, zone: str, fire: Fire, now: datetime, **said: Any) -> ScheduleRun:
    wall = shown(fire.wall)
    return ScheduleRun(
        tenant_id=row.tenant_id, schedule_id=row.id, zone=zone, wall=wall, due_at=fire.at, at=now, **said
    )


def _advance(row: Any, timing: Timing, zone: str, after: datetime, now: datetime) -> None:
    """The next time of that wave."""
    following = timing.next_fire(after, zone)
    if following is None:
        _end_wave(row, zone, now)
        return
    row.waves[zone] = shown(following.wall)
    _save(row, now)


def _end_wave(row: Any, zone: str, now: datetime) -> None:
    """The schedule is finished when no wave is left."""
    del row.waves[zone]
    if not row.waves:
        row.status = Status.FINISHED
    _save(row, now)


def _save(row: Any, now: datetime) -> None:
    set_waves(row, row.waves)
    row.updated_at = now
    row.save(update_fields=_CHANGED)


def _go_on_after_a_fault(schedule_id: UUID, now: datetime) -> None:
    """That time is noted as failed: tried again it would fail again, every second. What cannot even be noted is paused."""
    try:
        _note_fault(schedule_id, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.error("schedule paused: its next time cannot be told", extra={"schedule": str(schedule_id)}, exc_info=error)
        Schedule.objects.all_tenants().filter(id=schedule_id).update(status=Status.PAUSED, updated_at=now)


def _note_fault(schedule_id: UUID, now: datetime) -> None:
    with transaction.atomic():
        rows = Schedule.objects.all_tenants().filter(id=schedule_id, status=Status.ACTIVE, next_fire_at__lte=now)
        row = rows.select_for_update(no_key=True, skip_locked=True).first()
        if row is None:
            return
        wave = _earliest(row)
        fire = Fire(wave.wall, wave.at)
        if not _is_done(row, wave.zone, fire):
            made = Made(error="internal_error", detail="Something broke on our side; it is in the log.")
            _note(row, wave.zone, fire, made, now)
        _advance(row, timing_of_row(row), wave.zone, wave.at, now)
