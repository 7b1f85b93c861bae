"""All variants of a template tried and linted one after another, within a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from apps.core.enums import Category
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Tenant
from apps.events.selectors import categories_of
from apps.templates.content import fields_of
from apps.templates.linting import Finding
from apps.templates.proving import DIGEST, GIVEN, PERSON, Source
from apps.templates.selectors import TemplateRow
from apps.templates.trying import Kind, try_source

SECONDS = 5.0
_OBJECTS = (PERSON, DIGEST, GIVEN)


@dataclass(frozen=True, slots=True)
class Review:
    """`remarks`: with the source that each is about. `is_cut`: time was up."""

    remarks: tuple[tuple[Source, Finding], ...]
    is_cut: bool


def review(
    *,
    tenant: Tenant,
    template: TemplateRow,
    sources: Sequence[Source],
    layout: str,
    sample: Mapping[str, Any],
    category: Category | None,
    seconds: float = SECONDS,
) -> Review:
    """At least the first one, however long it takes."""
    kind = Kind(template.is_layout, template.is_partial, layout, category or category_of(tenant, template.key))
    until = monotonic() + seconds
    remarks: list[tuple[Source, Finding]] = []
    for place, source in enumerate(sources):
        if place and monotonic() > until:
            return Review(tuple(remarks), True)
        trial = try_source(tenant=tenant, source=source, kind=kind, sample=sample)
        remarks += [(source, finding) for finding in trial.findings]
    return Review(tuple(remarks), False)


def category_of(tenant: Tenant, key: str) -> Category | None:
    """Of what is said with it; marketing, if any of it is. None when nothing is."""
    found = categories_of(tenant.id, key)
    return Category.MARKETING if Category.MARKETING in found else next(iter(sorted(found)), None)


def refuse_unknown(source: Source, template: TemplateRow) -> None:
    """Raises Problem: unknown_field, out_of_range, with pointers into `/content`."""
    fields = fields_of(source.channel, is_layout=template.is_layout, is_partial=template.is_partial)
    errors = [_wrong(name, text, fields) for name, text in source.content.items()]
    if found := [error for error in errors if error is not None]:
        code = Code[found[0].code.upper()] if len(found) == 1 else Code.VALIDATION_ERROR
        raise Problem(code, found[0].detail if len(found) == 1 else "", errors=found)


def refuse_unreadable(sample: Mapping[str, Any], pointer: str) -> None:
    """Raises Problem: wrong_type, for a `$recipient` that is no object."""
    for name in _OBJECTS:
        if not isinstance(sample.get(name) or {}, dict):
            raise Problem(Code.WRONG_TYPE, f"`{name}` must be an object.", pointer=f"{pointer}/{name}")


def _wrong(name: str, text: str, fields: Mapping[str, Any]) -> FieldError | None:
    if name not in fields:
        return FieldError(f"/content/{name}", Code.UNKNOWN_FIELD, f"`{name}` is not a field here: {', '.join(fields)}.")
    if len(text) > fields[name].most:
        return FieldError(f"/content/{name}", Code.OUT_OF_RANGE, f"At most {fields[name].most:,} characters.")
    return None
