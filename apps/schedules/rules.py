"""RFC 5545 recurrence rules as values, and what is refused. Pure.

Supported: FREQ from YEARLY to MINUTELY, INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSETPOS.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from enum import IntEnum
from zoneinfo import ZoneInfo

MOST_COUNT = 10_000
MOST_INTERVAL = 100_000
MOST_TEXT = 500
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_UNSUPPORTED = frozenset({"BYSECOND", "BYWEEKNO", "BYYEARDAY", "BYEASTER", "RSCALE", "SKIP"})
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}", re.ASCII)


class Freq(IntEnum):
    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5


class RuleError(ValueError):
    """`code`: invalid_rule, or unsupported_rule for what RFC 5545 knows and we do not."""

    def __init__(self, detail: str, code: str = "invalid_rule") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


@dataclass(frozen=True, slots=True)
class Rule:
    """Numbers sorted, () where a part is left out. `nth`: (weekday, n) with Monday 0; `until`: the last time on the wall, inclusive."""

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    wkst: int = 0
    months: tuple[int, ...] = ()
    monthdays: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    nth: tuple[tuple[int, int], ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    setpos: tuple[int, ...] = ()


def parse_rule(text: str, start: datetime, place: ZoneInfo | None) -> Rule:
    """`start`: on the wall, without a zone; it gives what the rule leaves open. `place`: whose clock an UNTIL in UTC is read on; None when
    every recipient has another one. Raises RuleError."""
    parts = _parts(text)
    freq = _freq(parts.pop("FREQ", ""))
    given = {name: _READERS[name](name, value) for name, value in parts.items() if name in _READERS}
    plain, nth = _weekdays(parts.get("BYDAY", ""), freq)
    rule = Rule(
        freq=freq,
        interval=_whole("INTERVAL", parts.get("INTERVAL", "1"), MOST_INTERVAL),
        count=_whole("COUNT", parts["COUNT"], MOST_COUNT) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"], place) if "UNTIL" in parts else None,
        wkst=_weekday(parts.get("WKST", "MO")),
        weekdays=plain,
        nth=nth,
        months=given.get("BYMONTH", ()),
        monthdays=given.get("BYMONTHDAY", ()),
        hours=given.get("BYHOUR", ()),
        minutes=given.get("BYMINUTE", ()),
        setpos=given.get("BYSETPOS", ()),
    )
    _check_together(rule)
    return _completed(rule, start)


def _parts(text: str) -> dict[str, str]:
    if len(text) > MOST_TEXT:
        raise RuleError(f"A rule has at most {MOST_TEXT} characters.")
    body = text.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for part in body.rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not name or not value:
            raise RuleError(f"`{part[:40]}` is not NAME=VALUE.")
        if name in _UNSUPPORTED:
            raise RuleError(f"{name} is not supported.", "unsupported_rule")
        if name not in _KNOWN:
            raise RuleError(f"`{name[:40]}` is not a part of a rule.")
        if name in parts:
            raise RuleError(f"{name} is there twice.")
        parts[name] = value
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleError("COUNT and UNTIL exclude each other.")
    return parts


def _freq(value: str) -> Freq:
    if value == "SECONDLY":
        raise RuleError("A schedule fires at most once a minute.", "unsupported_rule")
    if value not in Freq.__members__:
        names = ", ".join(reversed(Freq.__members__))
        raise RuleError(f"FREQ is one of {names}." if value else f"FREQ is missing: one of {names}.")
    return Freq[value]


def _numbers(low: int, high: int, *, is_signed: bool = False) -> Callable[[str, str], tuple[int, ...]]:
    def read(name: str, value: str) -> tuple[int, ...]:
        found = set()
        for text in value.split(","):
            number = int(text) if _NUMBER.fullmatch(text) else None
            size = abs(number) if number is not None and is_signed else number
            if number is None or size is None or not low <= size <= high:
                signs = " or counted from the end by a minus" if is_signed else ""
                raise RuleError(f"{name} has numbers from {low} to {high}{signs}.")
            found.add(number)
        return tuple(sorted(found))

    return read


_READERS: dict[str, Callable[[str, str], tuple[int, ...]]] = {
    "BYMONTH": _numbers(1, 12),
    "BYMONTHDAY": _numbers(1, 31, is_signed=True),
    "BYHOUR": _numbers(0, 23),
    "BYMINUTE": _numbers(0, 59),
    "BYSETPOS": _numbers(1, 366, is_signed=True),
}
_KNOWN = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_READERS})


def _whole(name: str, value: str, most: int) -> int:
    if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= most:
        raise RuleError(f"{name} is a whole number from 1 to {most}.")
    return int(value)


def _weekday(value: str) -> int:
    if value not in WEEKDAYS:
        raise RuleError(f"`{value[:10]}` is not one of {', '.join(WEEKDAYS)}.")
    return WEEKDAYS.index(value)


def _weekdays(value: str, freq: Freq) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    plain, nth = set(), set()
    for text in value.split(",") if value else ():
        found = _DAY.fullmatch(text)
        if found is None:
            raise RuleError(f"BYDAY has days like MO, 1MO or -1FR, not `{text[:10]}`.")
        number, day = int(found[1] or 0), WEEKDAYS.index(found[2])
        if found[1] is None:
            plain.add(day)
        elif not 1 <= abs(number) <= 53:
            raise RuleError("BYDAY counts from 1 to 53, or back from -1.")
        else:
            nth.add((day, number))
    if nth and freq > Freq.MONTHLY:
        raise RuleError("BYDAY counts days (1MO) in rules by month or year only.")
    if nth and plain:
        raise RuleError("BYDAY mixes counted days (1MO) and plain ones (MO).", "unsupported_rule")
    return tuple(sorted(plain)), tuple(sorted(nth))


def _until(value: str, place: ZoneInfo | None) -> datetime:
    """A date is its whole day. RFC 5545 has UNTIL in UTC beside a zone; on the wall is as good."""
    found = _UNTIL.fullmatch(value)
    try:
        if found is None:
            raise ValueError
        day = date.fromisoformat(found[1])
        at = time.fromisoformat(found[2]) if found[2] else time(23, 59, 59)
    except ValueError:
        raise RuleError("UNTIL is like 20271231, 20271231T170000 or 20271231T170000Z.") from None
    wall = datetime.combine(day, at)
    if not found[3]:
        return wall
    if place is None:
        raise RuleError("UNTIL has no Z where each recipient has a zone of their own.")
    try:
        return wall.replace(tzinfo=UTC).astimezone(place).replace(tzinfo=None)
    except OverflowError:
        return wall


def _check_together(rule: Rule) -> None:
    if rule.monthdays and rule.freq == Freq.WEEKLY:
        raise RuleError("BYMONTHDAY has no meaning in a rule by week.")
    if rule.setpos and rule.freq > Freq.DAILY:
        raise RuleError("BYSETPOS is supported from FREQ=DAILY up.", "unsupported_rule")
    if rule.setpos and not (rule.months or rule.monthdays or rule.weekdays or rule.nth or rule.hours or rule.minutes):
        raise RuleError("BYSETPOS chooses from what another BY part gives; there is none.")


def _completed(rule: Rule, start: datetime) -> Rule:
    """What the rule leaves open is as in `start`."""
    more: dict[str, tuple[int, ...]] = {}
    if not (rule.monthdays or rule.weekdays or rule.nth):
        if rule.freq == Freq.YEARLY and not rule.months:
            more["months"] = (start.month,)
        if rule.freq <= Freq.MONTHLY:
            more["monthdays"] = (start.day,)
        elif rule.freq == Freq.WEEKLY:
            more["weekdays"] = (start.weekday(),)
    if rule.freq < Freq.HOURLY and not rule.hours:
        more["hours"] = (start.hour,)
    if rule.freq < Freq.MINUTELY and not rule.minutes:
        more["minutes"] = (start.minute,)
    return replace(rule, **more)  # type: ignore[arg-type]
