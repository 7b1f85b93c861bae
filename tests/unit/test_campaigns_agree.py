"""How long it takes, and what changed, in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.campaigns.capacity import Finish, Pace, finish_of
from apps.campaigns.changes import Change, changes_between

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SLOW = Pace("sms", 6_000, 10.0, "the rates of acme-sms")


def finish(people: int = 57_912, *paces: Pace, **more: Any) -> Finish:
    return finish_of(people=people, paces=paces, starts_at=NOON, **more)


def test_the_slowest_sets_the_pace() -> None:
    assert finish(20_000).ends_at == NOON + timedelta(seconds=2)
    throttled = finish(throttle=600)
    assert throttled.ends_at == NOON + timedelta(seconds=5_792)
    assert throttled.sentence == (
        "About 1 h 37 min from the first message to the last; the throttle of 600 people a minute set the pace."
    )
    by_account = finish(6_000, SLOW, throttle=600)
    assert by_account.ends_at == NOON + timedelta(minutes=10)
    assert "the rates of acme-sms set the pace" in by_account.sentence


def test_ramps_tests_and_clocks_wait() -> None:
    assert finish(60, throttle=60, ramp=(1, 10, 100), ramp_minutes=60).ends_at == NOON + timedelta(hours=2, minutes=1)
    assert finish(60, throttle=60, test={"wait_minutes": 30}).ends_at == NOON + timedelta(minutes=31)
    last = NOON + timedelta(hours=26)
    assert finish(60, throttle=60, last_wave=last).ends_at == last
    assert finish(60 * 60 * 27, throttle=60, last_wave=last).ends_at == NOON + timedelta(hours=27)


def test_it_warns_when_the_expiry_comes_first() -> None:
    assert finish(600, throttle=10, expires_after=timedelta(hours=1)).warning == ""
    assert finish(1_200, throttle=10, expires_after=timedelta(minutes=30)).warning == (
        "It expires after 30 min, and takes about 2 h: only about 25 % of the people would get it."
    )


@pytest.mark.parametrize("people", [0, 1])
def test_nobody_takes_no_time(people: int) -> None:
    assert finish(people, Pace("sms", people, 10.0, "x"), throttle=60).ends_at <= NOON + timedelta(seconds=1)


BEFORE = {
    "name": "Spring",
    "audience": {"include": {"segment": "pro"}, "exclude": None},
    "channels": ["email"],
    "is_frozen": False,
    "throttle": 0,
    "schedule": {"kind": "now"},
    "expires_after_minutes": None,
    "budget": {},
    "variants": [{"name": "A", "template_key": "spring", "version": 3, "weight": 1}],
}


def test_every_field_is_said_in_words() -> None:
    after = {
        **BEFORE,
        "audience": {"include": {"segment": "churned"}, "exclude": None},
        "channels": ["email", "in_app"],
        "is_frozen": True,
        "throttle": 6_000,
        "schedule": {"kind": "at", "start": "2027-03-04T09:00", "zone": "recipient"},
        "expires_after_minutes": 90,
        "budget": {"total": 5_000_000, "sms": 70_000},
        "variants": [
            {"name": "A", "template_key": "spring", "version": 4, "weight": 1},
            {"name": "B", "template_key": "", "version": None, "weight": 3},
        ],
    }
    found = {
        change.label: (change.before, change.after)
        for change in changes_between(BEFORE, after, names={"pro": "Pro users"})
    }
    assert found["Audience"] == ("Pro users", "churned")
    assert found["The audience is taken"] == ("as of when it fires", "as of the launch")
    assert found["Channels"] == ("email", "email, in app")
    assert found["Speed"] == ("as fast as it goes", "6,000 people a minute")
    assert found["When"][0] == "As soon as it is launched"
    assert "09:00" in found["When"][1]
    assert found["Expires"] == ("nothing", "after 1 h 30 min")
    assert found["Budget"] == ("nothing", "in all: 5.00 EUR; sms a day: 0.07 EUR")
    assert found["Content"] == (
        "A: spring, version 3",
        "A: spring, version 4, weight 1; B: nothing, not published, weight 3",
    )
    assert list(found)[:2] == ["Audience", "The audience is taken"]


def test_a_try_out_is_said_in_words() -> None:
    test = {"share": 20.0, "metric": "clicked", "wait_minutes": 240, "rule": "automatic"}
    said = [
        changes_between({"test": {}}, {"test": {**test, **more}})[0].after
        for more in ({}, {"undecided": "first"}, {"rule": "by_hand"})
    ]
    assert said == [
        "on 20 % first, by clicked, for 4 h; if none is clearly better, it waits until somebody chooses",
        "on 20 % first, by clicked, for 4 h; if none is clearly better, the rest gets the first",
        "on 20 % first, by clicked, for 4 h; somebody chooses",
    ]


def test_what_is_the_same_is_not_said() -> None:
    assert changes_between(BEFORE, dict(BEFORE)) == ()
    assert changes_between({**BEFORE, "new_field": 1}, BEFORE) == (Change("new_field", "New field", "1", "nothing"),)


def test_long_values_are_cut() -> None:
    (change,) = changes_between({}, {"data": {"text": "x" * 1_000}})
    assert len(change.after) == 300
    assert change.after.endswith("…")
