"""When a schedule fires: a start, a rule and its exceptions on the wall, read on a clock that is set forwards and back. Pure.

A time that does not come (the clock is set forwards) fires at the first instant after the gap; one that comes twice fires the first time.
What falls onto one instant fires once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

from apps.core.locales import zone as zone_named
from apps.routing.quiet_hours import first_valid
from apps.schedules.recurrence import walls
from apps.schedules.rules import Rule, parse_rule

RECIPIENT = "recipient"
MOST_DATES = 500


class Fire(NamedTuple):
    """`wall`: as the rule says it; `at`: the instant on that clock."""

    wall: datetime
    at: datetime

    def is_moved(self, zone: str) -> bool:
        """Whether the clock does not show that time on that day."""
        return self.at.astimezone(zone_named(zone)).replace(tzinfo=None) != self.wall


@dataclass(frozen=True, slots=True)
class Timing:
    """`start`, `rdates` and `exdates` are on the wall; `exdays` are left out as a whole. `zone`: an IANA name, or RECIPIENT."""

    start: datetime
    zone: str
    rule: Rule | None = None
    exdates: frozenset[datetime] = frozenset()
    exdays: frozenset[date] = frozenset()
    rdates: tuple[datetime, ...] = ()

    @classmethod
    def read(cls, *, start: str, zone: str, rule: str, exdates: list[str], rdates: list[str]) -> "Timing":
        """From what is stored or was sent. Raises RuleError, and ValueError for what is no time."""
        began = wall_of(start)
        place = None if zone == RECIPIENT else zone_named(zone)
        return cls(
            start=began,
            zone=zone,
            rule=parse_rule(rule, began, place) if rule else None,
            exdates=frozenset(wall_of(text) for text in exdates if len(text) > 10),
            exdays=frozenset(date.fromisoformat(text) for text in exdates if len(text) == 10),
            rdates=tuple(sorted({wall_of(text) for text in rdates})),
        )

    @property
    def is_recurring(self) -> bool:
        return self.rule is not None or bool(self.rdates)

    @property
    def is_local(self) -> bool:
        """Whether every recipient has a clock of their own."""
        return self.zone == RECIPIENT

    def walls(self, after: datetime | None = None) -> Iterator[datetime]:
        """Strictly increasing, exceptions left out."""
        by_rule = walls(self.rule, self.start, after) if self.rule else iter([self.start])
        last = after
        for wall in merge(by_rule, self.rdates):
            if (last is None or wall > last) and wall not in self.exdates and wall.date() not in self.exdays:
                last = wall
                yield wall

    def fires(self, after: datetime, zone: str) -> Iterator[Fire]:
        """Those whose instant is later than `after`, on the clock of `zone`."""
        place, last = zone_named(zone), after
        for wall in self.walls(after.astimezone(place).replace(tzinfo=None)):
            at = first_valid(wall, place)
            if at > last:
                last = at
                yield Fire(wall, at)

    def next_fire(self, after: datetime, zone: str) -> Fire | None:
        return next(self.fires(after, zone), None)

    def next_fires(self, after: datetime, zone: str, count: int) -> list[Fire]:
        return list(islice(self.fires(after, zone), count))

    def never_fires(self) -> bool:
        """Whether there is no time at all, past ones included."""
        return next(self.walls(), None) is None


def wall_of(text: str) -> datetime:
    """`2027-01-04T09:00` or with seconds: a time on the wall. Raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is not None or len(text) < 16 or found.microsecond:
        raise ValueError("A time on the wall is like 2027-01-04T09:00, without a zone.")
    return found


def wall_in(at: datetime, zone: str) -> datetime:
    return at.astimezone(zone_named(zone)).replace(tzinfo=None)


def shown(wall: datetime) -> str:
    return wall.isoformat(timespec="seconds")


def instant(wall: datetime, zone: str) -> datetime:
    return first_valid(wall, zone_named(zone))
