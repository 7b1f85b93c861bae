"""Numbers, money and times as the recipient writes them: CLDR through babel, zones through the system's tz database.

`{{ data.total | currency: "EUR" }}`, `{{ data.at | datetime: "short" }}`, `{{ data.at | date: "full" }}`, `{{ data.at | time }}`.
Widths are short, medium, long, full; anything else is a CLDR pattern (`EEEE, d. MMMM`), or strftime (`%d %B %Y`) with the
recipient's own names of days and months.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers
from liquid import RenderContext
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context

from apps.core import clock

WIDTHS = frozenset({"short", "medium", "long", "full"})
MOST_PATTERN = 60
_DIRECTIVE = re.compile(r"%(-?.)", re.DOTALL)
_STRFTIME = {
    **{
        "Y": "yyyy",
        "y": "yy",
        "m": "MM",
        "-m": "M",
        "B": "MMMM",
        "b": "MMM",
        "h": "MMM",
        "d": "dd",
        "-d": "d",
        "e": "d",
    },
    **{"A": "EEEE", "a": "EEE", "H": "HH", "-H": "H", "I": "hh", "-I": "h", "M": "mm", "-M": "m", "S": "ss", "p": "a"},
    **{"F": "yyyy-MM-dd", "T": "HH:mm:ss", "R": "HH:mm", "D": "MM/dd/yy", "z": "Z", "Z": "z", "j": "DDD"},
}
_PERCENT = "\ue000"
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@with_context
def currency(value: object, code: object = "", *, context: RenderContext) -> str:
    """`code`: ISO 4217. Amounts in major units, as a number or a plain decimal string ("12.50")."""
    if not isinstance(code, str) or not _is_currency(str(code)):
        raise FilterArgumentError('`currency` needs a code: `| currency: "EUR"`.', token=None)
    return numbers.format_currency(_amount(value, "currency"), str(code), locale=_locale(context))


@with_context
def decimal(value: object, digits: object = None, *, context: RenderContext) -> str:
    """`digits`: exactly so many after the point; otherwise up to three."""
    if digits is None:
        return numbers.format_decimal(_amount(value, "decimal"), locale=_locale(context))
    if not isinstance(digits, int) or not 0 <= digits <= 12:
        raise FilterArgumentError("`decimal` takes 0 to 12 digits.", token=None)
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return numbers.format_decimal(_amount(value, "decimal"), format=pattern, locale=_locale(context))


@with_context
def datetime_(value: object, form: object = "medium", *, context: RenderContext) -> str:
    zone = _zone(context)
    return dates.format_datetime(_moment(value, zone, "datetime"), _form(form), tzinfo=zone, locale=_locale(context))


@with_context
def date(value: object, form: object = "medium", *, context: RenderContext) -> str:
    zone = _zone(context)
    moment, form = _moment(value, zone, "date"), _form(form)
    if form in WIDTHS:
        return dates.format_date(moment.astimezone(zone), form, locale=_locale(context))
    return dates.format_datetime(moment, form, tzinfo=zone, locale=_locale(context))


@with_context
def time(value: object, form: object = "short", *, context: RenderContext) -> str:
    zone = _zone(context)
    return dates.format_time(_moment(value, zone, "time"), _form(form), tzinfo=zone, locale=_locale(context))


def _amount(value: object, name: str) -> Decimal:
    text = str(value)[:60] if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if isinstance(value, float) and abs(value) < 1e18:
        text = f"{Decimal(repr(value)):f}"
    if not _NUMBER.fullmatch(text):
        raise FilterArgumentError(f"`{name}` needs a number such as 12.50.", token=None)
    return Decimal(text)


def _moment(value: object, zone: ZoneInfo, name: str) -> datetime:
    """ISO 8601, or seconds since 1970. Without an offset it is UTC; a day without a time is that day where the recipient is."""
    try:
        if isinstance(value, str) and len(value) <= 40:
            if value in ("now", "today"):
                return clock.now()
            if _DAY.fullmatch(value):
                return datetime.fromisoformat(str(value)).replace(tzinfo=zone)
            moment = datetime.fromisoformat(str(value))
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (OSError, OverflowError, ValueError):
        pass
    raise FilterArgumentError(f"`{name}` needs a time such as 2026-03-29T08:30:00Z.", token=None)


def _form(form: object) -> str:
    if not isinstance(form, str) or not 0 < len(form) <= MOST_PATTERN:
        raise FilterArgumentError(f"A format is a text of at most {MOST_PATTERN} characters.", token=None)
    return _cldr(str(form)) if "%" in form else str(form)


@lru_cache(maxsize=1_000)
def _cldr(form: str) -> str:
    """A strftime format as a CLDR pattern; what is not a directive is quoted."""
    parts: list[str] = []
    for index, part in enumerate(_DIRECTIVE.split(form.replace("%%", _PERCENT))):
        if index % 2 == 0:
            parts.append("'" + part.replace("'", "''").replace(_PERCENT, "%") + "'" if part else "")
        elif part in _STRFTIME:
            parts.append(_STRFTIME[part])
        else:
            raise FilterArgumentError(f"`%{part}` is not known in a format of dates.", token=None)
    return "".join(parts)


def _locale(context: RenderContext) -> Locale:
    return _known_locale(str(_of_recipient(context, "locale")))


def _zone(context: RenderContext) -> ZoneInfo:
    return _known_zone(str(_of_recipient(context, "timezone")))


def _of_recipient(context: RenderContext, name: str) -> Any:
    """Of the data itself: a template's own variable called `recipient` changes nothing here."""
    recipient = context.globals.get("recipient")
    return recipient.get(name, "") if isinstance(recipient, dict) else ""


@lru_cache(maxsize=1_000)
def _known_locale(tag: str) -> Locale:
    """The nearest that CLDR knows: de-XX -> de -> en."""
    for name in (tag, tag.partition("-")[0], "en"):
        try:
            return Locale.parse(name, sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    raise AssertionError("CLDR has English")


@lru_cache(maxsize=1_000)
def _known_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=1_000)
def _is_currency(code: str) -> bool:
    return bool(numbers.is_currency(code))
