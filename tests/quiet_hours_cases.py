"""Quiet hours against the clock on the wall, read minute by minute: for the quick test and for the long one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from zoneinfo import ZoneInfo, available_timezones

from apps.core.types import QuietHours
from apps.routing.quiet_hours import DAY, leaves_no_gap, open_from

BEGIN, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
# what people choose, and what is awkward
RANGES = (
    (22 * 60, 8 * 60),
    (0, 0),
    (23 * 60 + 30, 30),
    (60, 180),
    (150, 150),
    (120, 121),
    (0, DAY - 1),
    (22 * 60, 0),
    (1, 0),
)


@dataclass(frozen=True)
class Given:
    zone: str
    quiet: tuple[QuietHours, ...]
    now: datetime


def covers(given: Given, at: datetime) -> bool:
    wall = at.astimezone(ZoneInfo(given.zone))
    minute = wall.hour * 60 + wall.minute
    return any(
        q.start <= minute < q.end if q.start < q.end else q.end < q.start and not q.end <= minute < q.start
        for q in given.quiet
    )


def cases(count: int, seed: int) -> Iterator[Given]:
    """Every zone in turn; half of them around a moment at which its clock is set, where it is."""
    chance = Random(seed)
    turns = {name: clock_changes(name) for name in ZONES}
    for number in range(count):
        name = ZONES[number % len(ZONES)]
        if turns[name] and chance.random() < 0.5:
            now = chance.choice(turns[name]) + timedelta(seconds=chance.uniform(-2 * 86_400, 7_200))
        else:
            now = BEGIN + (END - BEGIN) * chance.random()
        now = now.replace(second=0, microsecond=0) if chance.random() < 0.3 else now
        yield Given(name, tuple(_range(chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))), now)


def _range(chance: Random) -> QuietHours:
    return (
        QuietHours(*chance.choice(RANGES))
        if chance.random() < 0.5
        else QuietHours(chance.randrange(DAY), chance.randrange(DAY))
    )


@cache
def clock_changes(name: str) -> list[datetime]:
    """To the day."""
    place, found, at = ZoneInfo(name), [], BEGIN
    while at < END:
        after = at + timedelta(days=1)
        if at.astimezone(place).utcoffset() != after.astimezone(place).utcoffset():
            found.append(after)
        at = after
    return found


def violation(given: Given, chance: Random, *, is_scanned: bool) -> str:
    """What is wrong with the answer; empty when nothing is. `is_scanned`: every minute before it is looked at, not some of them."""
    found = open_from(given.quiet, given.zone, given.now)
    if leaves_no_gap(given.quiet):
        return "" if found == given.now else "ranges without a gap bind nobody"
    if found < given.now:
        return "it lies in the past"
    if covers(given, found):
        return "it lies in quiet hours"
    if found == given.now:
        return ""
    minutes = int((found - given.now) / MINUTE)
    steps = range(minutes) if is_scanned else [0, minutes] + [chance.randint(0, minutes) for _ in range(4)]
    whole = given.now.replace(second=0, microsecond=0)
    before = [given.now, found - timedelta(seconds=1)]
    before += [at for n in steps if given.now <= (at := whole + MINUTE * n) < found]
    return "" if all(covers(given, at) for at in before) else "an earlier moment is open"
