"""When a recipient is not to be disturbed, on the recipient's own clock. Pure."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apps.core.enums import Category, Channel
from apps.core.types import QuietHours
from apps.routing.decisions import Because
from apps.routing.facts import Case

DISTURBING = (Channel.PUSH, Channel.EMAIL, Channel.SMS)
_DAY = 24 * 60


def binding(case: Case) -> tuple[QuietHours, ...]:
    """The recipient's own, else the tenant's for the country; the locked ones in any case."""
    own = case.person.choices.quiet_hours
    tenants = [q for q in case.rules.quiet_hours if q.country in ("", case.person.country)]
    found = [q for q in tenants if q.is_locked] + list(own) if own is not None else tenants
    return tuple(q for q in found if _binds(q, case.wish.category, case.channel))


def open_from(quiet: tuple[QuietHours, ...], zone: str, now: datetime) -> datetime:
    """The first instant at or after `now` that none of them covers. `now` itself: it is open. Ranges that leave no gap for a week bind
    nobody."""
    place = ZoneInfo(zone)
    at = now
    limit = now + timedelta(days=7)
    while at < limit:
        ends = [end for q in quiet if (end := _end(q, place, at)) is not None]
        if not ends:
            return at
        at = max(ends)
    return now


def because(quiet: tuple[QuietHours, ...], zone: str, until: datetime) -> Because:
    ranges = [f"{q.start // 60:02}:{q.start % 60:02}-{q.end // 60:02}:{q.end % 60:02}" for q in quiet]
    return {"quiet_hours": ranges, "zone": zone, "until": until}


def _binds(quiet: QuietHours, category: Category, channel: Channel) -> bool:
    categories = quiet.categories or tuple(c for c in Category if c != Category.CRITICAL)
    return channel in (quiet.channels or DISTURBING) and category in categories


def _end(quiet: QuietHours, place: ZoneInfo, at: datetime) -> datetime | None:
    """When the range that covers `at` ends; None: it does not cover it. The clock on the wall decides: an hour that comes twice is
    quiet twice, one that does not exist ends at the first instant after it."""
    wall = at.astimezone(place)
    minute = wall.hour * 60 + wall.minute
    length = (quiet.end - quiet.start) % _DAY
    if not length or (minute - quiet.start) % _DAY >= length:
        return None
    day = wall.date() + timedelta(days=int(quiet.end <= minute))
    end = datetime(day.year, day.month, day.day, quiet.end // 60, quiet.end % 60, tzinfo=place)
    return max(first_valid(end, place), at + timedelta(seconds=1))


def first_valid(wall: datetime, place: ZoneInfo) -> datetime:
    """Of a time on the wall: the instant it comes first; where it does not come, the first one after the gap."""
    utc = wall.replace(fold=0).astimezone(ZoneInfo("UTC"))
    back = utc.astimezone(place)
    if back.replace(tzinfo=None) == wall.replace(tzinfo=None):
        return utc
    before, after = wall.replace(fold=0).utcoffset(), wall.replace(fold=1).utcoffset()
    assert before is not None and after is not None
    low, high = utc - abs(after - before) - timedelta(hours=1), utc + timedelta(hours=1)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (
            (middle, high)
            if middle.astimezone(place).utcoffset() == low.astimezone(place).utcoffset()
            else (low, middle)
        )
    return high.replace(microsecond=0)
