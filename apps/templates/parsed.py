"""Published versions, parsed, kept per process. A version never changes, so neither does what is kept; only which is current does."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any
from uuid import UUID

from liquid.template import BoundTemplate

from apps.core.enums import Channel
from apps.templates import braces, engine, selectors
from apps.templates.content import FIELDS, LAYOUT_FIELDS, Field
from apps.templates.faults import RenderError, place_of

MOST_KEPT = 256
_kept: OrderedDict[UUID, "Version"] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Part:
    """One field; without any Liquid it is its own result."""

    field: Field
    template: BoundTemplate | str


class Variant:
    """One channel in one locale. Parsed when first asked for."""

    __slots__ = ("_fields", "_parts", "compiled", "locale")

    def __init__(self, locale: str, compiled: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
        self.locale = locale
        self.compiled = compiled
        self._fields = fields
        self._parts: tuple[Part, ...] | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order of the table of fields. Raises RenderError."""
        if self._parts is None:
            self._parts = tuple(
                self._part(field)
                for field in self._fields.values()
                if self.compiled.get(field.name) or field.is_required
            )
        return self._parts

    def _part(self, field: Field) -> Part:
        text = self.compiled.get(field.name, "")
        try:
            return Part(field, engine.parse(text, is_html=field.is_html) if "{" in text or "}" in text else text)
        except RenderError as error:
            raise self.located(error, field) from error

    def located(self, error: RenderError, field: Field) -> RenderError:
        """The same error with its field; in compiled HTML its place is mapped back to what the author wrote."""
        line, column = error.line, error.column
        if field.is_html and error.index is not None and self.compiled.get("html_marks"):
            line, column = mark_of(self.compiled, error.index)
        return RenderError(error.code, error.detail, field=field.name, line=line, column=column)


def mark_of(compiled: Mapping[str, Any], index: int) -> tuple[int, int]:
    """Line and column, in what the author wrote, of a place within a tag of the compiled HTML. Tags are the same in both."""
    html: str = compiled["html"]
    tags = braces.tags(html, is_html=True)
    number = max(bisect_right([tag.start for tag in tags], index) - 1, 0)
    line, column = compiled["html_marks"][number]
    further, within = place_of(html[tags[number].start : index + 1], index - tags[number].start)
    return line + further - 1, within if further > 1 else column + within - 1


class Version:
    """All variants of one version."""

    __slots__ = ("id", "number", "variants")

    def __init__(
        self, id: UUID, number: int, rows: Iterable[tuple[str, str, Mapping[str, Any]]], *, is_layout: bool = False
    ) -> None:
        """`rows`: channel, locale, compiled."""
        self.id = id
        self.number = number
        self.variants: dict[Channel, dict[str, Variant]] = {}
        for name, locale, compiled in rows:
            channel = Channel(name)
            fields = LAYOUT_FIELDS if is_layout else FIELDS[channel]
            self.variants.setdefault(channel, {})[locale] = Variant(locale, compiled, fields)

    def variant(self, channel: Channel, locales: Sequence[str]) -> Variant | None:
        known = self.variants.get(channel)
        if known is not None:
            for locale in locales:
                if locale in known:
                    return known[locale]
        return None


@dataclass(frozen=True, slots=True)
class Content:
    """The current version of a template and that of its layout."""

    version: Version
    layout: Version | None

    @property
    def channels(self) -> frozenset[Channel]:
        """Those with a variant in any locale."""
        return frozenset(self.version.variants)


def published(pairs: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], Content]:
    """By (tenant id, key); templates that are not published are left out. At most two queries, one when all is known."""
    rows = selectors.current_versions(pairs)
    wanted: dict[UUID, tuple[int, bool]] = {}
    for row in rows:
        wanted[row.version_id] = (row.number, False)
        if row.layout_version_id is not None:
            wanted[row.layout_version_id] = (row.layout_number, True)
    versions = _versions(wanted)
    return {
        (row.tenant_id, row.key): Content(
            versions[row.version_id], versions[row.layout_version_id] if row.layout_version_id else None
        )
        for row in rows
    }


def past(version_id: UUID) -> Content | None:
    """What was sent then, in today's layout. At most two queries."""
    row = selectors.past_version(version_id)
    if row is None:
        return None
    wanted = {row.version_id: (row.number, False)}
    if row.layout_version_id is not None:
        wanted[row.layout_version_id] = (row.layout_number, True)
    versions = _versions(wanted)
    return Content(versions[row.version_id], versions[row.layout_version_id] if row.layout_version_id else None)


def _versions(wanted: Mapping[UUID, tuple[int, bool]]) -> dict[UUID, Version]:
    with _lock:
        found = {id: _kept[id] for id in wanted if id in _kept}
        for id in found:
            _kept.move_to_end(id)
    absent = [id for id in wanted if id not in found]
    if not absent:
        return found
    rows = selectors.compiled_variants(absent)
    made = {id: Version(id, wanted[id][0], rows.get(id, ()), is_layout=wanted[id][1]) for id in absent}
    with _lock:
        _kept.update(made)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return found | made


def forget_kept() -> None:
    """For tests and measurements."""
    with _lock:
        _kept.clear()
