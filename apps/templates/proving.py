"""A version is compiled and rendered in every channel and locale with its sample before it may be published."""

from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Recipient, Tenant
from apps.templates import engine, mail_build
from apps.templates.content import Field, fields_of
from apps.templates.digest_sample import DIGEST_SAMPLE
from apps.templates.faults import Fault, RenderError, place_of
from apps.templates.locales import locale_chain
from apps.templates.parsed import Content, Version, mark_of, partials, partials_of
from apps.templates.partials import naming
from apps.templates.rendering import EXAMPLE_LINKS, context_of, render

PERSON = "$recipient"
DIGEST = "$digest"
GIVEN = "$given"
"""Of a partial's sample: what those who render it give it by name."""
_NAMES = frozenset({"recipient", "user", "data", "tenant", "event", "vars", "digest"})
_LAYOUT_NAMES = _NAMES | {"content", "preheader"}


@dataclass(frozen=True, slots=True)
class Source:
    """What an author wrote for one channel in one locale; `""` is the default."""

    channel: Channel
    locale: str
    content: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """`compiled`: by variant, in the order of the sources. Nothing may be published while there are `errors`. `parts`: the versions of
    partials that it has within it."""

    compiled: tuple[Mapping[str, Any], ...]
    errors: tuple[FieldError, ...]
    parts: tuple[UUID, ...] = ()


def prove(
    *,
    tenant: Tenant,
    sources: Sequence[Source],
    sample: Mapping[str, Any],
    layout: Version | None,
    is_layout: bool,
    version_id: UUID,
    number: int,
    is_partial: bool = False,
) -> Proof:
    """Everything that is wrong, by JSON pointer `/variants/<index>/<field>`: one error a field, and one of rendering a variant."""
    results: list[dict[str, Any]] = []
    errors: list[FieldError] = []
    pieces = Pieces(tenant)
    for index, source in enumerate(sources):
        result, wrong = compiled(
            source, tenant, has_layout=layout is not None, is_layout=is_layout, is_partial=is_partial, pieces=pieces
        )
        results.append(result)
        errors += [field_error(index, error) for error in wrong]
    broken = {error.pointer.split("/")[2] for error in errors}
    rows = [(source.channel, source.locale, result) for source, result in zip(sources, results, strict=True)]
    version = Version(version_id, number, rows, is_layout=is_layout, is_partial=is_partial)
    for index, source in enumerate(sources):
        if str(index) in broken:
            continue
        content = behind_a_layout(version) if is_layout else Content(version, layout)
        context = sample_context(tenant, sample, source.locale)
        try:
            render(
                content,
                channel=source.channel,
                locales=(source.locale, *locale_chain(source.locale, tenant.locale)),
                context=context | dict(sample.get(GIVEN) or {}) if is_partial else context,
                is_proof=True,
            )
        except RenderError as error:
            errors.append(field_error(index, error))
    if not sources:
        errors.append(FieldError("/variants", Fault.EMPTY, "There is nothing to publish: add a variant."))
    return Proof(tuple(results), tuple(errors), pieces.used)


def refuse_bad_sample(sample: Mapping[str, Any], pointer: str) -> None:
    """What stands for a person, a summary or a partial's values is an object. Raises Problem: wrong_type."""
    for name in (PERSON, DIGEST, GIVEN):
        if not isinstance(sample.get(name) or {}, Mapping):
            raise Problem(Code.WRONG_TYPE, f"`{name}` is an object.", pointer=f"{pointer}/{name}")


def sample_context(tenant: Tenant, sample: Mapping[str, Any], locale: str) -> dict[str, object]:
    """`sample` is the data; its `$recipient` are the attributes of the person it is proven with, locale and timezone too; its
    `$digest` stands in for what a summary tells, where the template is one's: what it leaves out is DIGEST_SAMPLE's."""
    person = dict(sample.get(PERSON) or {})
    recipient = Recipient(
        id=tenant.id,
        tenant_id=tenant.id,
        user_id=str(person.pop("user_id", "u_sample")),
        locale=locale or str(person.pop("locale", "")),
        timezone=str(person.pop("timezone", "")),
        attributes=person,
        is_blocked=False,
    )
    data = {name: value for name, value in sample.items() if name not in (PERSON, DIGEST, GIVEN)}
    context = context_of(tenant=tenant, recipient=recipient, event_type="sample", data=data, variables=EXAMPLE_LINKS)
    return {**context, "digest": DIGEST_SAMPLE | dict(sample.get(DIGEST) or {})}


class Pieces:
    """The published partials of a tenant, asked for when they are first named."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self._found: dict[str, Version] = {}
        self._used: dict[UUID, None] = {}

    @property
    def used(self) -> tuple[UUID, ...]:
        return tuple(self._used)

    def texts(self, names: Set[str], channel: Channel, locale: str) -> dict[str, dict[str, str]]:
        """`html` (for html fields) and `text` (for all others) by name, in the nearest locale; without those that are not there."""
        if absent := {name for name in names if name not in self._found}:
            self._found |= partials(self.tenant, absent)
        locales = (locale, *locale_chain(locale, self.tenant.locale))
        found: dict[str, dict[str, str]] = {"html": {}, "text": {}}
        for name in sorted(names & self._found.keys()):
            if (variant := self._found[name].variant(channel, locales)) is not None:
                said = variant.compiled
                found["html"][name] = said.get("html", "")
                found["text"][name] = said.get("text" if channel is Channel.EMAIL else "body", "")
                self._used[self._found[name].id] = None
        return found


def compiled(
    source: Source,
    tenant: Tenant,
    *,
    has_layout: bool,
    is_layout: bool,
    is_partial: bool = False,
    pieces: Pieces | None = None,
) -> tuple[dict[str, Any], list[RenderError]]:
    fields = fields_of(source.channel, is_layout=is_layout, is_partial=is_partial)
    if is_layout and source.channel is not Channel.EMAIL:
        return {}, [RenderError(Fault.LAYOUT, "A layout is for email only.", field="channel")]
    result: dict[str, Any] = {}
    errors: list[RenderError] = []
    names = _names_of_partials(source, fields)
    if names and not is_partial:
        result["partials"] = (pieces or Pieces(tenant)).texts(names, source.channel, source.locale)
    for field in fields.values():
        text = source.content.get(field.name, "")
        try:
            if not text.strip():
                if field.is_required:
                    raise RenderError(Fault.EMPTY, f"`{field.name}` is required.")
                continue
            if field.is_html:
                is_fragment = has_layout or is_partial
                result |= _html(field, text, source.locale or tenant.locale, partials_of(result, field), is_fragment)
            else:
                result[field.name] = text
                engine.parse(text, partials=partials_of(result, field))
            _check_names(field, result, None if is_partial else _LAYOUT_NAMES if is_layout else _NAMES)
            if is_layout:
                _check_content(field, result[field.name])
        except RenderError as error:
            errors.append(RenderError(error.code, error.detail, field=field.name, line=error.line, column=error.column))
    return result, errors


def _names_of_partials(source: Source, fields: Mapping[str, Field]) -> set[str]:
    found: set[str] = set()
    for field in fields.values():
        text = source.content.get(field.name, "")
        if "render" in text:
            with naming() as named, suppress(RenderError):
                engine.parse(text, is_html=field.is_html, partials=None)
            found |= named
    return found


def _html(field: Field, text: str, locale: str, partials: Mapping[str, str], is_fragment: bool) -> dict[str, Any]:
    engine.parse(text, is_html=True, partials=partials)
    built = mail_build.build(text, is_fragment=is_fragment, locale=locale)
    return {field.name: built.html, "html_marks": built.marks, "text": built.text}


def _check_names(field: Field, compiled: Mapping[str, Any], names: frozenset[str] | None) -> None:
    """Filters and names of branches that the sample does not reach. None: whatever it is given."""
    text = compiled[field.name]
    found = engine.parse(text, is_html=field.is_html, partials=None).analyze(include_partials=False)
    known = engine.HTML.filters
    wrong = [
        (span.index, f"There is no filter `{name}`.")
        for name, at in found.filters.items()
        if name not in known
        for span in at
    ]
    wrong += [
        (at[0].span.index, f"There is no `{name}` here; data is `data.{name}`.")
        for name, at in found.globals.items()
        if names is not None and name not in names
    ]
    if not wrong:
        return
    index, said = min(wrong)
    line, column = mark_of(compiled, index) if field.is_html else place_of(text, index)
    raise RenderError(Fault.SYNTAX, said, line=line, column=column)


def _check_content(field: Field, text: str) -> None:
    found = engine.parse(text, is_html=field.is_html, partials=None).analyze(include_partials=False)
    if len(found.globals.get("content", ())) != 1:
        raise RenderError(Fault.LAYOUT, "A layout has `{{ content }}` exactly once.")


def behind_a_layout(layout: Version) -> Content:
    """Any body at all, to prove a layout with."""
    rows = [
        (Channel.EMAIL, "", {"subject": "Sample", "preheader": "Sample", "html": "<p>Sample</p>", "text": "Sample"})
    ]
    return Content(Version(layout.id, layout.number, rows), layout)


def field_error(index: int | None, error: RenderError) -> FieldError:
    pointer = "/".join(
        ["/variants", *([str(index)] if index is not None else []), *([error.field] if error.field else [])]
    )
    return FieldError(pointer, error.code, error.detail, error.line, error.column)
