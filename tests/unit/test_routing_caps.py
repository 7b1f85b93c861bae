"""Which caps speak of a message, and since when they count."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.core.enums import CapPeriod, Category, Channel
from apps.core.types import Cap
from apps.routing.caps import begins, counting, label, labels_around, longest
from apps.routing.chains import goes_on
from apps.routing.decisions import Skip


def cap(period: CapPeriod = CapPeriod.DAY, **fields: object) -> Cap:
    window = timedelta(hours=2) if period == CapPeriod.ROLLING else timedelta(0)
    return Cap(UUID(int=1), "cap", 5, period, window, **fields)  # type: ignore[arg-type]


SPEAKS = [
    (cap(), Channel.PUSH, True),
    (cap(), Channel.IN_APP, False),
    (cap(channel="in_app"), Channel.IN_APP, True),
    (cap(channel="email"), Channel.PUSH, False),
    (cap(topic="post.*"), Channel.PUSH, True),
    (cap(topic="post.liked"), Channel.PUSH, True),
    (cap(topic="category:social"), Channel.SMS, True),
    (cap(topic="category:marketing"), Channel.SMS, False),
]


@pytest.mark.parametrize(("limit", "channel", "speaks"), SPEAKS)
def test_a_cap_speaks_of_its_topic_and_channel(limit: Cap, channel: Channel, speaks: bool) -> None:
    assert counting((limit,), "post.liked", Category.SOCIAL, channel) == ((limit,) if speaks else ())
    assert counting((limit,), "post.liked", Category.CRITICAL, channel) == ()


PERIODS = [
    ("the last two hours", CapPeriod.ROLLING, "Europe/Berlin", "2026-11-20T12:00+01:00", "2026-11-20T10:00+01:00", ""),
    ("a day", CapPeriod.DAY, "Asia/Kathmandu", "2026-11-20T00:10+05:45", "2026-11-20T00:00+05:45", "2026-11-20"),
    ("a day of 25 hours", CapPeriod.DAY, "Europe/Berlin", "2026-10-25T23:00+01:00", "2026-10-25T00:00+02:00", "2026-10-25"),
    ("a day without midnight", CapPeriod.DAY, "Africa/Cairo", "2027-04-30T09:00+03:00", "2027-04-30T01:00+03:00", "2027-04-30"),
    ("a week begins on Monday", CapPeriod.WEEK, "Europe/Berlin", "2026-11-22T23:59+01:00", "2026-11-16T00:00+01:00", "2026-11-16"),
    ("and on that very day", CapPeriod.WEEK, "Europe/Berlin", "2026-11-23T00:00+01:00", "2026-11-23T00:00+01:00", "2026-11-23"),
    ("a week over the change", CapPeriod.WEEK, "Europe/Berlin", "2027-04-01T12:00+02:00", "2027-03-29T00:00+02:00", "2027-03-29"),
]  # fmt: skip


@pytest.mark.parametrize(("_name", "period", "zone", "now", "since", "named"), PERIODS, ids=[row[0] for row in PERIODS])
def test_it_counts_since_the_recipients_own_midnight(
    _name: str, period: CapPeriod, zone: str, now: str, since: str, named: str
) -> None:
    moment = datetime.fromisoformat(now)
    assert begins(cap(period), zone, moment) == datetime.fromisoformat(since)
    assert label(cap(period), zone, moment) == named
    assert named in labels_around(cap(period), moment)
    assert moment - begins(cap(period), zone, moment) <= longest(cap(period))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_a_place_is_found_again_wherever_the_recipient_is(zone: str) -> None:
    for hour in range(48):
        taken = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=hour)
        for limit in (cap(), cap(CapPeriod.WEEK)):
            assert label(limit, zone, taken) in labels_around(limit, taken + timedelta(hours=24))


def test_a_cap_ends_a_chain() -> None:
    from apps.core.enums import Reason

    assert not goes_on(Skip(Reason.FREQUENCY_CAP)) and goes_on(Skip(Reason.NO_ENDPOINT))
