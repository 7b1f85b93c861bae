"""What a schedule, a throttle and a ramp come to, in words and tables for people. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from apps.campaigns.scheduling import FIRST_ZONE, Past, Plan, ZoneWave, next_occurrence, plan_of, rest_at, zone_waves
from apps.core.locales import zone as zone_named
from apps.schedules.rules import Freq, Rule
from apps.schedules.timing import RECIPIENT, wall_of

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = {
    Freq.YEARLY: "year",
    Freq.MONTHLY: "month",
    Freq.WEEKLY: "week",
    Freq.DAILY: "day",
    Freq.HOURLY: "hour",
    Freq.MINUTELY: "minute",
}
_NOTES = {
    Past.SEND: "The time is over there: sent at once.",
    Past.NEXT_DAY: "The time is over there: sent a day later.",
    Past.SKIP: "The time is over there: they get nothing.",
}
_PLACES = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}


@dataclass(frozen=True, slots=True)
class WaveRow:
    """One instant: those clocks on which the time comes then. `note`: what becomes of those whose time was over; "": nothing special."""

    at: datetime
    offsets: str
    zones: str
    people: int
    note: str


@dataclass(frozen=True, slots=True)
class WaveTable:
    """`sentence`: the whole in one line. `rest`: where variants are tried first, when the others have their turn. `last_at`: when the last
    wave begins; of a rest: at the earliest."""

    sentence: str
    rows: tuple[WaveRow, ...]
    rest: str = ""
    last_at: datetime | None = None


def when(schedule: Mapping[str, Any]) -> str:
    """`schedule` as it is kept."""
    plan = plan_of(schedule or {"kind": "now"})
    if plan.timing is None:
        return "As soon as it is launched"
    clock = "on everybody's own clock" if plan.is_local else plan.timing.zone
    start = plan.timing.start
    if plan.timing.rule is None:
        return f"{wall(start)} {clock}"
    return f"{rule_words(plan.timing.rule, clock)}, from {day(start)} on"


def wall(at: datetime) -> str:
    return f"{day(at)}, {at:%H:%M}"


def day(at: datetime) -> str:
    return f"{WEEKDAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]} {at.year}"


def rule_words(rule: Rule, clock: str) -> str:
    """`every week on Mon and Fri at 09:00 Europe/Berlin, until Fri 31 Dec 2027`."""
    unit = _UNITS[rule.freq]
    parts = [f"every {unit}" if rule.interval == 1 else f"every {rule.interval} {unit}s"]
    if rule.months:
        parts.append(f"in {_listed(MONTHS[month - 1] for month in rule.months)}")
    if rule.weekdays:
        parts.append(f"on {_listed(WEEKDAYS[number] for number in rule.weekdays)}")
    if rule.nth:
        parts.append(f"on the {_listed(f'{_place(n)} {WEEKDAYS[number]}' for number, n in rule.nth)}")
    if rule.monthdays and rule.freq <= Freq.MONTHLY:
        days = (f"{number}." if number > 0 else f"{_place(number)} day" for number in rule.monthdays)
        parts.append(f"on the {_listed(days)}")
    if rule.hours and rule.minutes and rule.freq < Freq.HOURLY:
        parts.append(f"at {_listed(f'{hour:02}:{minute:02}' for hour in rule.hours for minute in rule.minutes)}")
    if rule.setpos:
        parts.append(f"(of those the {_listed(map(_place, rule.setpos))})")
    said = " ".join([*parts, clock])
    if rule.count:
        return f"{said}, {rule.count:,} times"
    return f"{said}, until {day(rule.until)}" if rule.until else said


def coming(schedule: Mapping[str, Any], now: datetime, count: int = 5) -> list[datetime]:
    """The next times; on everybody's own clock: as they begin, in the first zone on earth."""
    plan = plan_of(schedule)
    if plan.timing is None:
        return []
    zone = FIRST_ZONE if plan.is_local else plan.timing.zone
    found = [fire.at for fire in plan.timing.next_fires(now, zone, count)]
    occurrence = next_occurrence(plan, now)
    return found or ([occurrence.at] if occurrence else [])


def wave_table(
    schedule: Mapping[str, Any],
    zones: Mapping[str, int],
    default_zone: str,
    now: datetime,
    test: Mapping[str, Any] | None = None,
) -> WaveTable | None:
    """As if it was launched `now`. `zones`: people by what they say of their time zone; those of none that there is live on the clock of
    `default_zone`. `test`: of the campaign; the rows are then of those who try the variants. None: it is not on everybody's own clock, or
    nothing is to come."""
    plan = plan_of(schedule)
    occurrence = next_occurrence(plan, now) if plan.is_local else None
    if occurrence is None:
        return None
    clocks: dict[str, int] = {}
    for name, people in zones.items():
        key = zone_named(name, default_zone).key
        clocks[key] = clocks.get(key, 0) + people
    found = zone_waves(clocks, occurrence.name, now, plan.past)
    share = test["share"] / 100 if test else 1.0
    rows = tuple(_row(list(waves), plan, share) for _, waves in groupby(found, key=lambda one: (one.at, one.is_late)))
    tried = [one for one in found if not one.is_skipped]
    if not test or not tried:
        return WaveTable(_sentence(rows), rows, last_at=rows[-1].at if rows else None)
    start, known_at = wall_of(occurrence.name), tried[-1].at + timedelta(minutes=test["wait_minutes"])
    others = sum(one.people for one in tried) - sum(row.people for row in rows if row.note != _NOTES[Past.SKIP])
    rest = f"They try the variants. The other {others:,}: {rest_words(start)}; that is not before {instant(known_at)}."
    return WaveTable(_sentence(rows), rows, rest, max(rest_at(start, one.zone, known_at) for one in tried))


def rest_words(wall: datetime) -> str:
    """When the rest has its turn where everybody has their own clock."""
    return f"at {wall:%H:%M} of each one's own day, after the winner is known"


def _row(waves: list[ZoneWave], plan: Plan, share: float) -> WaveRow:
    at = waves[0].at
    names = sorted(waves, key=lambda one: (-one.people, one.zone))
    shown = ", ".join(one.zone for one in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    offsets = sorted({at.astimezone(zone_named(one.zone)).utcoffset() or timedelta(0) for one in waves}, reverse=True)
    people = sum(one.people for one in waves)
    if not waves[0].is_skipped:
        people = round(people * share)
    return WaveRow(at, ", ".join(map(offset, offsets)), shown, people, _note(waves[0], plan.past))


def _note(wave: ZoneWave, past: Past) -> str:
    if not wave.is_late:
        return ""
    return _NOTES[past]


def _sentence(rows: Sequence[WaveRow]) -> str:
    if not rows:
        return "Nobody is in the audience yet."
    if len(rows) == 1:
        return f"One wave: {rows[0].offsets} at {instant(rows[0].at)}."
    skipped = sum(row.people for row in rows if "nothing" in row.note)
    said = (
        f"{rows[0].offsets} first at {instant(rows[0].at)}, {rows[-1].offsets} last at {instant(rows[-1].at)}; "
        f"{len(rows)} waves"
    )
    return f"{said}; {skipped:,} people get nothing." if skipped else f"{said}."


def instant(at: datetime) -> str:
    """`Mon 4 Jan, 09:00 UTC`."""
    return f"{WEEKDAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]}, {at:%H:%M} UTC"


def offset(away: timedelta) -> str:
    """`UTC+14`, `UTC-3:30`, `UTC`."""
    minutes = int(away.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return "UTC" if not minutes else f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}"


def lasting(people: int, per_minute: int) -> str:
    """`57,912 at 600/min = 1 h 37 min`; "" without a throttle."""
    if not per_minute or not people:
        return ""
    return f"{people:,} at {per_minute:,}/min = {span(timedelta(minutes=-(-people // per_minute)))}"


def span(length: timedelta) -> str:
    """Two units at most: `1 h 37 min`, `3 d 4 h`, `45 s`."""
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    units = [("d", seconds // 86_400), ("h", seconds // 3_600 % 24), ("min", seconds // 60 % 60)]
    begin = next(place for place, (_, number) in enumerate(units) if number)
    return " ".join(f"{number} {unit}" for unit, number in units[begin : begin + 2] if number)


def ramp_words(ramp: Sequence[float], minutes: int) -> str:
    """`0.1 % at once, 1 % after 1 h, everybody after 2 h`; "" without steps."""
    said = []
    for place, share in enumerate(ramp):
        who = "everybody" if share == 100 else f"{share:g} %"
        said.append(f"{who} {f'after {span(timedelta(minutes=minutes * place))}' if place else 'at once'}")
    return ", ".join(said)


def is_on_every_clock(schedule: Mapping[str, Any]) -> bool:
    return schedule.get("kind", "now") != "now" and schedule.get("zone") == RECIPIENT


def _place(number: int) -> str:
    return _PLACES.get(number) or (f"{number}th" if number > 0 else f"{-number}th last")


def _listed(names: Iterable[str]) -> str:
    *most, last = list(names)
    return f"{', '.join(most)} and {last}" if most else last
