"""Schedules fire: once, in time, on whosever clock; missed times follow the policy; and what is paused or cancelled stays silent."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, OperationalError, transaction

from apps.audience.models import Recipient
from apps.audience.services import forget_recipient
from apps.core import clock
from apps.ledger.models import Notification, WorkItem
from apps.schedules import firing, keeping, making
from apps.schedules.models import Schedule, ScheduleRecipient, ScheduleRun
from apps.tenants.auditing import COMMAND
from tests.integration.ingest_cast import Caller, acme, statements
from tests.integration.schedules_cast import MONDAY, Clock, fire, live_in, made, row_of, runs_of, sent

pytestmark = pytest.mark.django_db
HOUR = {"start": "2027-01-04T09:00", "zone": "UTC"}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def caller(now: Clock) -> Caller:
    return Caller(acme())


def fired(zone: str, wall: str, count: int = 1) -> tuple[str, str, str, str, int, int]:
    return (zone, wall, "fired", "", 1, count)


def skipped(zone: str, wall: str, reason: str, covers: int = 1) -> tuple[str, str, str, str, int, int]:
    return (zone, wall, "skipped", reason, covers, 0)


def test_it_fires_at_its_time_and_sets_the_next_one(caller: Caller, now: Clock) -> None:
    schedule = made(caller)
    now.until("2027-01-04T08:59:59.999")
    assert (fire(), sent()) == (0, [])
    now.until("2027-01-04T09:00:00.2")
    assert (fire(), sent()) == (1, ["rosa"])
    assert (fire(), sent()) == (0, ["rosa"])
    row = row_of(schedule)
    assert (row.fired_count, row.last_fired_at, row.next_fire_at) == (1, now.now, MONDAY + timedelta(days=1, hours=1))
    assert runs_of(schedule) == [fired("UTC", "2027-01-04T09:00:00")]
    notification = Notification.objects.get()
    assert notification.source == "schedule"
    assert notification.request_id == schedule["id"]
    assert notification.event_id == f"{schedule['id']}/2027-01-04T09:00:00Z"
    assert WorkItem.objects.get().queue == "route.social"


def test_a_one_off_is_finished_when_it_has_fired(caller: Caller, now: Clock) -> None:
    schedule = made(caller, start=None, zone=None, rule=None, at="2027-01-04T10:00:00+01:00")
    now.until("2027-01-04T09:00:00")
    assert (fire(), row_of(schedule).status, row_of(schedule).next_fire_at) == (1, "finished", None)
    now.until("2027-01-05T09:00:00")
    assert (fire(), sent()) == (0, ["rosa"])


def test_everybody_gets_it_on_their_own_clock(caller: Caller, now: Clock) -> None:
    Recipient.objects.bulk_create(
        Recipient(tenant_id=caller.tenant.id, user_id=name, timezone=zone)
        for name, zone in {"aiko": "Asia/Tokyo", "kenta": "Asia/Tokyo", "nils": "America/New_York"}.items()
    )
    people = [{"user_id": name} for name in ("aiko", "kenta", "nils", "rosa")]
    schedule = made(
        caller, start="2027-01-05T09:00", zone="recipient", user_id=None, words={"user_id": None, "recipients": people}
    )
    assert set(row_of(schedule).waves) == {"Asia/Tokyo", "America/New_York", "UTC"}
    now.until("2027-01-05T00:00:00.1")
    assert (fire(), sorted(sent())) == (1, ["aiko", "kenta"])
    now.until("2027-01-05T09:00:00")
    assert (fire(), sent()[2:]) == (1, ["rosa"])
    now.until("2027-01-05T14:00:00")
    assert (fire(), sent()[3:]) == (1, ["nils"])
    assert runs_of(schedule) == [
        fired("Asia/Tokyo", "2027-01-05T09:00:00", 2),
        fired("UTC", "2027-01-05T09:00:00"),
        fired("America/New_York", "2027-01-05T09:00:00"),
    ]
    assert {n.event_id for n in Notification.objects.all()} == {f"{schedule['id']}/2027-01-05T09:00:00"}


@pytest.mark.parametrize(
    ("home", "goes_to", "at", "got"),
    [
        ("Asia/Tokyo", "America/New_York", ["2027-01-05T00:00", "2027-01-05T14:00"], "2027-01-05T14:00"),
        ("America/New_York", "Asia/Tokyo", ["2027-01-05T00:00", "2027-01-05T14:00"], "2027-01-05T14:00"),
    ],
    ids=["westwards: once, on the new clock", "eastwards: once, with the wave that finds out"],
)
def test_who_moves_gets_each_time_once(
    caller: Caller, now: Clock, home: str, goes_to: str, at: list[str], got: str
) -> None:
    live_in("rosa", home)
    schedule = made(caller, start="2027-01-05T09:00", zone="recipient")
    live_in("rosa", goes_to)
    seen = []
    for text in at:
        before = len(sent())
        now.until(text)
        fire()
        seen += [text] * (len(sent()) - before)
    assert seen == [got]
    assert set(row_of(schedule).waves) >= {goes_to}
    now.until("2027-01-06T00:00")
    fire()
    now.until("2027-01-06T14:00")
    fire()
    assert len(sent()) == 2


def test_who_moves_back_and_forth_gets_no_time_twice(caller: Caller, now: Clock) -> None:
    live_in("rosa", "Asia/Tokyo")
    made(caller, start="2027-01-05T09:00", zone="recipient", rule="FREQ=DAILY;COUNT=1")
    now.until("2027-01-05T00:00")
    fire()
    Schedule.objects.all_tenants().update(
        status="active", waves={"America/New_York": "2027-01-05T09:00:00"}, next_fire_at=now.now
    )
    ScheduleRecipient.objects.all_tenants().update(zone="America/New_York")
    live_in("rosa", "America/New_York")
    now.until("2027-01-05T14:00")
    assert (fire(), sent()) == (1, ["rosa"])


@pytest.mark.parametrize(
    ("policy", "limit", "count", "runs"),
    [
        ("skip", 10, 1, [skipped("UTC", "2027-01-04T09:00:00", "missed", 3), fired("UTC", "2027-01-07T09:00:00")]),
        ("once", 10, 1, [skipped("UTC", "2027-01-04T09:00:00", "missed", 3), fired("UTC", "2027-01-07T09:00:00")]),
        (
            "all",
            2,
            3,
            [
                skipped("UTC", "2027-01-04T09:00:00", "missed", 1),
                *(fired("UTC", f"2027-01-0{day}T09:00:00") for day in (5, 6, 7)),
            ],
        ),
    ],
)
def test_what_an_outage_missed_follows_the_policy(
    caller: Caller, now: Clock, policy: str, limit: int, count: int, runs: list[Any]
) -> None:
    schedule = made(caller, missed=policy, missed_limit=limit)
    now.until("2027-01-07T09:00:30")
    fire()
    assert runs_of(schedule) == runs
    assert sent() == ["rosa"] * count
    assert row_of(schedule).next_fire_at.day == 8


def test_a_missed_one_off_fires_late_or_not_at_all(caller: Caller, now: Clock) -> None:
    late = made(caller, rule=None, missed="once")
    never = made(caller, rule=None, missed="skip")
    now.until("2027-01-04T11:00:00")
    fire()
    assert runs_of(late) == [fired("UTC", "2027-01-04T09:00:00")]
    assert runs_of(never) == [skipped("UTC", "2027-01-04T09:00:00", "missed")]
    assert (row_of(late).status, row_of(never).status, len(sent())) == ("finished", "finished", 1)


def test_what_would_have_expired_is_left_out(caller: Caller, now: Clock) -> None:
    schedule = made(caller, missed="all", expires_after_minutes=60)
    now.until("2027-01-04T10:30:00")
    fire()
    assert runs_of(schedule) == [skipped("UTC", "2027-01-04T09:00:00", "expired")]
    now.until("2027-01-05T09:00:00")
    fire()
    assert Notification.objects.get().expires_at == now.now + timedelta(hours=1)


@pytest.mark.parametrize("what", ["pause", "cancel"])
def test_what_is_paused_or_cancelled_never_fires_though_it_is_due(caller: Caller, now: Clock, what: str) -> None:
    schedule = made(caller)
    where = f"/v1/scheduled-notifications/{schedule['id']}"
    now.until("2027-01-04T09:00:00")
    answer = caller.post(f"{where}/pause", b"") if what == "pause" else caller.delete(where)
    assert answer.status_code == 200
    Schedule.objects.all_tenants().update(next_fire_at=MONDAY, waves={"UTC": "2027-01-04T09:00:00"})
    assert (fire(), sent()) == (0, [])


def test_what_the_front_door_refuses_is_noted_and_the_next_time_comes(caller: Caller, now: Clock) -> None:
    schedule = made(caller)
    with mock.patch.object(making, "draft", side_effect=making.Problem(making.Code.UNKNOWN_TEMPLATE, "It is gone.")):
        now.until("2027-01-04T09:00:00")
        fire()
    run = ScheduleRun.objects.all_tenants().get()
    assert (run.outcome, run.error, run.detail, run.refused) == ("failed", "unknown_template", "It is gone.", 1)
    assert (sent(), row_of(schedule).fired_count, row_of(schedule).next_fire_at.day) == ([], 0, 5)


def test_an_error_of_ours_is_noted_and_does_not_come_again_every_second(caller: Caller, now: Clock) -> None:
    schedule, other = made(caller), made(caller, user_id="otto")
    now.until("2027-01-04T09:00:00")
    real = making._send

    def broken(row: Any, *args: Any) -> Any:
        if row.id == row_of(schedule).id:
            raise RuntimeError
        return real(row, *args)

    with mock.patch.object(making, "_send", broken):
        fire()
    run = ScheduleRun.objects.all_tenants().get(schedule_id=row_of(schedule).id)
    assert (run.outcome, run.error, row_of(schedule).next_fire_at.day) == ("failed", "internal_error", 5)
    assert (sent(), row_of(other).fired_count) == (["otto"], 1)


def test_a_database_that_fails_leaves_it_due(caller: Caller, now: Clock) -> None:
    schedule = made(caller)
    now.until("2027-01-04T09:00:00")
    with mock.patch.object(making.front_door, "accept", side_effect=OperationalError):
        fire()
    assert (runs_of(schedule), sent(), row_of(schedule).next_fire_at) == ([], [], now.now)
    assert (fire(), sent()) == (1, ["rosa"])


def test_an_end_in_the_middle_leaves_nothing_and_comes_again(caller: Caller, now: Clock) -> None:
    schedule = made(caller)
    now.until("2027-01-04T09:00:00")
    with mock.patch.object(firing, "_advance", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        fire()
    assert (runs_of(schedule), sent()) == ([], [])
    assert (fire(), sent()) == (1, ["rosa"])


def test_were_the_next_time_not_set_the_run_and_the_front_door_would_know(caller: Caller, now: Clock) -> None:
    """Each fence by itself: the run's unique key, the request's key, the event's."""
    schedule = made(caller)
    now.until("2027-01-04T09:00:00")
    fire()
    run = ScheduleRun.objects.all_tenants().get()
    again = {"waves": {"UTC": "2027-01-04T09:00:00"}, "next_fire_at": now.now}
    Schedule.objects.all_tenants().update(**again)
    assert (fire(), sent(), len(runs_of(schedule))) == (1, ["rosa"], 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        run.pk = None
        run.save(force_insert=True)
    ScheduleRun.objects.all_tenants().delete()
    Schedule.objects.all_tenants().update(**again)
    assert (fire(), sent(), runs_of(schedule)[0][5]) == (1, ["rosa"], 0)


def test_who_is_forgotten_leaves_and_a_schedule_for_nobody_ends(caller: Caller, now: Clock) -> None:
    schedule = made(caller)
    assert forget_recipient(tenant=caller.tenant, user_id="rosa", by=COMMAND)
    assert not ScheduleRecipient.objects.all_tenants().exists()
    now.until("2027-01-04T09:00:00")
    fire()
    assert runs_of(schedule) == [skipped("UTC", "2027-01-04T09:00:00", "nobody")]
    assert row_of(schedule).status == "finished"


def test_a_wave_of_any_size_costs_the_same_number_of_statements(caller: Caller, now: Clock) -> None:
    names = [f"u{n}" for n in range(100)]
    Recipient.objects.bulk_create(Recipient(tenant_id=caller.tenant.id, user_id=name) for name in names)
    one = made(caller)
    many = made(
        caller,
        user_id=None,
        words={"user_id": None, "recipients": [{"user_id": name} for name in names]},
        start="2027-01-04T09:01",
    )
    now.until("2027-01-04T09:01:00")
    assert fire() == 2
    now.until("2027-01-05T09:00:00")
    with statements(11):
        firing.fire_next(now.now, set())
    now.until("2027-01-05T09:01:00")
    with statements(11):
        firing.fire_next(now.now, set())
    assert (row_of(one).fired_count, row_of(many).fired_count, len(sent())) == (2, 2, 202)


def test_what_is_about_to_come_is_waited_for(caller: Caller) -> None:
    assert firing.coming(clock.now()) is None
    made(caller)
    assert firing.coming(clock.now()) == MONDAY + timedelta(hours=1)


def test_old_runs_and_what_is_over_go_after_the_retention(caller: Caller, now: Clock) -> None:
    over, goes_on = made(caller, rule=None), made(caller)
    now.until("2027-01-04T09:00:00")
    fire()
    assert keeping.forget_old(now.now) == 0
    old = now.now + timedelta(days=91)
    assert keeping.forget_old(old) == 3
    assert not ScheduleRun.objects.all_tenants().exists()
    assert Schedule.objects.all_tenants().get().id == row_of(goes_on).id != over["id"]
    assert ScheduleRecipient.objects.all_tenants().get().schedule_id == row_of(goes_on).id
