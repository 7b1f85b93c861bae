"""Answers of /v1/scheduled-notifications."""

from datetime import datetime
from typing import Any

from apps.core import ids
from apps.core.bodies import Answer
from apps.schedules.models import Outcome, SkipReason, Status
from apps.schedules.selectors import RunFacts, ScheduleFacts, Upcoming
from apps.schedules.timing import Fire, shown


class ScheduleAnswer(Answer):
    """`next_fire_at`: of the first wave, where each recipient has their own clock. `recipients`: how many."""

    id: str
    name: str
    status: str
    status_text: str
    mode: str
    start: str
    zone: str
    rule: str | None
    exdates: list[str]
    rdates: list[str]
    missed: str
    missed_limit: int
    expires_after_minutes: int | None
    next_fire_at: datetime | None
    last_fired_at: datetime | None
    fired_count: int
    recipients: int
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, found: ScheduleFacts) -> "ScheduleAnswer":
        return cls(**_said(found))


class ScheduleDetail(ScheduleAnswer):
    """`request`: what is sent each time, and to whom."""

    request: dict[str, Any]

    @classmethod
    def whole(cls, found: ScheduleFacts, request: dict[str, Any]) -> "ScheduleDetail":
        return cls(**_said(found), request=request)


class SchedulePage(Answer):
    data: list[ScheduleAnswer]
    has_more: bool
    next_cursor: str | None


class FireAnswer(Answer):
    """`wall`: the time as the rule says it; `moved`: the clock of that zone skips it, so it fires at the first instant after the gap.
    `recipients`: how many are reached then; null in a preview."""

    at: datetime
    wall: str
    zone: str
    moved: bool
    recipients: int | None

    @classmethod
    def of(cls, found: Upcoming) -> "FireAnswer":
        return cls.plain(found.fire, found.zone, found.people)

    @classmethod
    def plain(cls, fire: Fire, zone: str, people: int | None = None) -> "FireAnswer":
        return cls(at=fire.at, wall=shown(fire.wall), zone=zone, moved=fire.is_moved(zone), recipients=people)


class FiresAnswer(Answer):
    data: list[FireAnswer]


class RunAnswer(Answer):
    """One decision. `late_seconds`: from its time to the decision. `covers`: how many times, from `wall` on, were left out together.
    `notifications`: how many were accepted; `refused`: how many people's were not; `error`: the first refusal."""

    id: str
    wall: str
    zone: str
    due_at: datetime
    at: datetime
    late_seconds: float
    outcome: str
    outcome_text: str
    reason: str | None
    reason_text: str | None
    covers: int
    notifications: int
    refused: int
    error: str | None
    detail: str | None

    @classmethod
    def of(cls, found: RunFacts) -> "RunAnswer":
        return cls(
            id=ids.show(ids.SCHEDULE_RUN, found.id),
            wall=found.wall,
            zone=found.zone,
            due_at=found.due_at,
            at=found.at,
            late_seconds=round((found.at - found.due_at).total_seconds(), 3),
            outcome=found.outcome,
            outcome_text=Outcome(found.outcome).sentence,
            reason=found.reason or None,
            reason_text=SkipReason(found.reason).sentence if found.reason else None,
            covers=found.covers,
            notifications=found.count,
            refused=found.refused,
            error=found.error or None,
            detail=found.detail or None,
        )


class RunPage(Answer):
    data: list[RunAnswer]
    has_more: bool
    next_cursor: str | None


def _said(found: ScheduleFacts) -> dict[str, Any]:
    return {
        "id": ids.show(ids.SCHEDULE, found.id),
        "name": found.name,
        "status": found.status,
        "status_text": Status(found.status).sentence,
        "mode": found.mode,
        "start": found.start,
        "zone": found.zone,
        "rule": found.rule or None,
        "exdates": found.exdates,
        "rdates": found.rdates,
        "missed": found.missed,
        "missed_limit": found.missed_limit,
        "expires_after_minutes": None
        if found.expires_after is None
        else int(found.expires_after.total_seconds() // 60),
        "next_fire_at": found.next_fire_at if found.status == Status.ACTIVE else None,
        "last_fired_at": found.last_fired_at,
        "fired_count": found.fired_count,
        "recipients": found.people,
        "version": found.version,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }
