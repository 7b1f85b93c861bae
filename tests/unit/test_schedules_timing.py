"""Fires on clocks that are set: named days on which an hour is missing or comes twice, exceptions, and fires that were missed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from apps.schedules.missed import GRACE, MOST_COUNTED, Missed, Verdict, judge
from apps.schedules.timing import RECIPIENT, Fire, Timing, wall_of


def timing(
    start: str, zone: str, rule: str = "", exdates: tuple[str, ...] = (), rdates: tuple[str, ...] = ()
) -> Timing:
    return Timing.read(start=start, zone=zone, rule=rule, exdates=list(exdates), rdates=list(rdates))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# name, zone, start, rule, after (UTC), the next fires (UTC)
CLOCKS = [
    ("Berlin: a missing half past two fires at three", "Europe/Berlin", "2027-03-27T02:30", "FREQ=DAILY",
     "2027-03-26T00:00", ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"]),
    ("Berlin: half past two comes twice, and fires the first time", "Europe/Berlin", "2027-10-30T02:30", "FREQ=DAILY",
     "2027-10-30T00:00", ["2027-10-30T00:30", "2027-10-31T00:30", "2027-11-01T01:30"]),
    ("Berlin: nothing fires a second time when the hour comes again", "Europe/Berlin", "2027-10-30T02:30", "FREQ=DAILY",
     "2027-10-31T00:45", ["2027-11-01T01:30"]),
    ("Berlin: nine o'clock stays nine o'clock", "Europe/Berlin", "2027-03-27T09:00", "FREQ=DAILY",
     "2027-03-27T00:00", ["2027-03-27T08:00", "2027-03-28T07:00"]),
    ("Berlin: half hours of a missing hour are one instant", "Europe/Berlin", "2027-03-28T01:30", "FREQ=MINUTELY;INTERVAL=30",
     "2027-03-28T00:00", ["2027-03-28T00:30", "2027-03-28T01:00", "2027-03-28T01:30"]),
    ("New York: the hour that comes twice fires once by the hour", "America/New_York", "2027-11-07T00:00", "FREQ=HOURLY",
     "2027-11-07T03:30", ["2027-11-07T04:00", "2027-11-07T05:00", "2027-11-07T07:00"]),
    ("New York: a missing half past two", "America/New_York", "2027-03-13T02:30", "FREQ=DAILY",
     "2027-03-13T08:00", ["2027-03-14T07:00", "2027-03-15T06:30"]),
    ("Lord Howe: the clock goes half an hour forwards", "Australia/Lord_Howe", "2027-10-02T02:15", "FREQ=DAILY",
     "2027-10-01T00:00", ["2027-10-01T15:45", "2027-10-02T15:30", "2027-10-03T15:15"]),
    ("Lord Howe: half an hour comes twice", "Australia/Lord_Howe", "2027-04-03T01:45", "FREQ=DAILY",
     "2027-04-02T00:00", ["2027-04-02T14:45", "2027-04-03T14:45", "2027-04-04T15:15"]),
    ("Santiago: midnight is missing", "America/Santiago", "2027-09-04T00:00", "FREQ=DAILY",
     "2027-09-04T05:00", ["2027-09-05T04:00", "2027-09-06T03:00"]),
    ("Cairo: midnight is missing on a Friday", "Africa/Cairo", "2027-04-29T00:00", "FREQ=DAILY",
     "2027-04-29T00:00", ["2027-04-29T22:00", "2027-04-30T21:00"]),
    ("Kathmandu: a quarter to, and no clock is ever set", "Asia/Kathmandu", "2027-03-28T02:30", "FREQ=DAILY",
     "2027-03-27T00:00", ["2027-03-27T20:45", "2027-03-28T20:45"]),
    ("Apia: a whole day was missing", "Pacific/Apia", "2011-12-29T12:00", "FREQ=DAILY",
     "2011-12-29T00:00", ["2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "start", "rule", "after", "expected"), [c[1:] for c in CLOCKS], ids=[c[0] for c in CLOCKS]
)
def test_it_fires_on_clocks_that_are_set(zone: str, start: str, rule: str, after: str, expected: list[str]) -> None:
    found = timing(start, zone, rule).next_fires(utc(after), zone, len(expected))
    assert [f"{fire.at:%Y-%m-%dT%H:%M}" for fire in found] == expected


def test_it_says_when_the_clock_does_not_show_that_time() -> None:
    found = timing("2027-03-27T02:30", "Europe/Berlin", "FREQ=DAILY").next_fires(utc("2027-03-26"), "Europe/Berlin", 3)
    assert [fire.is_moved("Europe/Berlin") for fire in found] == [False, True, False]


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Pacific/Apia"]
)
def test_asking_after_each_fire_gives_the_same_as_asking_once(zone: str) -> None:
    """The row only remembers the next one."""
    found = timing("2027-01-01T00:00", zone, "FREQ=HOURLY;INTERVAL=3;BYMINUTE=0,30")
    at, step = utc("2027-01-01"), []
    for fire in found.next_fires(at, zone, 3_000):
        step.append(found.next_fire(at, zone))
        at = fire.at
    assert step == found.next_fires(utc("2027-01-01"), zone, 3_000)
    assert all(a.at < b.at for a, b in pairwise(step) if a and b)


def test_exceptions_are_left_out_and_further_dates_join_in_order() -> None:
    found = timing(
        "2027-01-04T09:00", "UTC", "FREQ=DAILY;COUNT=5",
        exdates=("2027-01-05T09:00", "2027-01-07"), rdates=("2027-01-07T10:00", "2027-01-06T12:00", "2027-01-06T09:00"),
    )  # fmt: skip
    walls = [f"{fire.wall:%d %H:%M}" for fire in found.next_fires(utc("2027-01-01"), "UTC", 20)]
    assert walls == ["04 09:00", "06 09:00", "06 12:00", "08 09:00"]


def test_without_a_rule_it_fires_once() -> None:
    once = timing("2027-01-04T09:00", RECIPIENT)
    assert (once.is_recurring, once.is_local) == (False, True)
    assert [fire.at for fire in once.next_fires(utc("2027-01-01"), "Asia/Tokyo", 9)] == [utc("2027-01-04T00:00")]
    assert once.next_fire(utc("2027-01-04T00:00"), "Asia/Tokyo") is None


@pytest.mark.parametrize(
    "text",
    ["", "2027-01-04", "2027-01-04T09:00Z", "2027-01-04T09:00+01:00", "2027-13-04T09:00", "2027-01-04T09:00:00.5"],
)
def test_what_is_no_time_on_a_wall_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        wall_of(text)


NOW = utc("2027-01-10T12:00")


def hourly(*hours_ago: float) -> list[Fire]:
    return [Fire((NOW - timedelta(hours=h)).replace(tzinfo=None), NOW - timedelta(hours=h)) for h in hours_ago]


FOUR = hourly(3, 2, 1, 0)


@pytest.mark.parametrize(
    ("due", "policy", "limit", "expected"),
    [
        (hourly(-1), Missed.ALL, 5, None),
        (FOUR[3:], Missed.SKIP, 1, Verdict(FOUR[3])),
        (FOUR, Missed.SKIP, 1, Verdict(FOUR[3], 3, FOUR[0], FOUR[2])),
        (FOUR[:3], Missed.SKIP, 1, Verdict(None, 3, FOUR[0], FOUR[2])),
        (FOUR, Missed.ONCE, 1, Verdict(FOUR[3], 3, FOUR[0], FOUR[2])),
        (FOUR[:3], Missed.ONCE, 1, Verdict(FOUR[2], 2, FOUR[0], FOUR[1])),
        (FOUR, Missed.ALL, 2, Verdict(FOUR[1], 1, FOUR[0], FOUR[0])),
        (FOUR, Missed.ALL, 9, Verdict(FOUR[0])),
    ],
)  # fmt: skip
def test_missed_fires_follow_the_policy(due: list[Fire], policy: Missed, limit: int, expected: Verdict | None) -> None:
    assert judge([*due, *hourly(-1)], NOW, policy, limit) == expected


def test_what_is_late_by_no_more_than_the_grace_was_not_missed() -> None:
    fire = Fire((NOW - GRACE).replace(tzinfo=None), NOW - GRACE)
    assert judge([fire], NOW, Missed.SKIP, 1) == Verdict(fire)


def test_one_after_which_another_has_come_was_missed_sooner() -> None:
    first, second = hourly(5 / 60, 4 / 60)
    assert judge([first, second], NOW, Missed.SKIP, 1) == Verdict(second, 1, first, first)
    assert judge([first, second], NOW, Missed.ONCE, 1) == Verdict(second, 1, first, first)
    assert judge([first, second], NOW, Missed.ALL, 5) == Verdict(first)
    third = hourly(1 / 60)[0]
    assert judge([third, *hourly(0)], NOW, Missed.SKIP, 1) == Verdict(third)


@pytest.mark.parametrize("policy", list(Missed))
def test_it_counts_no_further_than_it_says(policy: Missed) -> None:
    found = timing("2020-01-01T00:00", "UTC", "FREQ=MINUTELY")
    said = judge(found.fires(utc("2021-01-01"), "UTC"), NOW, policy, 3)
    assert said is not None
    assert (said.fire, said.skipped) == (None, MOST_COUNTED)
    assert said.last is not None and said.last.at == utc("2021-01-01") + timedelta(minutes=MOST_COUNTED)
