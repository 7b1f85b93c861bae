"""Which frequency caps a message counts under, and since when. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from apps.core.enums import CapPeriod, Category, Channel
from apps.core.locales import zone as zone_named
from apps.core.types import Cap
from apps.preferences.topics import ANY, speaks_of
from apps.routing.quiet_hours import DISTURBING, first_valid


def counting(caps: Iterable[Cap], event_type: str, category: Category, channel: Channel) -> tuple[Cap, ...]:
    """Critical counts under none; `*` is what disturbs: push, email and SMS together. The feed counts where a cap names it."""
    if category == Category.CRITICAL:
        return ()
    return tuple(
        cap
        for cap in caps
        if (cap.channel != ANY or channel in DISTURBING) and speaks_of(cap, event_type, category, channel)
    )


def begins(cap: Cap, zone: str, now: datetime) -> datetime:
    """Since when is counted: calendar days and weeks (from Monday) are the recipient's own."""
    if cap.period == CapPeriod.ROLLING:
        return now - cap.window
    day = _first_day(cap, zone, now)
    return first_valid(day, zone_named(zone))


def label(cap: Cap, zone: str, now: datetime) -> str:
    """What tells one period of a cap from the next; empty for a rolling one."""
    return "" if cap.period == CapPeriod.ROLLING else _first_day(cap, zone, now).date().isoformat()


def labels_around(cap: Cap, now: datetime) -> tuple[str, ...]:
    """Those that may have been current within the last day, wherever the recipient is."""
    days = (now + timedelta(days=shift) for shift in (-2, -1, 0, 1))
    return tuple(dict.fromkeys(label(cap, "UTC", day) for day in days))


def longest(cap: Cap) -> timedelta:
    """What is counted may be forgotten after that, however long the days and wherever the recipient goes."""
    return {
        CapPeriod.ROLLING: cap.window,
        CapPeriod.DAY: timedelta(days=2, hours=2),
        CapPeriod.WEEK: timedelta(days=8, hours=2),
    }[cap.period]


def _first_day(cap: Cap, zone: str, now: datetime) -> datetime:
    wall = now.astimezone(zone_named(zone))
    back = wall.weekday() if cap.period == CapPeriod.WEEK else 0
    return (wall.replace(tzinfo=None) - timedelta(days=back)).replace(
        hour=0, minute=0, second=0, microsecond=0, fold=0, tzinfo=zone_named(zone)
    )
