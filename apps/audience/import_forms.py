"""Which column is what, as the second step of the wizard asks it; what was typed is never lost to an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from apps.audience.imports.fields import IGNORE, PERSON, Kind, attribute_field
from apps.core.problems import Problem

ATTRIBUTE = "attribute"
LABELS: Mapping[str, str] = {
    "user_id": "Your id of the person",
    "email": "Email address",
    "phone": "Phone number",
    "locale": "Language (locale)",
    "timezone": "Time zone",
    ATTRIBUTE: "Attribute",
    IGNORE: "Leave out",
}
KINDS: Mapping[str, str] = {"text": "text", "number": "number", "bool": "yes or no", "date": "date"}


@dataclass
class ColumnRow:
    """A line of the form. `fault`: what is wrong with it."""

    index: int
    column: str
    samples: Sequence[str]
    choice: str
    name: str
    kind: str
    fault: str = ""


def rows_of(columns: Sequence[str], mapping: Mapping[str, str], samples: Sequence[Sequence[str]]) -> list[ColumnRow]:
    found = []
    for index, column in enumerate(columns):
        said = mapping.get(column, IGNORE)
        shown = samples[index] if index < len(samples) else ()
        if said.startswith("attributes."):
            name, _, kind = said.removeprefix("attributes.").partition(":")
            found.append(ColumnRow(index, column, shown, ATTRIBUTE, name, kind or Kind.TEXT))
        else:
            found.append(ColumnRow(index, column, shown, said, "", Kind.TEXT))
    return found


def typed_mapping(columns: Sequence[str], data: QueryDict) -> dict[str, str]:
    """{column: field}, whatever was chosen; plan_of() judges it."""
    mapping = {}
    for index, column in enumerate(columns):
        choice = data.get(f"field-{index}", IGNORE)
        if choice == ATTRIBUTE:
            kind = data.get(f"kind-{index}", Kind.TEXT)
            name = data.get(f"name-{index}", "").strip()
            choice = attribute_field(name, Kind(kind) if kind in set(Kind) else Kind.TEXT)
        mapping[column] = choice if choice in PERSON or choice.startswith("attributes.") else IGNORE
    return mapping


def told(rows: list[ColumnRow], problem: Problem) -> list[str]:
    """Puts each fault to its line; those of no line are given back."""
    by_pointer = {"/mapping/" + row.column.replace("~", "~0").replace("/", "~1"): row for row in rows}
    rest = []
    for error in problem.errors:
        row = by_pointer.get(error.pointer)
        if row is None:
            rest.append(error.detail)
        else:
            row.fault = error.detail
    return rest or ["Some columns need another look."]
