"""What marketers read of schedules, waves, throttles, ramps and audiences."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.campaigns import schedule_words as words
from apps.campaigns.audience_words import audience_words, named_in

NOW = datetime(2027, 1, 3, 12, tzinfo=UTC)
NINE = "2027-01-04T09:00"


def recurring(rule: str, zone: str = "Europe/Berlin") -> dict[str, Any]:
    return {"kind": "recurring", "start": NINE, "zone": zone, "rule": rule}


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({}, "As soon as it is launched"),
        ({"kind": "at", "start": NINE, "zone": "Europe/Berlin"}, "Mon 4 Jan 2027, 09:00 Europe/Berlin"),
        ({"kind": "at", "start": NINE, "zone": "recipient"}, "Mon 4 Jan 2027, 09:00 on everybody's own clock"),
        (
            recurring("FREQ=WEEKLY;BYDAY=MO,FR"),
            "every week on Mon and Fri at 09:00 Europe/Berlin, from Mon 4 Jan 2027 on",
        ),
        (
            recurring("FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR;COUNT=6"),
            "every 2 months on the last Fri at 09:00 Europe/Berlin, 6 times, from Mon 4 Jan 2027 on",
        ),
        (
            recurring("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=-1;UNTIL=20301231"),
            "every year in Mar on the last day at 09:00 Europe/Berlin, until Tue 31 Dec 2030, from Mon 4 Jan 2027 on",
        ),
    ],
)
def test_it_says_when(schedule: dict[str, Any], said: str) -> None:
    assert words.when(schedule) == said


def test_it_lists_the_next_times() -> None:
    found = words.coming(recurring("FREQ=WEEKLY;BYDAY=MO,FR"), NOW, 3)
    assert [at.isoformat() for at in found] == [
        "2027-01-04T08:00:00+00:00",
        "2027-01-08T08:00:00+00:00",
        "2027-01-11T08:00:00+00:00",
    ]
    assert words.coming({"kind": "at", "start": "2026-01-04T09:00", "zone": "UTC"}, NOW) == []
    assert words.coming({"kind": "now"}, NOW) == []


class TestWaves:
    LOCAL = {"kind": "at", "start": NINE, "zone": "recipient", "past": "skip"}
    ZONES = {"Pacific/Auckland": 5, "Europe/Berlin": 10, "Europe/Paris": 4, "": 2, "America/New_York": 7}

    def test_they_are_listed_by_instant_with_their_people(self) -> None:
        table = words.wave_table(self.LOCAL, self.ZONES, "Europe/Berlin", NOW)
        assert table is not None
        assert table.sentence == ("UTC+13 first at Sun 3 Jan, 20:00 UTC, UTC-5 last at Mon 4 Jan, 14:00 UTC; 3 waves.")
        assert [(row.offsets, row.zones, row.people, row.note) for row in table.rows] == [
            ("UTC+13", "Pacific/Auckland", 5, ""),
            ("UTC+1", "Europe/Berlin, Europe/Paris", 16, ""),
            ("UTC-5", "America/New_York", 7, ""),
        ]

    def test_those_who_try_variants_come_first_and_the_others_after_the_winner(self) -> None:
        table = words.wave_table(self.LOCAL, self.ZONES, "Europe/Berlin", NOW, {"share": 40, "wait_minutes": 240})
        assert table is not None
        assert [row.people for row in table.rows] == [2, 6, 3]
        assert table.rest == (
            "They try the variants. The other 17: at 09:00 of each one's own day, after the winner is known;"
            " that is not before Mon 4 Jan, 18:00 UTC."
        )
        assert table.last_at == datetime(2027, 1, 5, 14, tzinfo=UTC)
        slow = words.wave_table(self.LOCAL, self.ZONES, "Europe/Berlin", NOW, {"share": 40, "wait_minutes": 420})
        assert slow is not None
        assert slow.last_at == datetime(2027, 1, 5, 20, tzinfo=UTC), "in Auckland it is nine again before it is known"

    def test_who_gets_nothing_tries_nothing(self) -> None:
        now = datetime(2027, 1, 4, 7, tzinfo=UTC)
        test = {"share": 40, "wait_minutes": 60}
        table = words.wave_table(self.LOCAL, self.ZONES, "Europe/Berlin", now, test)
        assert table is not None
        assert [row.people for row in table.rows] == [5, 6, 3]
        assert "The other 14:" in table.rest
        alone = words.wave_table(self.LOCAL, {"Pacific/Auckland": 5}, "UTC", now, test)
        assert alone is not None
        assert (alone.rest, alone.last_at) == ("", now)

    @pytest.mark.parametrize(
        ("past", "at", "note"),
        [
            ("send", "2027-01-04T07:00:00+00:00", "The time is over there: sent at once."),
            ("next_day", "2027-01-04T20:00:00+00:00", "The time is over there: sent a day later."),
            ("skip", "2027-01-04T07:00:00+00:00", "The time is over there: they get nothing."),
        ],
    )
    def test_it_says_what_becomes_of_those_whose_time_was_over(self, past: str, at: str, note: str) -> None:
        now = datetime(2027, 1, 4, 7, tzinfo=UTC)
        table = words.wave_table({**self.LOCAL, "past": past}, self.ZONES, "UTC", now)
        assert table is not None
        (late,) = [row for row in table.rows if row.note]
        assert (late.at.isoformat(), late.zones, late.people, late.note) == (at, "Pacific/Auckland", 5, note)
        assert ("5 people get nothing" in table.sentence) == (past == "skip")

    def test_there_are_none_on_one_clock_for_all(self) -> None:
        assert words.wave_table({"kind": "at", "start": NINE, "zone": "UTC"}, self.ZONES, "UTC", NOW) is None

    def test_nobody_is_said(self) -> None:
        assert words.wave_table(self.LOCAL, {}, "UTC", NOW) == words.WaveTable("Nobody is in the audience yet.", ())

    def test_many_clocks_of_one_instant_are_one_row(self) -> None:
        zones = dict.fromkeys(["Europe/Berlin", "Europe/Paris", "Europe/Rome", "Europe/Madrid", "Africa/Algiers"], 1)
        table = words.wave_table(self.LOCAL, zones, "UTC", NOW)
        assert table is not None
        assert table.sentence == "One wave: UTC+1 at Mon 4 Jan, 08:00 UTC."
        assert table.rows[0].zones == "Africa/Algiers, Europe/Berlin, Europe/Madrid and 2 more"


@pytest.mark.parametrize(
    ("people", "rate", "said"),
    [
        (57_912, 600, "57,912 at 600/min = 1 h 37 min"),
        (600, 600, "600 at 600/min = 1 min"),
        (601, 600, "601 at 600/min = 2 min"),
        (10_000_000, 600, "10,000,000 at 600/min = 11 d 13 h"),
        (5, 0, ""),
        (0, 600, ""),
    ],
)
def test_a_throttle_comes_with_how_long_it_takes(people: int, rate: int, said: str) -> None:
    assert words.lasting(people, rate) == said


@pytest.mark.parametrize(
    ("minutes", "said"), [(0, "UTC"), (60, "UTC+1"), (-210, "UTC-3:30"), (345, "UTC+5:45"), (840, "UTC+14")]
)
def test_offsets(minutes: int, said: str) -> None:
    assert words.offset(timedelta(minutes=minutes)) == said


def test_a_ramp_in_words() -> None:
    assert words.ramp_words([0.1, 1, 100], 90) == "0.1 % at once, 1 % after 1 h 30 min, everybody after 3 h"
    assert words.ramp_words([], 60) == ""


@pytest.mark.parametrize(
    ("audience", "said"),
    [
        ({}, ""),
        ({"include": {"everyone": True}, "exclude": None}, "everybody"),
        ({"include": {"segment": "vip"}, "exclude": {"list": "staff"}}, "Very important, without Staff"),
        ({"include": {"any": [{"segment": "vip"}, {"users": ["a", "b"]}]}}, "Very important or 2 by id"),
        (
            {
                "include": {
                    "all": [{"field": "attributes.plan", "op": "is", "value": "pro"}, {"none": [{"list": "staff"}]}]
                }
            },
            "attributes.plan is pro and not (Staff)",
        ),
        (
            {
                "include": {
                    "any": [
                        {"segment": "gone"},
                        {"all": [{"everyone": True}, {"field": "age", "op": "gt", "value": 3}]},
                    ]
                }
            },
            "gone or (everybody and age gt 3)",
        ),
    ],
)
def test_an_audience_in_words(audience: dict[str, Any], said: str) -> None:
    assert audience_words(audience, {"vip": "Very important", "staff": "Staff"}) == said


def test_the_segments_of_an_audience_are_found_at_any_depth() -> None:
    audience = {"include": {"all": [{"segment": "a"}, {"none": [{"list": "b"}]}]}, "exclude": {"segment": "c"}}
    assert named_in(audience) == {"a", "b", "c"}
