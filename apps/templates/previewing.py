"""A draft or a version as a reader would get it; nothing is stored."""

from collections.abc import Mapping
from typing import Any

from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Rendered, Tenant
from apps.templates import selectors
from apps.templates.faults import Fault, RenderError
from apps.templates.locales import locale_chain
from apps.templates.parsed import Content, Version, versions
from apps.templates.proving import (
    PERSON,
    Source,
    behind_a_layout,
    compiled,
    field_error,
    refuse_bad_sample,
    sample_context,
)
from apps.templates.rendering import render
from apps.templates.selectors import TemplateRow, VersionRow


def preview(
    *,
    tenant: Tenant,
    template: TemplateRow,
    version: VersionRow,
    channel: Channel,
    locale: str = "",
    data: Mapping[str, Any] | None = None,
    recipient: Mapping[str, Any] | None = None,
) -> Rendered:
    """Raises Problem: template_invalid, with pointers to the version's variants; a locale that has no variant is one too."""
    refuse_bad_sample(data or {}, "/data")
    person = {**(version.sample.get(PERSON) or {}), **(recipient or {})}
    sample = {**(version.sample if data is None else data), PERSON: person}
    locales = locale_chain(locale or str(person.get("locale", "")), tenant.locale)
    rows = selectors.variants(tenant, version.id)
    index = _nearest(rows, channel, locales)
    if index is None:
        detail = f"There is no content for {channel} in {', '.join(name or 'default' for name in locales)}."
        raise _problem(None, RenderError(Fault.NO_TEMPLATE, detail))
    row = rows[index]
    content: Mapping[str, Any] = row.compiled
    if version.published_at is None:
        source = Source(channel, row.locale, row.source)
        content, wrong = compiled(
            source,
            tenant,
            has_layout=bool(version.layout),
            is_layout=template.is_layout,
            is_partial=template.is_partial,
        )
        if wrong:
            raise _problem(index, *wrong)
    shown = Version(
        version.id,
        version.number,
        [(channel, row.locale, content)],
        is_layout=template.is_layout,
        is_partial=template.is_partial,
    )
    layout = _layout(tenant, version)
    try:
        return render(
            behind_a_layout(shown) if template.is_layout else Content(shown, layout),
            channel=channel,
            locales=locales,
            context=sample_context(tenant, sample, locale or str(person.get("locale", ""))),
            is_proof=True,
        )
    except RenderError as error:
        raise _problem(index, error) from error


def _nearest(rows: list[selectors.VariantRow], channel: Channel, locales: tuple[str, ...]) -> int | None:
    known = {row.locale: index for index, row in enumerate(rows) if row.channel == channel}
    return next((known[name] for name in locales if name in known), None)


def _layout(tenant: Tenant, version: VersionRow) -> Version | None:
    """A published version has its own."""
    if version.published_at is not None:
        return versions([version.id])[version.id].layout
    key = version.layout
    if not key:
        return None
    layout = selectors.template_by_key(tenant, key)
    current = selectors.version_by_number(tenant, layout.id, layout.current) if layout and layout.current else None
    if current is None:
        raise Problem(Code.TEMPLATE_INVALID, f"The layout `{key}` is not published yet.", pointer="/layout")
    return versions([current.id])[current.id].version


def _problem(index: int | None, *errors: RenderError) -> Problem:
    said = errors[0].detail if len(errors) == 1 else f"{len(errors)} things are wrong."
    return Problem(Code.TEMPLATE_INVALID, said, errors=[field_error(index, error) for error in errors])
