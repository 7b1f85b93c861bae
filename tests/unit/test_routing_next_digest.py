"""When the next digest is due: the recipient's own hour, once a day or week, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from apps.core.enums import DigestFrequency as F
from apps.core.types import Choices
from apps.routing.bundling import next_digest

MONDAY, SUNDAY = 0, 6


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(frequency: F, now: str, zone: str, hour: int = 9, weekday: int = MONDAY) -> datetime:
    return next_digest(frequency, Choices(digest_hour=hour, digest_weekday=weekday), zone, at(now))


@pytest.mark.parametrize(
    ("frequency", "now", "zone", "hour", "weekday", "expected"),
    [
        (F.HOURLY, "2026-05-04T10:20:30", "Europe/Berlin", 9, MONDAY, "2026-05-04T11:00:00"),
        (F.HOURLY, "2026-05-04T10:00:00", "Europe/Berlin", 9, MONDAY, "2026-05-04T11:00:00"),
        # the full hour on the wall, where zones are half an hour or a quarter off
        (F.HOURLY, "2026-05-04T10:20:00", "Asia/Kolkata", 9, MONDAY, "2026-05-04T10:30:00"),
        (F.HOURLY, "2026-05-04T10:20:00", "Asia/Kathmandu", 9, MONDAY, "2026-05-04T11:15:00"),
        (F.DAILY, "2026-05-04T06:59:59", "Europe/Berlin", 9, MONDAY, "2026-05-04T07:00:00"),
        (F.DAILY, "2026-05-04T07:00:00", "Europe/Berlin", 9, MONDAY, "2026-05-05T07:00:00"),
        (F.DAILY, "2026-05-04T22:30:00", "America/New_York", 9, MONDAY, "2026-05-05T13:00:00"),
        (F.DAILY, "2026-05-04T13:30:00", "Pacific/Kiritimati", 0, MONDAY, "2026-05-05T10:00:00"),
        # the same hour on the wall before and after the change of 29 March
        (F.DAILY, "2026-03-28T09:00:00", "Europe/Berlin", 9, MONDAY, "2026-03-29T07:00:00"),
        # half past two does not exist in the night of the change: the first instant after the gap
        (F.DAILY, "2026-03-28T12:00:00", "Europe/Berlin", 2, MONDAY, "2026-03-29T01:00:00"),
        (F.DAILY, "2026-03-29T01:00:00", "Europe/Berlin", 2, MONDAY, "2026-03-30T00:00:00"),
        # two o'clock comes twice on 25 October: the first one counts, and only that
        (F.DAILY, "2026-10-24T12:00:00", "Europe/Berlin", 2, MONDAY, "2026-10-25T00:00:00"),
        (F.DAILY, "2026-10-25T00:00:00", "Europe/Berlin", 2, MONDAY, "2026-10-26T01:00:00"),
        (F.DAILY, "2026-10-25T00:30:00", "Europe/Berlin", 2, MONDAY, "2026-10-26T01:00:00"),
        # a day that does not exist: as it would have begun
        (F.DAILY, "2011-12-30T08:00:00", "Pacific/Apia", 9, MONDAY, "2011-12-30T10:00:00"),
        (F.WEEKLY, "2026-05-04T08:00:00", "Europe/Berlin", 9, MONDAY, "2026-05-11T07:00:00"),
        (F.WEEKLY, "2026-05-04T06:00:00", "Europe/Berlin", 9, MONDAY, "2026-05-04T07:00:00"),
        (F.WEEKLY, "2026-03-23T09:00:00", "Europe/Berlin", 9, MONDAY, "2026-03-30T07:00:00"),
        (F.WEEKLY, "2026-10-19T08:00:00", "Europe/Berlin", 9, MONDAY, "2026-10-26T08:00:00"),
        (F.WEEKLY, "2026-03-24T09:00:00", "Europe/Berlin", 2, SUNDAY, "2026-03-29T01:00:00"),
        # the weekday is that of the recipient's calendar
        (F.WEEKLY, "2026-05-03T22:30:00", "Europe/Berlin", 1, MONDAY, "2026-05-03T23:00:00"),
    ],
)
def test_it_is_the_recipients_own_hour(
    frequency: F, now: str, zone: str, hour: int, weekday: int, expected: str
) -> None:
    assert due(frequency, now, zone, hour, weekday) == at(expected)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 23])
def test_a_year_of_days_has_one_digest_each(zone: str, hour: int) -> None:
    now, fired = at("2026-01-01T12:00:00"), []
    while now < at("2027-01-01T12:00:00"):
        now = next_digest(F.DAILY, Choices(digest_hour=hour), zone, now)
        fired.append(now)
    gaps = {later - earlier for earlier, later in pairwise(fired)}
    assert len(fired) in {365, 366}
    assert min(gaps) >= timedelta(hours=22) and max(gaps) <= timedelta(hours=26)
