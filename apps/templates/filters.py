"""Our filters beside Liquid's own: bounded where those are not, strict where those guess."""

import re
from collections.abc import Callable
from functools import wraps
from math import isfinite
from typing import Any

from liquid.exceptions import FilterArgumentError, LiquidTypeError, OutputStreamLimitError
from liquid.filter import num_arg
from markupsafe import Markup, escape

from apps.templates import formats

Filter = Callable[..., Any]

MOST_TEXT = 500_000
MOST_UNIQUE = 1_000
_MATH = (
    *("abs", "at_least", "at_most", "ceil", "divided_by"),
    *("floor", "minus", "modulo", "plus", "round", "times"),
)
_DROPPED = ("safe", "escapejs")
_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*):", re.IGNORECASE)
_UNSAFE_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "filesystem", "blob", "view-source", "about"})
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060\ufeff]+")


def register(known: dict[str, Filter]) -> None:
    """Puts ours into an environment's table; takes out what would let data through unescaped."""
    for name in _DROPPED:
        del known[name]
    for name in _MATH:
        known[name] = _numbers_only(name, known[name])
    known |= {
        "replace": _bounded_replace(known["replace"]),
        "join": _join,
        "uniq": _uniq,
        "link": _link,
        "currency": formats.currency,
        "decimal": formats.decimal,
        "date": formats.date,
        "datetime": formats.datetime_,
        "time": formats.time,
    }


def text_of(value: object) -> str:
    """How a value that is not a string reads. Raises LiquidTypeError for what has no text."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return str(value)
        case None:
            return ""
        case list() | tuple():
            return "".join(text_of(item) for item in value)
    raise LiquidTypeError("An object has no text; name one of its fields.", token=None)


def is_safe_link(link: str) -> bool:
    """No scheme that runs code or opens local files. Browsers ignore whitespace and control characters in a scheme, so do we."""
    if link.startswith(("https://", "http://")):
        return True
    scheme = _SCHEME.match(_INVISIBLE.sub("", link[:200]))
    return scheme is None or scheme[1].lower() not in _UNSAFE_SCHEMES


def _numbers_only(name: str, original: Filter) -> Filter:
    """Liquid takes everything that is no number for 0: `{{ "1,50" | times: 2 }}` would say 0."""

    @wraps(original)
    def strict(*values: object) -> object:
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)[:80]) > 40:
                raise FilterArgumentError(f"`{name}` needs numbers.", token=None)
            try:
                num_arg(value)
            except FilterArgumentError:
                raise FilterArgumentError(f"`{name}` needs numbers.", token=None) from None
        result = original(*values)
        if (isinstance(result, float) and not isfinite(result)) or (isinstance(result, int) and abs(result) >= 10**40):
            raise FilterArgumentError(f"`{name}` gives a number that is too large.", token=None)
        return result

    return strict


def _bounded_replace(original: Filter) -> Filter:
    @wraps(original)
    def bounded(value: object, old: object, new: object = "") -> object:
        text, sought = text_of(value), text_of(old)
        put = str(escape(new)) if isinstance(value, Markup) else text_of(new)
        times = text.count(sought) if sought else len(text) + 1
        if len(text) + times * len(put) > MOST_TEXT:
            raise OutputStreamLimitError("`replace` makes too long a text.", token=None)
        return original(value, sought, new)

    return bounded


def _join(items: object, separator: object = " ") -> str:
    """Keeps safe what is safe: a separator written in an HTML template escapes the items it joins."""
    if not isinstance(items, list | tuple):
        raise FilterArgumentError("`join` needs a list.", token=None)
    glue = separator if isinstance(separator, str) else text_of(separator)
    if len(glue) * len(items) > MOST_TEXT:
        raise OutputStreamLimitError("`join` makes too long a text.", token=None)
    return glue.join(item if isinstance(item, str) else text_of(item) for item in items)


def _uniq(items: object, key: object = None) -> list[object]:
    """Compares each with each, since objects have no hash: hence the bound."""
    if not isinstance(items, list | tuple) or len(items) > MOST_UNIQUE:
        raise FilterArgumentError(f"`uniq` needs a list of at most {MOST_UNIQUE:,}.", token=None)
    seen: list[object] = []
    kept: list[object] = []
    for item in items:
        mark = item.get(key) if key is not None and isinstance(item, dict) else item
        if mark not in seen:
            seen.append(mark)
            kept.append(item)
    return kept


def _link(value: object) -> object:
    """Put by the email build behind every output that begins a link (mail_build.py)."""
    if isinstance(value, str) and not is_safe_link(value):
        raise FilterArgumentError("A link must not begin with a scheme that runs code.", token=None)
    return value
