"""What changed between two states, fit to be kept: {field: [before, after]}.

Secrets, credentials, addresses and what messages say never get in: a field that is named after one of them, or holds bytes, is
written as "changed"; an address in the middle of something else is taken out, unless it is masked.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec

CHANGED = "changed"
REMOVED = "(removed)"
LONGEST = 300
MOST = 20

_HIDDEN = re.compile(
    r"secret|passw|credential|token|hash|sealed|cipher|address|phone|mail|sender|body|html|text|content|subject|preheader|payload"
    r"|message|sample|attribute|headers|url|logo|first_name|last_name|^data$|_data$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    # bounded: without, a long word takes the square of its length
    r"[^\s\"'<>,;:()]{1,254}@[^\s\"'<>,;:()]+|\+\d[\d ()/.-]{5,}\d"
    r"|\bntf_[a-z]+_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}|\bwhsec_[0-9A-Za-z+/=]{8,}"
)
# what addresses.py made of one
_MASKED = re.compile(r"[^*]\*\*\*@[^@*]+")


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that are the same, or empty in both, are left out."""
    found: dict[str, Any] = {}
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new or (_is_empty(old) and _is_empty(new)):
            continue
        if _is_hidden(name) or isinstance(old, _BYTES) or isinstance(new, _BYTES):
            found[name] = CHANGED
        elif (pair := [cleaned(old), cleaned(new)]) and pair[0] != pair[1]:
            found[name] = pair
        elif REMOVED in str(pair[0]):
            found[name] = CHANGED
    return found


def cleaned(value: Any) -> Any:
    """As JSON has it, without addresses, cut where it is long."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return cleaned(value.value)
        case str():
            text = _ADDRESS.sub(_unless_masked, value)
            return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
        case timedelta():
            return f"{value.total_seconds():g} s"
        case date() | UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return CHANGED
        case Mapping():
            return {str(name): CHANGED if _is_hidden(str(name)) else cleaned(its) for name, its in _some(value.items())}
        case set() | frozenset():
            return sorted(map(str, map(cleaned, _some(value))))
        case list() | tuple():
            return [cleaned(its) for its in _some(value)]
        case msgspec.Struct():
            return cleaned(msgspec.to_builtins(value))
        case _:
            return cleaned(str(value))


_BYTES = (bytes, bytearray, memoryview)


def _unless_masked(found: re.Match[str]) -> str:
    return found[0] if _MASKED.fullmatch(found[0]) else REMOVED


def _is_hidden(name: str) -> bool:
    return bool(_HIDDEN.search(name))


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or (hasattr(value, "__len__") and len(value) == 0)


def _some(values: Iterable[Any]) -> list[Any]:
    return list(values)[:MOST]
