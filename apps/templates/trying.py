"""What is being typed, as a reader would get it: rendered, linted, its variables looked up. Nothing is stored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.enums import Category
from apps.core.types import Recipient, Rendered, Tenant
from apps.templates import selectors
from apps.templates.content import fields_of
from apps.templates.faults import Fault, RenderError
from apps.templates.linting import Finding, Severity, lint
from apps.templates.linting.findings import weight
from apps.templates.locales import locale_chain
from apps.templates.parsed import Content, Version, versions
from apps.templates.proving import GIVEN, PERSON, Source, behind_a_layout, compiled, sample_context
from apps.templates.rendering import render
from apps.templates.suggesting import explained
from apps.templates.variables import Variable, variables_of

_MOST_ABSENT = 10
_ABSENT = re.compile(r"`(?:recipient|user)\.([^`.\[\]]+)` is missing\.")
_TRIED = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Kind:
    """What the source belongs to. `layout`: its key, or ""; `category`: of what is sent with it, where that is known."""

    is_layout: bool = False
    is_partial: bool = False
    layout: str = ""
    category: Category | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """`rendered` is None where it cannot be; then `findings` begin with why. `context`: what it was rendered with."""

    rendered: Rendered | None
    findings: tuple[Finding, ...]
    variables: tuple[Variable, ...]
    context: Mapping[str, Any]


def try_source(
    *, tenant: Tenant, source: Source, kind: Kind, sample: Mapping[str, Any], person: Recipient | None = None
) -> Trial:
    """`person`: whose attributes, locale and time zone stand in for the sample's."""
    context = context_for(tenant, sample, source.locale, person)
    outer = _layout(tenant, kind.layout)
    made, wrong = compiled(
        source, tenant, has_layout=bool(kind.layout), is_layout=kind.is_layout, is_partial=kind.is_partial
    )
    rendered: Rendered | None = None
    absent: list[Finding] = []
    if kind.layout and outer is None:
        wrong.append(RenderError(Fault.LAYOUT, f"The layout `{kind.layout}` is not published yet.", field="html"))
    if not wrong:
        rows = [(source.channel, source.locale, made)]
        version = Version(_TRIED, 0, rows, is_layout=kind.is_layout, is_partial=kind.is_partial)
        content = behind_a_layout(version) if kind.is_layout else Content(version, outer[0] if outer else None)
        try:
            rendered = _rendered(content, source, tenant, context, is_proof=True)
            absent = _absent(content, source, tenant, context)
        except RenderError as error:
            wrong.append(error)
    findings = [explained(error, source.content.get(error.field, ""), context) for error in wrong]
    remarks = lint(
        source.content,
        source.channel,
        kind.category,
        locale=source.locale or tenant.locale,
        rendered=rendered.content if rendered else None,
        layout=outer[1] if outer else None,
    )
    fields = fields_of(source.channel, is_layout=kind.is_layout, is_partial=kind.is_partial)
    return Trial(
        rendered,
        (*findings, *sorted((*absent, *(remarks if not kind.is_partial else ())), key=weight)),
        tuple(variables_of(source.content, fields)),
        context,
    )


def context_for(
    tenant: Tenant, sample: Mapping[str, Any], locale: str, person: Recipient | None = None
) -> dict[str, Any]:
    """As at send, with the sample's data; what those who render a partial give it stands beside that."""
    if person is not None:
        known = {"user_id": person.user_id, "locale": person.locale, "timezone": person.timezone}
        sample = {**sample, PERSON: {**person.attributes, **known}}
        locale = person.locale
    return {**sample_context(tenant, sample, locale), **dict(sample.get(GIVEN) or {})}


def _rendered(
    content: Content, source: Source, tenant: Tenant, context: Mapping[str, Any], *, is_proof: bool
) -> Rendered:
    locales = (source.locale, *locale_chain(source.locale, tenant.locale))
    return render(content, channel=source.channel, locales=locales, context=context, is_proof=is_proof)


def _absent(content: Content, source: Source, tenant: Tenant, context: Mapping[str, Any]) -> list[Finding]:
    """Attributes without which nothing would be sent: rendered for somebody who has none, and again with what was missing."""
    person = {name: context["recipient"][name] for name in ("user_id", "locale", "timezone")}
    findings: list[Finding] = []
    for _ in range(_MOST_ABSENT):
        try:
            _rendered(content, source, tenant, {**context, "recipient": person, "user": person}, is_proof=False)
        except RenderError as error:
            match = _ABSENT.search(error.detail)
            if match is None or match[1] in person:
                break
            name = match[1]
            said = f"`recipient.{name}`: who has none gets nothing. Say what else to write: `| default: '…'`."
            findings.append(Finding("no_default", Severity.WARNING, said, error.field, error.line, error.column))
            person = {**person, name: context["recipient"].get(name, "x")}
        else:
            break
    return findings


def _layout(tenant: Tenant, key: str) -> tuple[Version, Mapping[str, str]] | None:
    """The published layout, and what is written in its default variant."""
    layout = selectors.template_by_key(tenant, key) if key else None
    current = selectors.version_by_number(tenant, layout.id, layout.current) if layout and layout.current else None
    if layout is None or current is None or not layout.is_layout:
        return None
    rows = selectors.variants(tenant, current.id)
    return versions([current.id])[current.id].version, rows[0].source if rows else {}
