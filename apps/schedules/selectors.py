"""Schedules, their recipients and runs, as values."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from apps.audience import selectors as audience
from apps.schedules import requests
from apps.schedules.models import Schedule, ScheduleRecipient, ScheduleRun
from apps.schedules.timing import Fire, Timing
from apps.schedules.waves import timing_of_row


@dataclass(frozen=True, slots=True)
class ScheduleFacts:
    id: UUID
    name: str
    mode: str
    status: str
    start: str
    zone: str
    rule: str
    exdates: list[str]
    rdates: list[str]
    missed: str
    missed_limit: int
    expires_after: timedelta | None
    waves: dict[str, str]
    next_fire_at: datetime | None
    last_fired_at: datetime | None
    fired_count: int
    version: int
    created_at: datetime
    updated_at: datetime
    people: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    id: UUID
    zone: str
    wall: str
    due_at: datetime
    at: datetime
    outcome: str
    reason: str
    covers: int
    count: int
    refused: int
    error: str
    detail: str


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A time to come on one clock, and how many people's it is."""

    fire: Fire
    zone: str
    people: int


_FACTS = tuple(field for field in ScheduleFacts.__slots__ if field != "people")
_RUN = RunFacts.__slots__


def schedule(tenant_id: UUID, schedule_id: UUID) -> ScheduleFacts | None:
    row = _rows(tenant_id).filter(id=schedule_id).values_list(*_FACTS, "people").first()
    return ScheduleFacts(*row) if row else None


def schedules(
    tenant_id: UUID, *, status: str | None = None, before: UUID | None = None, limit: int
) -> list[ScheduleFacts]:
    """Newest first."""
    rows = _rows(tenant_id).order_by("-id")
    rows = rows.filter(status=status) if status else rows
    rows = rows.filter(id__lt=before) if before else rows
    return [ScheduleFacts(*row) for row in rows.values_list(*_FACTS, "people")[:limit]]


def runs(tenant_id: UUID, schedule_id: UUID, *, before: UUID | None, limit: int) -> list[RunFacts]:
    """Newest first."""
    rows = ScheduleRun.objects.of(tenant_id).filter(schedule_id=schedule_id).order_by("-id")
    rows = rows.filter(id__lt=before) if before else rows
    return [RunFacts(*row) for row in rows.values_list(*_RUN)[:limit]]


def request_of(tenant_id: UUID, schedule_id: UUID) -> dict[str, Any]:
    """The request that it keeps, with the recipients that are left. Raises UndecipherableError."""
    row = Schedule.objects.of(tenant_id).filter(id=schedule_id).values_list("id", "sealed").first()
    content = requests.opened(bytes(row[1]), row[0]) if row else {}
    rows = ScheduleRecipient.objects.of(tenant_id).filter(schedule_id=schedule_id).order_by("id")
    people = list(rows.values_list("id", "recipient_id", "sealed"))
    known = audience.recipients([recipient_id for _, recipient_id, _ in people])
    said = [
        (known[recipient_id].user_id, requests.opened(bytes(sealed), id_))
        for id_, recipient_id, sealed in people
        if recipient_id in known
    ]
    return {**content, "recipients": requests.recipients_said(said)}


def upcoming(tenant_id: UUID, schedule_id: UUID, *, now: datetime, count: int) -> list[Upcoming]:
    """The next fires of all waves, in order. What is overdue is among them as soon as it fires, so it is left out."""
    row = Schedule.objects.of(tenant_id).filter(id=schedule_id).first()
    if row is None or not row.waves:
        return []
    timing = timing_of_row(row)
    rows = ScheduleRecipient.objects.of(tenant_id).filter(schedule_id=schedule_id)
    people = dict(rows.values_list("zone").annotate(Count("id")))
    found = [
        Upcoming(fire, zone, people.get(zone if timing.is_local else "", 0))
        for zone in row.waves
        for fire in timing.next_fires(now, zone, count)
    ]
    return sorted(found, key=lambda one: (one.fire.at, one.zone))[:count]


def previewed(timing: Timing, zones: list[str], *, now: datetime, count: int) -> list[tuple[Fire, str]]:
    """Of a timing that is not stored."""
    found = [
        (fire, zone)
        for zone in (dict.fromkeys(zones) if timing.is_local else [timing.zone])
        for fire in timing.next_fires(now, zone, count)
    ]
    return sorted(found, key=lambda one: (one[0].at, one[1]))[:count]


def _rows(tenant_id: UUID) -> Any:
    people = ScheduleRecipient.objects.all_tenants().filter(schedule_id=OuterRef("id")).order_by()
    counted = people.values("schedule_id").annotate(n=Count("id")).values("n")
    return Schedule.objects.of(tenant_id).annotate(people=Coalesce(Subquery(counted), 0))
