"""When those have their turn who wait for the winner: at that time of their own day, whatever their clocks are set to."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.campaigns.scheduling import rest_at
from apps.core.locales import timezone_names
from apps.schedules.timing import instant, wall_in

ZONES = st.sampled_from(sorted(timezone_names()))
MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minutes: time(minutes // 60, minutes % 60))
EARLY, LATE = datetime.fromisoformat("2012-01-02"), datetime.fromisoformat("2037-01-01")
WALLS = st.datetimes(EARLY, LATE).map(lambda at: at.replace(second=0, microsecond=0))
MOMENTS = WALLS.map(lambda at: at.replace(tzinfo=UTC))
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("wall", "zone", "after", "found"),
    [
        ("09:00", "Asia/Tokyo", "2027-03-01T17:00", "2027-03-02T00:00"),
        ("09:00", "Asia/Tokyo", "2027-03-01T23:59", "2027-03-02T00:00"),
        ("09:00", "Asia/Tokyo", "2027-03-02T00:00", "2027-03-03T00:00"),
        # the clocks are set forwards in the night between, and back
        ("09:00", "Europe/Berlin", "2027-03-27T12:00", "2027-03-28T07:00"),
        ("09:00", "Europe/Berlin", "2027-10-30T12:00", "2027-10-31T08:00"),
        # half past two does not come on that day, and comes twice on the other
        ("02:30", "Europe/Berlin", "2027-03-27T12:00", "2027-03-28T01:00"),
        ("02:30", "Europe/Berlin", "2027-10-31T00:30", "2027-11-01T01:30"),
        # Samoa had no 30 December
        ("09:00", "Pacific/Apia", "2011-12-29T20:00", "2011-12-30T19:00"),
    ],
)
def test_it_is_the_next_time_on_that_clock(wall: str, zone: str, after: str, found: str) -> None:
    assert rest_at(datetime.fromisoformat(f"2027-03-01T{wall}"), zone, at(after)) == at(found)


@settings(max_examples=400, deadline=None)
@given(ZONES, MINUTES, MOMENTS)
@example("Pacific/Apia", time(9), at("2011-12-29T20:00"))
def test_no_earlier_day_has_that_time_and_the_clock_shows_it(zone: str, wall: time, after: datetime) -> None:
    found = rest_at(datetime.combine(EARLY, wall), zone, after)
    shown = wall_in(found, zone)
    assert after < found <= after + timedelta(hours=49)
    # shown later only where the clock jumps over it, and then on the same day
    gap = shown - datetime.combine(shown.date(), wall)
    assert timedelta(0) <= gap <= timedelta(hours=3)
    if gap:
        assert wall_in(found - timedelta(seconds=1), zone) < datetime.combine(shown.date(), wall)
    day = wall_in(after, zone).date()
    while day < shown.date():
        earlier = instant(datetime.combine(day, wall), zone)
        assert earlier <= after or wall_in(earlier, zone).date() != day
        day += DAY


@settings(max_examples=200, deadline=None)
@given(ZONES, WALLS, st.integers(0, 60 * 24 * 20))
def test_it_is_a_later_day_than_the_one_they_were_tried_on(zone: str, wall: datetime, minutes: int) -> None:
    tried = instant(wall, zone)
    assert wall_in(rest_at(wall, zone, tried + timedelta(minutes=minutes)), zone).date() > wall_in(tried, zone).date()
