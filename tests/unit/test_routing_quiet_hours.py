"""Quiet hours: named cases on real clocks, and every time zone there is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from apps.core.enums import Category, Channel, Reason
from apps.core.locales import zone
from apps.core.types import Choices, QuietHours, TenantRules
from apps.routing.deciding import decide
from apps.routing.decisions import Hold, Send
from apps.routing.facts import Stage
from apps.routing.quiet_hours import binding, first_valid, in_turn, leaves_no_gap, open_from
from tests.quiet_hours_cases import cases, violation
from tests.unit.test_routing_decide import MAIL, case, person


def hours(text: str) -> tuple[QuietHours, ...]:
    """`22:00-08:00 12:00-13:00`"""
    times = [[int(at[:2]) * 60 + int(at[3:]) for at in each.split("-")] for each in text.split()]
    return tuple(QuietHours(start, end) for start, end in times)


NIGHT = "22:00-08:00"
# name, zone, quiet, now, open: on the wall, with the offset
TABLE = [
    ("in the day", "Europe/Berlin", NIGHT, "2026-11-20T12:00:30+01:00", "2026-11-20T12:00:30+01:00"),
    ("late in the evening", "Europe/Berlin", NIGHT, "2026-11-20T23:10:30+01:00", "2026-11-21T08:00+01:00"),
    ("early in the morning", "Europe/Berlin", NIGHT, "2026-11-21T07:59:59.999999+01:00", "2026-11-21T08:00+01:00"),
    ("its first instant is quiet", "Europe/Berlin", NIGHT, "2026-11-20T22:00+01:00", "2026-11-21T08:00+01:00"),
    ("its end is open", "Europe/Berlin", NIGHT, "2026-11-21T08:00+01:00", "2026-11-21T08:00+01:00"),
    ("the last of the open ones", "Europe/Berlin", NIGHT, "2026-11-20T21:59:59.9+01:00", "2026-11-20T21:59:59.9+01:00"),
    ("within a day", "Europe/Berlin", "12:00-14:00", "2026-11-20T13:00+01:00", "2026-11-20T14:00+01:00"),
    ("start is end: never", "Europe/Berlin", "00:00-00:00", "2026-11-20T00:00+01:00", "2026-11-20T00:00+01:00"),
    ("start is end, by day: never", "Europe/Berlin", "12:00-12:00", "2026-11-20T12:00+01:00", "2026-11-20T12:00+01:00"),
    ("until midnight", "Europe/Berlin", "22:00-00:00", "2026-11-20T23:00+01:00", "2026-11-21T00:00+01:00"),
    ("ranges that touch", "Europe/Berlin", "22:00-02:00 02:00-06:00", "2026-11-20T23:00+01:00", "2026-11-21T06:00+01:00"),
    ("that overlap", "Europe/Berlin", "22:00-06:00 05:00-07:30", "2026-11-20T23:00+01:00", "2026-11-21T07:30+01:00"),
    ("that leave a minute", "Europe/Berlin", "22:00-02:00 02:01-06:00", "2026-11-20T23:00+01:00", "2026-11-21T02:00+01:00"),
    ("without a gap: never", "Europe/Berlin", "08:00-20:00 19:00-08:00", "2026-11-20T23:00+01:00", "2026-11-20T23:00+01:00"),
    ("all but a minute", "Europe/Berlin", "00:01-00:00", "2026-11-20T00:01+01:00", "2026-11-21T00:00+01:00"),
    ("ends in the gap", "Europe/Berlin", "22:00-02:30", "2027-03-28T01:00+01:00", "2027-03-28T03:00+02:00"),
    ("starts in the gap", "Europe/Berlin", "02:30-05:00", "2027-03-28T01:59+01:00", "2027-03-28T01:59+01:00"),
    ("starts in the gap, after it", "Europe/Berlin", "02:30-05:00", "2027-03-28T03:00+02:00", "2027-03-28T05:00+02:00"),
    ("lies in the gap", "Europe/Berlin", "02:10-02:50", "2027-03-28T01:59:59+01:00", "2027-03-28T01:59:59+01:00"),
    ("over the gap", "Europe/Berlin", NIGHT, "2027-03-27T23:00+01:00", "2027-03-28T08:00+02:00"),
    ("the only open hour is the gap", "Europe/Berlin", "03:00-02:00", "2027-03-27T12:00+01:00", "2027-03-29T02:00+02:00"),
    ("ends in the fold: the first time", "Europe/Berlin", "22:00-02:30", "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00"),
    ("and is quiet again", "Europe/Berlin", "22:00-02:30", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"),
    ("starts in the fold: open again", "Europe/Berlin", "02:30-05:00", "2026-10-25T02:40+02:00", "2026-10-25T02:00+01:00"),
    ("starts in the fold, second time", "Europe/Berlin", "02:30-05:00", "2026-10-25T02:40+01:00", "2026-10-25T05:00+01:00"),
    ("over the fold", "Europe/Berlin", NIGHT, "2026-10-24T23:00+02:00", "2026-10-25T08:00+01:00"),
    ("New York, gap", "America/New_York", "21:00-02:30", "2027-03-14T01:30-05:00", "2027-03-14T03:00-04:00"),
    ("New York, fold", "America/New_York", "21:00-01:30", "2026-11-01T00:30-04:00", "2026-11-01T01:30-04:00"),
    ("Lord Howe, fold of half an hour", "Australia/Lord_Howe", "22:00-01:45", "2027-04-04T01:50+11:00", "2027-04-04T01:50+11:00"),
    ("Lord Howe, quiet twice", "Australia/Lord_Howe", "22:00-01:45", "2027-04-04T01:30+10:30", "2027-04-04T01:45+10:30"),
    ("Lord Howe, gap of half an hour", "Australia/Lord_Howe", "22:00-02:15", "2027-10-03T01:00+10:30", "2027-10-03T02:30+11:00"),
    ("Santiago has no midnight", "America/Santiago", "22:00-00:00", "2027-09-04T23:00-04:00", "2027-09-05T01:00-03:00"),
    ("Santiago, midnight to four", "America/Santiago", "00:00-04:00", "2027-09-05T01:00-03:00", "2027-09-05T04:00-03:00"),
    ("Cairo has no midnight", "Africa/Cairo", "22:00-00:30", "2027-04-29T23:00+02:00", "2027-04-30T01:00+03:00"),
    ("Cairo, the hour before midnight twice", "Africa/Cairo", "22:00-00:00", "2026-10-29T23:30+03:00", "2026-10-30T00:00+02:00"),
    ("Casablanca sets back for Ramadan", "Africa/Casablanca", NIGHT, "2027-02-06T23:00+01:00", "2027-02-07T08:00+00:00"),
    ("Casablanca sets forth after it", "Africa/Casablanca", "22:00-02:30", "2027-03-14T01:00+00:00", "2027-03-14T03:00+01:00"),
    ("Kathmandu", "Asia/Kathmandu", NIGHT, "2026-11-20T22:00+05:45", "2026-11-21T08:00+05:45"),
    ("Kiritimati", "Pacific/Kiritimati", NIGHT, "2026-11-20T23:00+14:00", "2026-11-21T08:00+14:00"),
    ("no such zone: UTC", "Mars/Olympus_Mons", NIGHT, "2026-11-20T23:00+00:00", "2026-11-21T08:00+00:00"),
]  # fmt: skip


@pytest.mark.parametrize(("_name", "place", "quiet", "now", "opens"), TABLE, ids=[row[0] for row in TABLE])
def test_it_waits_for_the_first_open_instant(_name: str, place: str, quiet: str, now: str, opens: str) -> None:
    asked, expected = datetime.fromisoformat(now), datetime.fromisoformat(opens)
    if place in ("Africa/Casablanca",) and asked.astimezone(ZoneInfo(place)).utcoffset() != asked.utcoffset():
        pytest.skip("this machine's time zones know another calendar of Morocco")
    assert open_from(hours(quiet), place, asked) == expected
    assert open_from(hours(quiet), place, expected) == expected


@pytest.mark.parametrize("seed", range(3))
def test_in_every_zone_it_is_the_first_open_instant(seed: int) -> None:
    chance = Random(seed)
    wrong = [
        (given, said)
        for number, given in enumerate(cases(1_200, seed))
        if (said := violation(given, chance, is_scanned=number % 40 == 0))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["", "Berlin", "../etc/passwd", "/etc/passwd", "America", "x" * 5_000, "a\x00b", "Ä"])
def test_a_name_that_is_no_zone_gives_way_to_the_next_one(name: str) -> None:
    assert zone(name, "Asia/Kathmandu").key == "Asia/Kathmandu"
    assert zone(name).key == "UTC"


OWN, TENANTS = QuietHours(22 * 60, 8 * 60), QuietHours(20 * 60, 9 * 60)
BOTH = replace(OWN, channels=(Channel.SMS, Channel.EMAIL))
LOCKED = replace(TENANTS, country="FR", is_locked=True)
BINDS = [
    ("nothing", None, (), ()),
    ("the tenant's", None, (TENANTS,), (TENANTS,)),
    ("one's own instead", (OWN,), (TENANTS,), (OWN,)),
    ("none of one's own", (), (TENANTS,), ()),
    ("locked and one's own", (OWN,), (TENANTS, replace(LOCKED, country="DE")), (replace(LOCKED, country="DE"), OWN)),
    ("of another country", None, (LOCKED,), ()),
    ("for other channels", (replace(OWN, channels=(Channel.SMS,)),), (), ()),
    ("for this one too", (BOTH,), (), (BOTH,)),
    ("for another category", (replace(OWN, categories=(Category.MARKETING,)),), (), ()),
]  # fmt: skip


@pytest.mark.parametrize(("_name", "own", "tenants", "binds"), BINDS, ids=[row[0] for row in BINDS])
def test_what_binds(
    _name: str, own: tuple[QuietHours, ...] | None, tenants: tuple[QuietHours, ...], binds: tuple[QuietHours, ...]
) -> None:
    rosa = person(choices=Choices(quiet_hours=own), country="DE")
    assert binding(case(person=rosa, rules=TenantRules(quiet_hours=tenants))) == binds


AT_NIGHT = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
ROSA = person(choices=Choices(quiet_hours=(OWN,)), zone="Europe/Berlin")


def test_what_is_not_critical_is_held_with_the_reason_and_what_it_rests_on() -> None:
    held = decide(structs.replace(case(person=ROSA), now=AT_NIGHT))
    until = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
    assert held == Hold(until, Reason.QUIET_HOURS)
    said = {"rule": "in_quiet_hours", "quiet_hours": ["22:00-08:00"], "zone": "Europe/Berlin", "until": until}
    assert held.because.items() >= said.items()
    assert decide(structs.replace(case(person=ROSA), now=until)) == Send((MAIL.id,))
    assert decide(structs.replace(case(person=ROSA), now=AT_NIGHT, stage=Stage.GATE)) == held


def test_the_feed_disturbs_nobody_and_critical_is_never_held_but_noted() -> None:
    assert decide(structs.replace(case(Channel.IN_APP, person=ROSA), now=AT_NIGHT)) == Send((None,))
    critical = structs.replace(case(person=ROSA, category=Category.CRITICAL), now=AT_NIGHT)
    assert decide(critical) == Send((MAIL.id,), Reason.QUIET_HOURS)


def test_those_that_wait_for_one_moment_are_due_in_order_within_a_second() -> None:
    until = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
    asked = [until - timedelta(hours=h) for h in (200, 30, 9, 1)] + [until - timedelta(seconds=1), until]
    due = [in_turn(Hold(until, Reason.QUIET_HOURS), at) for at in asked]
    assert due == sorted(set(due)) and until <= due[0] and due[-1] <= until + timedelta(seconds=1)
    assert in_turn(Hold(until, Reason.AWAITS_FULLER), asked[0]) == until


def test_a_wall_time_in_the_gap_is_the_first_instant_after_it_and_one_in_the_fold_comes_once() -> None:
    berlin, cairo = ZoneInfo("Europe/Berlin"), ZoneInfo("Africa/Cairo")
    assert first_valid(datetime(2027, 3, 28, 2, 30, tzinfo=berlin), berlin) == datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    assert first_valid(datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=berlin), berlin) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    assert first_valid(datetime(2027, 4, 30, tzinfo=cairo), cairo) == datetime(2027, 4, 29, 22, 0, tzinfo=UTC)
    assert leaves_no_gap(hours("00:00-12:00 12:00-00:00")) and not leaves_no_gap(hours("00:00-12:00 12:00-23:59"))


def test_it_is_quick_enough_to_ask_for_everybody() -> None:
    """At least 20,000 a second: a sixth of what it does on a core of its own."""
    quiet, chance = hours(NIGHT), Random(1)
    nows = [AT_NIGHT + timedelta(seconds=chance.randrange(40_000)) for _ in range(4_000)]
    best = min(_seconds(quiet, nows) for _ in range(5))
    assert len(nows) / best > 20_000


def _seconds(quiet: tuple[QuietHours, ...], nows: list[datetime]) -> float:
    began = perf_counter()
    for now in nows:
        open_from(quiet, "Europe/Berlin", now)
    return perf_counter() - began
