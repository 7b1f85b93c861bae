"""Acme's schedules, and a clock that tests set."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.audience.models import Recipient
from apps.core import clock, ids
from apps.ledger.models import Notification
from apps.schedules import firing
from apps.schedules.models import Schedule, ScheduleRun
from tests.integration.ingest_cast import SCHEDULED, Caller

WORDS = {"category": "social", "message": {"body": "Otto likes your photo."}}
MONDAY = datetime(2027, 1, 4, 8, tzinfo=UTC)


class Clock:
    """What apps.core.clock says from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: datetime = MONDAY) -> None:
        self.now = now
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def until(self, text: str) -> "Clock":
        """UTC."""
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return self


def fire(most: int = 100) -> int:
    """Whatever is due; how many waves."""
    fired, aside = 0, set[UUID]()
    while fired < most and firing.fire_next(clock.now(), aside):
        fired += 1
    return fired


def made(caller: Caller, *, user_id: str = "rosa", key: str | None = None, words: Any = None, **timing: Any) -> Any:
    """A schedule for Rosa; the answer's body."""
    said = {"start": "2027-01-04T09:00", "zone": "UTC", "rule": "FREQ=DAILY", **timing}
    schedule = {name: value for name, value in said.items() if value is not None}
    answer = caller.post(SCHEDULED, {"user_id": user_id, **WORDS, **(words or {}), "schedule": schedule}, key=key)
    assert answer.status_code == 201, answer.content
    return answer.json()


def row_of(shown: Any) -> Any:
    found = ids.read(ids.SCHEDULE, shown if isinstance(shown, str) else shown["id"])
    return Schedule.objects.all_tenants().get(id=found)


def runs_of(shown: Any) -> list[tuple[str, str, str, str, int, int]]:
    """(zone, wall, outcome, reason, covers, count), in the order in which they were decided."""
    rows = ScheduleRun.objects.all_tenants().filter(schedule_id=row_of(shown).id).order_by("id")
    return list(rows.values_list("zone", "wall", "outcome", "reason", "covers", "count"))


def sent() -> list[str]:
    """Whom, in order."""
    names = dict(Recipient.objects.all_tenants().values_list("id", "user_id"))
    return [names[id_] for id_ in Notification.objects.order_by("id").values_list("recipient_id", flat=True)]


def live_in(user_id: str, zone: str) -> None:
    assert Recipient.objects.all_tenants().filter(user_id=user_id).update(timezone=zone) == 1


def soon(**more: float) -> datetime:
    return clock.now() + timedelta(**more)
