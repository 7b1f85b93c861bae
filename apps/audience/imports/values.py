"""Texts of attributes as JSON values. What is ambiguous is refused: nobody notices a month that became a day."""

import re
from collections.abc import Callable, Mapping
from datetime import date

from apps.audience.imports.fields import Kind

_INTEGER = re.compile(r"[-+]?\d{1,15}", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:\d{1,15}[.]\d{1,10}|\d{1,15},\d{1,2})", re.ASCII)
_DATES = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})(?:[T ]00:00(?::00)?Z?)?", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})", re.ASCII),
)
_YES = "true yes y t 1 on ja wahr oui vrai si sí sì sim verdadero vero tak evet 是 はい نعم"
_NO = "false no n f 0 off nein falsch non faux não nao falso nie hayır hayir 否 いいえ لا"  # noqa: RUF001
BOOLS: Mapping[str, bool] = dict.fromkeys(_YES.split(), True) | dict.fromkeys(_NO.split(), False)


def number(text: str) -> int | float | None:
    """`12`, `-3.5`, `3,5`; None when it is none, or when a comma may stand for thousands (`1,234`)."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text.replace(",", ".")) if _DECIMAL.fullmatch(text) else None


def is_number(text: str) -> bool:
    return number(text) is not None


def day(text: str) -> str | None:
    """`2026-11-21`, `21.11.2026`, `2026/11/21` as the first; None for what may be read in two ways (`11/12/2026`)."""
    for form in _DATES:
        if found := form.fullmatch(text):
            try:
                return date(int(found["y"]), int(found["m"]), int(found["d"])).isoformat()
            except ValueError:
                return None
    return None


def is_date(text: str) -> bool:
    return day(text) is not None


def truth(text: str) -> bool | None:
    return BOOLS.get(text.casefold())


READERS: Mapping[Kind, Callable[[str], int | float | bool | str | None]] = {
    Kind.NUMBER: number,
    Kind.BOOL: truth,
    Kind.DATE: day,
}
EXPECTED: Mapping[Kind, str] = {
    Kind.NUMBER: "a number such as 12 or 3.5, without signs for thousands",
    Kind.BOOL: "true or false, yes or no, 1 or 0",
    Kind.DATE: "a date such as 2026-11-21",
}
