"""When a recipient is not to be disturbed, on the recipient's own clock. Pure.

The clock on the wall decides, minute by minute: an hour that comes twice is quiet twice, one that does not come is left out.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apps.core.enums import Category, Channel, Reason
from apps.core.locales import zone as zone_named
from apps.core.types import QuietHours
from apps.routing.decisions import Because, Hold
from apps.routing.facts import Case

DISTURBING = frozenset({Channel.PUSH, Channel.EMAIL, Channel.SMS})
DAY = 24 * 60
# a clock is set twice a year or, for a month of fasting, four times; more turns than this are no clock
_MOST_TURNS = 50
_SPREAD = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(days=2)


def binding(case: Case) -> tuple[QuietHours, ...]:
    """The recipient's own, else the tenant's for the country; the locked ones in any case. Nearly always none, so that is quick."""
    own, rules = case.person.choices.quiet_hours, case.rules.quiet_hours
    if not own and not rules:
        return ()
    country = case.person.country
    found = [q for q in rules if (own is None or q.is_locked) and q.country in ("", country)]
    if own:
        found += own
    return tuple([q for q in found if _binds(q, case.wish.category, case.channel)])


def _binds(quiet: QuietHours, category: Category, channel: Channel) -> bool:
    is_meant = category in quiet.categories or not quiet.categories
    return is_meant and channel in (quiet.channels or DISTURBING)


def open_from(quiet: tuple[QuietHours, ...], zone: str, now: datetime) -> datetime:
    """The first instant at or after `now` that none of them covers. `now` itself: it is open. Ranges that together leave no gap bind
    nobody."""
    if not _minutes_until_open(quiet, _minute(zone, now)) or leaves_no_gap(quiet):
        return now
    place, at = zone_named(zone), now
    for _ in range(_MOST_TURNS):
        wall = at.astimezone(place)
        waits = _minutes_until_open(quiet, wall.hour * 60 + wall.minute)
        if not waits:
            return at
        then = at + timedelta(minutes=waits, seconds=-wall.second, microseconds=-wall.microsecond)
        if then.astimezone(place).utcoffset() == wall.utcoffset():
            return then
        # the clock is set meanwhile: nothing of what was counted holds after that moment, which may itself be open
        at = _clock_is_set(place, at, then)
    return now


@lru_cache(maxsize=1_024)
def _minute(zone: str, now: datetime) -> int:
    """Of the day. A whole batch is judged at one moment, in a handful of zones."""
    wall = now.astimezone(zone_named(zone))
    return wall.hour * 60 + wall.minute


def leaves_no_gap(quiet: tuple[QuietHours, ...]) -> bool:
    """Whether every minute of a day is in one of them."""
    if sum([(q.end - q.start) % DAY for q in quiet]) < DAY:
        return False
    return _minutes_until_open(quiet, 0) >= DAY


def in_turn(hold: Hold, asked_at: datetime) -> datetime:
    """When one of those that wait for the same moment is due: within a second of it, in the order in which they were asked for."""
    if hold.reason != Reason.QUIET_HOURS:
        return hold.until
    waited = min(max(hold.until - asked_at, timedelta(0)), _LONGEST_WAIT)
    return hold.until + _SPREAD * (1 - waited / _LONGEST_WAIT)


def because(quiet: tuple[QuietHours, ...], zone: str, until: datetime) -> Because:
    ranges = [f"{q.start // 60:02}:{q.start % 60:02}-{q.end // 60:02}:{q.end % 60:02}" for q in quiet]
    return {"quiet_hours": ranges, "zone": zone_named(zone).key, "until": until}


def first_valid(wall: datetime, place: ZoneInfo) -> datetime:
    """Of a time on the wall: the instant it comes first; where it does not come, the first one after the gap."""
    first = wall.replace(fold=0, tzinfo=place).astimezone(UTC)
    if first.astimezone(place).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return first
    # read with the offset from before the gap, it lies after the moment at which the clock was set
    return _clock_is_set(place, first - timedelta(days=1), first)


def _minutes_until_open(quiet: tuple[QuietHours, ...], minute: int) -> int:
    """As long as nobody sets the clock; a whole day or more where they leave no gap."""
    waits = 0
    while waits < DAY:
        at = minute + waits
        more = max([_left(q, at) for q in quiet], default=0)
        if not more:
            return waits
        waits += more
    return waits


def _left(quiet: QuietHours, minute: int) -> int:
    """Minutes until the range ends; 0: it does not cover that minute of the day."""
    return max(0, (quiet.end - quiet.start) % DAY - (minute - quiet.start) % DAY)


def _clock_is_set(place: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first whole second with the offset that holds `after`; at `before` another one does."""
    low, high = int(before.timestamp()), -int(-after.timestamp() // 1)
    new = after.astimezone(place).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, place).utcoffset() == new:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
