"""The times on the wall that a rule means, in order, with bounded work. Pure.

dateutil walks from the start of a rule and cannot be stopped inside a step: FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30 keeps it busy for
hours. This walk begins where it is asked to, and gives up after BUDGET looks that found nothing. The tests compare the two.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from apps.schedules.rules import Freq, Rule

BUDGET = 100_000
_LAST_YEAR = 9_990
_DAY = timedelta(days=1)
_MINUTES = 24 * 60


def walls(rule: Rule, start: datetime, after: datetime | None = None) -> Iterator[datetime]:
    """Strictly increasing, from `start` on, later than `after`; ends with the rule, or where nothing comes in BUDGET looks.

    A rule with COUNT is walked from `start` each time."""
    first = start if after is None or rule.count else max(start, after)
    for number, wall in enumerate(_walk(rule, start, first.date()), 1):
        if (rule.until and wall > rule.until) or (rule.count and number > rule.count):
            return
        if after is None or wall > after:
            yield wall


def _walk(rule: Rule, start: datetime, day: date) -> Iterator[datetime]:
    """Span by span: a day, or what BYSETPOS counts in."""
    left, span = BUDGET, _begin(rule, day)
    while left > 0 and span.year < _LAST_YEAR:
        if not rule.setpos and (later := _skipped(rule, start, span)):
            left, span = left - 1, later
            continue
        end = _end(rule, span)
        found: list[datetime] = []
        day = span
        while day < end:
            left -= 1
            if _is_in_step(rule, start, day) and _is_chosen(rule, day):
                times = _times(rule, start, day)
                left -= len(times)
                found += [datetime.combine(day, at) for at in _wanted(rule, times, start)]
            day += _DAY
        kept = [wall for wall in _picked(rule, found) if wall >= start]
        if kept:
            left = BUDGET
            yield from kept
        span = end


def _begin(rule: Rule, day: date) -> date:
    if rule.setpos:
        match rule.freq:
            case Freq.YEARLY:
                return day.replace(month=1, day=1)
            case Freq.MONTHLY:
                return day.replace(day=1)
            case Freq.WEEKLY:
                return _week(rule, day)
    return day


def _end(rule: Rule, span: date) -> date:
    if rule.setpos:
        match rule.freq:
            case Freq.YEARLY:
                return span.replace(year=span.year + 1)
            case Freq.MONTHLY:
                return _next_month(span)
            case Freq.WEEKLY:
                return span + 7 * _DAY
    return span + _DAY


def _skipped(rule: Rule, start: datetime, day: date) -> date | None:
    """The next day that may match, when this one cannot because of its month or of the interval."""
    is_by_month = rule.freq <= Freq.MONTHLY and not _is_in_step(rule, start, day)
    if is_by_month or (rule.months and day.month not in rule.months):
        return _next_month(day)
    if rule.freq == Freq.WEEKLY and (over := _weeks(rule, start, day) % rule.interval):
        return _week(rule, day) + (rule.interval - over) * 7 * _DAY
    if rule.freq == Freq.DAILY and (over := (day - start.date()).days % rule.interval):
        return day + (rule.interval - over) * _DAY
    return None


def _is_in_step(rule: Rule, start: datetime, day: date) -> bool:
    """By INTERVAL, as far as the day decides."""
    match rule.freq:
        case Freq.YEARLY:
            return (day.year - start.year) % rule.interval == 0
        case Freq.MONTHLY:
            return (12 * (day.year - start.year) + day.month - start.month) % rule.interval == 0
        case Freq.WEEKLY:
            return _weeks(rule, start, day) % rule.interval == 0
        case Freq.DAILY:
            return (day - start.date()).days % rule.interval == 0
    return True


def _is_chosen(rule: Rule, day: date) -> bool:
    """By the BY parts that name days: all of them have to agree."""
    if rule.months and day.month not in rule.months:
        return False
    if rule.weekdays and day.weekday() not in rule.weekdays:
        return False
    if rule.monthdays:
        back = day.day - monthrange(day.year, day.month)[1] - 1
        if day.day not in rule.monthdays and back not in rule.monthdays:
            return False
    return not rule.nth or any(weekday == day.weekday() and _is_nth(rule, day, n) for weekday, n in rule.nth)


def _is_nth(rule: Rule, day: date, n: int) -> bool:
    """Whether it is the n-th of its weekday in the month; in the year where a rule by year names no months."""
    if rule.freq == Freq.YEARLY and not rule.months:
        place, length = day.timetuple().tm_yday, 366 if monthrange(day.year, 2)[1] == 29 else 365
    else:
        place, length = day.day, monthrange(day.year, day.month)[1]
    return (place - 1) // 7 + 1 == n if n > 0 else (length - place) // 7 + 1 == -n


def _times(rule: Rule, start: datetime, day: date) -> list[int]:
    """Minutes of the day, before BYHOUR and BYMINUTE have their say."""
    if rule.freq < Freq.HOURLY:
        return [60 * hour + minute for hour in rule.hours for minute in rule.minutes]
    days = (day - start.date()).days
    if rule.freq == Freq.HOURLY:
        first = (start.hour - 24 * days) % rule.interval
        return [60 * hour + minute for hour in range(first, 24, rule.interval) for minute in rule.minutes]
    first = (60 * start.hour + start.minute - _MINUTES * days) % rule.interval
    return list(range(first, _MINUTES, rule.interval))


def _wanted(rule: Rule, times: list[int], start: datetime) -> Iterator[time]:
    for minute in times:
        hour, past = divmod(minute, 60)
        if (not rule.hours or hour in rule.hours) and (not rule.minutes or past in rule.minutes):
            yield time(hour, past, start.second)


def _picked(rule: Rule, found: list[datetime]) -> list[datetime]:
    if not rule.setpos:
        return found
    places = {place - 1 if place > 0 else len(found) + place for place in rule.setpos}
    return [found[place] for place in sorted(places) if 0 <= place < len(found)]


def _week(rule: Rule, day: date) -> date:
    return day - (day.weekday() - rule.wkst) % 7 * _DAY


def _weeks(rule: Rule, start: datetime, day: date) -> int:
    return (_week(rule, day) - _week(rule, start.date())).days // 7


def _next_month(day: date) -> date:
    return (day.replace(day=1) + 32 * _DAY).replace(day=1)
