"""What a column can be: `user_id`, `email`, `phone`, `locale`, `timezone`, `attributes.<name>[:<type>]`, `ignore`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem

IGNORE = "ignore"
PERSON = ("user_id", "email", "phone", "locale", "timezone")
_ATTRIBUTE = re.compile(r"attributes\.([A-Za-z_][A-Za-z0-9_]{0,62})(?::([a-z]+))?")


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    kind: Kind
    index: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`columns`: header names in order; `at`: where each mapped field of the person stands."""

    columns: tuple[str, ...]
    at: Mapping[str, int]
    attributes: tuple[Attribute, ...] = field(default=())


def attribute_field(name: str, kind: Kind) -> str:
    return f"attributes.{name}" if kind is Kind.TEXT else f"attributes.{name}:{kind}"


def plan_of(columns: Sequence[str], mapping: Mapping[str, str]) -> Plan:
    """Columns that are not named are ignored. Raises Problem: invalid_mapping, with every fault."""
    errors = [_fault(name, "The file has no such column.") for name in mapping if name not in columns]
    at: dict[str, int] = {}
    attributes: dict[str, Attribute] = {}
    for index, name in enumerate(columns):
        said = mapping.get(name, IGNORE)
        if said == IGNORE:
            continue
        found = _ATTRIBUTE.fullmatch(said)
        kind = (found[2] or Kind.TEXT) if found else ""
        if said in at or (found and found[1] in attributes):
            errors.append(_fault(name, f"`{said}` is mapped twice."))
        elif said in PERSON:
            at[said] = index
        elif found and kind in set(Kind):
            attributes[found[1]] = Attribute(found[1], Kind(kind), index)
        else:
            errors.append(_fault(name, f"`{said}` is no field: one of {_words()}."))
    if "user_id" not in at:
        errors.append(FieldError("/mapping", Code.INVALID_MAPPING, "No column is mapped to `user_id`."))
    if errors:
        raise Problem(Code.INVALID_MAPPING, errors[0].detail, errors=errors)
    return Plan(tuple(columns), at, tuple(attributes.values()))


def _fault(column: str, detail: str) -> FieldError:
    pointer = column.replace("~", "~0").replace("/", "~1")
    return FieldError(f"/mapping/{pointer}", Code.INVALID_MAPPING, detail)


def _words() -> str:
    return ", ".join((*PERSON, "attributes.<name>[:text|number|bool|date]", IGNORE))


def unused_name(wanted: str, used: Iterable[str]) -> str:
    taken = set(used)
    return next(
        name for number in range(1, 1_000) if (name := wanted if number == 1 else f"{wanted}_{number}") not in taken
    )
