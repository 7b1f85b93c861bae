"""What rules may ask about: a closed list. Apps above add theirs in AppConfig.ready(); nothing that is not here reaches SQL."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, TypeAlias
from uuid import UUID

from apps.core.enums import Worded
from apps.core.problem_codes import Code
from apps.core.problems import Problem

MOST_VALUES = 1_000
LONGEST_TEXT = 500
LONGEST_DAYS = 3_650
_LARGEST = 1e15
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Kind(Worded):
    """What a value must be."""

    NOTHING = "nothing", "No value."
    SCALAR = "scalar", "A text, a number, true or false."
    SCALARS = "scalars", "A list of texts, numbers, true or false."
    TEXT = "text", "A text."
    TEXTS = "texts", "A list of texts."
    NUMBER = "number", "A number."
    BOOL = "bool", "True or false."
    DATE = "date", "A day: 2026-01-31."
    DAYS = "days", "A number of days."


@dataclass(frozen=True, slots=True)
class Asked:
    """One leaf on its way to SQL. `put(value, type)`: its placeholder, the only way in which a value gets into a statement. The SQL
    that comes of it is true or false, never NULL, over alias `r` (audience_recipient); sub-selects name the tenant."""

    tenant_id: UUID
    path: str
    op: str
    value: Any
    now: datetime
    put: Callable[[Any, str], str]

    @property
    def tenant(self) -> str:
        return self.put(self.tenant_id, "uuid")


Writer: TypeAlias = Callable[[Asked], str]
Check: TypeAlias = Callable[[str, Any], str]
PathCheck: TypeAlias = Callable[[str], bool]


def _any_path(path: str) -> bool:
    return path == ""


@dataclass(frozen=True, slots=True)
class Field:
    """`key`: the name; ending in `.` it is a family, and `has_path` says which paths there are. `ops`: what it can be asked, and what
    value that takes. `check`: of (op, a value): what is wrong with it, or "". `choices`: values to offer; `paths`: of a family. `weight`:
    0 for a column of the person, 1 for what is read out of one, 2 for other tables."""

    key: str
    label: str
    ops: Mapping[str, Kind]
    write: Writer
    check: Check | None = None
    has_path: PathCheck = _any_path
    choices: tuple[str, ...] = ()
    group: str = "Person"
    paths: tuple[str, ...] = ()
    weight: int = 1


Usage: TypeAlias = Callable[[UUID, Collection[UUID]], Mapping[UUID, Sequence[str]]]
_fields: dict[str, Field] = {}
_usages: list[Usage] = []


def register(*new: Field) -> None:
    """Again: takes the place of the one with the same key."""
    _fields.update({field.key: field for field in new})


def on_usage(callback: Usage) -> Usage:
    """`callback(tenant_id, segment_ids)`: by segment, what uses it, each in a few words (`campaign Spring sale`). For
    AppConfig.ready()."""
    if callback not in _usages:
        _usages.append(callback)
    return callback


def usages(tenant_id: UUID, segment_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    for callback in _usages:
        for segment_id, said in callback(tenant_id, segment_ids).items():
            found.setdefault(segment_id, []).extend(said)
    return found


def every() -> tuple[Field, ...]:
    return tuple(_fields.values())


def find(name: str) -> tuple[Field, str] | None:
    """The field of that name, and the path in it."""
    if (exact := _fields.get(name)) is not None and not name.endswith("."):
        return exact, ""
    end = len(name)
    while (end := name.rfind(".", 0, end)) > 0:
        field, path = _fields.get(name[: end + 1]), name[end + 1 :]
        if field is not None:
            return (field, path) if path and field.has_path(path) else None
    return None


def nearest(name: str) -> str:
    names = [
        *(key.rstrip(".") for key in _fields),
        *(field.key + path for field in _fields.values() for path in field.paths),
    ]
    return next(iter(get_close_matches(name, names, 1)), "")


def checked(field: Field, op: str, value: Any, pointer: str) -> Any:
    """The value as `write` gets it: lists as tuples. Raises Problem."""
    kind = field.ops[op]
    if kind in (Kind.SCALARS, Kind.TEXTS):
        if not isinstance(value, list) or not value:
            raise Problem(Code.WRONG_TYPE, f"`{op}` takes a list of at least one value.", pointer=pointer)
        if len(value) > MOST_VALUES:
            raise Problem(Code.OUT_OF_RANGE, f"At most {MOST_VALUES:,} values.", pointer=pointer)
        single = Kind.SCALAR if kind is Kind.SCALARS else Kind.TEXT
        return tuple(_single(field, op, single, each, f"{pointer}/{place}") for place, each in enumerate(value))
    return _single(field, op, kind, value, pointer)


def _single(field: Field, op: str, kind: Kind, value: Any, pointer: str) -> Any:
    if not _IS[kind](value):
        raise Problem(Code.WRONG_TYPE, f"`{op}` takes {kind.sentence[0].lower()}{kind.sentence[1:]}", pointer=pointer)
    if said := _out_of_bounds(kind, value) or (field.check(op, value) if field.check else ""):
        raise Problem(Code.NUL_BYTE if said == _NUL else Code.OUT_OF_RANGE, said, pointer=pointer)
    return value


_NUL = Code.NUL_BYTE.meaning


def _out_of_bounds(kind: Kind, value: Any) -> str:
    match value:
        case str() if "\x00" in value:
            return _NUL
        case "":
            return "A value is needed."
        case str() if len(value) > LONGEST_TEXT:
            return f"At most {LONGEST_TEXT} characters."
        case str() if kind is Kind.DATE and not _is_day(value):
            return f"There is no day {value}."
        case str() | bool():
            return ""
        case _ if kind is Kind.DAYS and not 1 <= value <= LONGEST_DAYS:
            return f"From 1 to {LONGEST_DAYS:,} days."
        case _ if not -_LARGEST <= value <= _LARGEST:
            return "The number is too large."
    return ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).year >= 1
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_IS: Mapping[Kind, Callable[[Any], bool]] = {
    Kind.SCALAR: lambda value: isinstance(value, str | int | float | bool),
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.NUMBER: _is_number,
    Kind.BOOL: lambda value: isinstance(value, bool),
    Kind.DATE: lambda value: isinstance(value, str) and _DATE.fullmatch(value) is not None,
    Kind.DAYS: lambda value: isinstance(value, int) and not isinstance(value, bool),
}


def one_of(names: Iterable[str]) -> PathCheck:
    """For `has_path`."""
    known = frozenset(names)
    return lambda path: path in known
