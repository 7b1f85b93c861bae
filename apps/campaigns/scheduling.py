"""When a campaign fires, and in which waves. Pure; a campaign's times are a schedule's (apps/schedules/timing).

Where everybody gets it on their own clock, a run begins when the time comes in the first zone on earth, and each zone is a wave of it.
Where variants are tried first, that wave is for those who try them; the rest of a zone has its time on a day after the winner is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from apps.schedules.timing import Timing, instant, shown, wall_in, wall_of

FIRST_ZONE = "Pacific/Kiritimati"
"""UTC+14 all year round."""
NOW = "now"
SWEEP_AFTER = timedelta(minutes=1)
ROUND_WITH_TEST = timedelta(hours=26 + 25 + 1)
"""From the first zone's time to the last one's, and to the last one's of a day after: what a run with a test takes besides the waiting."""


class Past(Enum):
    """What becomes of those on whose clock the time was over at the launch."""

    SEND = "send"
    NEXT_DAY = "next_day"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Plan:
    """`timing` None: at once."""

    timing: Timing | None
    past: Past

    @property
    def is_local(self) -> bool:
        return self.timing is not None and self.timing.is_local

    @property
    def is_recurring(self) -> bool:
        return self.timing is not None and self.timing.is_recurring


@dataclass(frozen=True, slots=True)
class Occurrence:
    """`name`: the time on the wall, or `now`: a campaign runs once for each. `at`: when the run begins."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ZoneWave:
    """`is_late`: the time was over there. `is_skipped`: its people are not to get it."""

    zone: str
    at: datetime
    people: int
    is_late: bool = False
    is_skipped: bool = False


def plan_of(schedule: Mapping[str, Any]) -> Plan:
    """`schedule` as a campaign has it. Raises RuleError, and ValueError for what is no time."""
    past = Past(schedule.get("past", "send"))
    kind = schedule.get("kind", NOW)
    if kind == NOW:
        return Plan(None, past)
    rule = schedule.get("rule", "") if kind == "recurring" else ""
    exdates = list(schedule.get("exdates", [])) if rule else []
    zone = schedule.get("zone") or "UTC"
    return Plan(Timing.read(start=schedule["start"], zone=zone, rule=rule, exdates=exdates, rdates=[]), past)


def next_occurrence(plan: Plan, after: datetime) -> Occurrence | None:
    """The first that begins later than `after`. Of a local one that is under way in some zones the rest still counts as now, if it is the
    only one: who launches at noon for nine o'clock means those who have not had it."""
    timing = plan.timing
    if timing is None:
        return Occurrence(NOW, after)
    zone = FIRST_ZONE if timing.is_local else timing.zone
    fire = timing.next_fire(after, zone)
    if fire is not None:
        return Occurrence(shown(fire.wall), fire.at)
    if timing.is_local and not timing.is_recurring and after < last_instant(timing.start):
        return Occurrence(shown(timing.start), after)
    return None


def last_instant(wall: datetime) -> datetime:
    """When that time has come everywhere (UTC-12)."""
    return wall.replace(tzinfo=UTC) + timedelta(hours=12)


def zone_waves(zones: Mapping[str, int], wall: str, launched_at: datetime, past: Past) -> list[ZoneWave]:
    """`zones`: people by IANA name. In order of their instants."""
    time = wall_of(wall)
    waves = []
    for zone, people in zones.items():
        at = instant(time, zone)
        if at >= launched_at:
            waves.append(ZoneWave(zone, at, people))
        elif past is Past.NEXT_DAY:
            day = time
            while at < launched_at:
                day += timedelta(days=1)
                at = instant(day, zone)
            waves.append(ZoneWave(zone, at, people, is_late=True))
        else:
            waves.append(ZoneWave(zone, launched_at, people, is_late=True, is_skipped=past is Past.SKIP))
    return sorted(waves, key=lambda wave: (wave.at, wave.zone))


def rest_at(wall: datetime, zone: str, after: datetime) -> datetime:
    """The first instant later than `after` at which the clock of `zone` comes to the time of `wall`, on whatever day. A day that is not
    in that zone's calendar has no such time."""
    day = datetime.combine(wall_in(after, zone).date(), wall.time())
    while True:
        at = instant(day, zone)
        if at > after and wall_in(at, zone).date() == day.date():
            return at
        day += timedelta(days=1)
