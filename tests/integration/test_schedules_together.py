"""Several workers at once, and somebody who pauses while one of them fires."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic
from typing import Any

import pytest
from django.db import connections

from apps.core import clock
from apps.dispatch.ringer import ringer
from apps.ledger.models import Notification, SeenKey
from apps.schedules import firing, making
from apps.schedules.models import Schedule, ScheduleRecipient, ScheduleRun
from tests.integration import ingest_cast as cast
from tests.integration.ingest_cast import SCHEDULED, Caller
from tests.integration.schedules_cast import Clock, made, row_of, runs_of, sent

pytestmark = pytest.mark.django_db(transaction=True)
MANY, WORKERS = 20, 4


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ringer, "ask", lambda *_: None)
    yield
    for table in (ScheduleRun, ScheduleRecipient, Schedule):
        table.objects.all_tenants().delete()
    cast.clear()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def caller(now: Clock) -> Caller:
    return Caller(cast.acme())


def work() -> int:
    """What a worker does, once."""
    try:
        fired = 0
        while firing.fire_next(clock.now(), set()):
            fired += 1
        return fired
    finally:
        connections.close_all()


def test_workers_at_once_fire_each_time_once(caller: Caller, now: Clock) -> None:
    for _ in range(MANY):
        made(caller, missed="all")
    now.until("2027-01-05T09:00:10")
    with ThreadPoolExecutor(WORKERS) as pool:
        counts = list(pool.map(lambda _: work(), range(WORKERS)))
    assert work() == 0
    assert sum(counts) == 2 * MANY
    seen = Counter(Notification.objects.values_list("event_id", flat=True))
    assert (len(seen), set(seen.values())) == (2 * MANY, {1})
    assert set(Schedule.objects.all_tenants().values_list("fired_count", flat=True)) == {2}


def test_a_second_worker_goes_on_with_the_others(caller: Caller, now: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes long keeps its own schedule only; and it is not fired by anybody else meanwhile."""
    slow, quick = made(caller), made(caller, user_id="otto", start="2027-01-04T09:01")
    real, inside, go = making._send, Event(), Event()

    def hanging(row: Any, *rest: Any) -> Any:
        if row.id == slow_id:
            inside.set()
            assert go.wait(20)
        return real(row, *rest)

    slow_id = row_of(slow).id
    monkeypatch.setattr(making, "_send", hanging)
    now.until("2027-01-04T09:01:00")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(work)
        assert inside.wait(20)
        assert (work(), sent()) == (1, ["otto"])
        go.set()
        assert first.result(20) == 1
    assert (sorted(sent()), row_of(quick).fired_count) == (["otto", "rosa"], 1)


@pytest.mark.parametrize("is_first", [True, False], ids=["pause first", "fire first"])
def test_a_pause_and_a_fire_at_once_are_one_after_the_other(
    caller: Caller, now: Clock, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    schedule = made(caller)
    now.until("2027-01-04T09:00:00")
    if is_first:
        caller.post(f"{SCHEDULED}/{schedule['id']}/pause", b"")
        assert (work(), sent()) == (0, [])
        return
    real, inside = making._send, Event()

    def slow(*args: Any) -> Any:
        inside.set()
        ends = monotonic() + 0.3
        while monotonic() < ends:
            pass
        return real(*args)

    monkeypatch.setattr(making, "_send", slow)
    with ThreadPoolExecutor(1) as pool:
        firing_now = pool.submit(work)
        assert inside.wait(20)
        paused = caller.post(f"{SCHEDULED}/{schedule['id']}/pause", b"").json()
        assert firing_now.result(20) == 1
    assert (paused["status"], paused["fired_count"], len(runs_of(schedule))) == ("paused", 1, 1)
    now.until("2027-01-05T09:00:00")
    assert (work(), sent()) == (0, ["rosa"])


def test_twins_with_one_key_make_one_schedule(caller: Caller) -> None:
    def post(_: int) -> Any:
        try:
            return _post(caller)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(post, range(WORKERS)))
    assert len({one["id"] for one in found}) == 1
    assert (Schedule.objects.count(), ScheduleRecipient.objects.count()) == (1, 1)


def _post(caller: Caller) -> Any:
    timing = {"start": "2027-01-04T09:00", "zone": "UTC"}
    body = {"user_id": "rosa", "category": "social", "message": {"body": "Hello"}, "schedule": timing}
    answer = caller.post(SCHEDULED, body, key="twin")
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_who_is_due_within_the_second_is_waited_for(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made(caller)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        Clock(monkeypatch).until("2027-01-04T09:00:00")

    monkeypatch.setattr(firing, "sleep", sleep)
    Clock(monkeypatch).until("2027-01-04T08:59:58.9")
    assert firing.fire_due(ends=monotonic() + 20) == 0
    Clock(monkeypatch).until("2027-01-04T08:59:59.25")
    assert firing.fire_due(ends=monotonic() + 20) == 1
    assert (slept, sent()) == ([0.75], ["rosa"])


def test_a_row_that_cannot_be_read_is_paused_and_stands_in_nobodys_way(caller: Caller, now: Clock) -> None:
    broken, other = made(caller), made(caller, user_id="otto", start="2027-01-04T09:01")
    Schedule.objects.all_tenants().filter(id=row_of(broken).id).update(rule="FREQ=SOMETIMES")
    now.until("2027-01-04T09:01:00")
    work()
    assert (row_of(broken).status, row_of(other).fired_count, sent()) == ("paused", 1, ["otto"])


def test_the_front_door_knows_a_wave_by_its_key_alone(caller: Caller, now: Clock) -> None:
    schedule = made(caller)
    now.until("2027-01-04T09:00:00")
    work()
    ScheduleRun.objects.all_tenants().delete()
    assert SeenKey.objects.filter(fingerprint=None).delete()[0] == 1
    Schedule.objects.all_tenants().update(waves={"UTC": "2027-01-04T09:00:00"}, next_fire_at=now.now)
    assert (work(), sent(), runs_of(schedule)[0][5]) == (1, ["rosa"], 0)
