"""Published versions, parsed, kept per process. A version never changes, nor does its layout; only which is current, and for whom, does."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from threading import Lock
from typing import Any
from uuid import UUID

from liquid.template import BoundTemplate

from apps.core.enums import Channel
from apps.core.types import Tenant
from apps.templates import braces, engine, selectors
from apps.templates.content import Field, fields_of
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
        if "{" not in text and "}" not in text:
            return Part(field, text)
        try:
            return Part(field, engine.parse(text, is_html=field.is_html, partials=partials_of(self.compiled, field)))
        except RenderError as error:
            raise self.located(error, field) from error

    def located(self, error: RenderError, field: Field) -> RenderError:
        """The same error with its field; in compiled HTML its place is mapped back to what the author wrote."""
        line, column = error.line, error.column
        if field.is_html and error.index is not None and self.compiled.get("html_marks"):
            line, column = mark_of(self.compiled, error.index)
        return RenderError(error.code, error.detail, field=field.name, line=line, column=column)


def partials_of(compiled: Mapping[str, Any], field: Field) -> Mapping[str, str]:
    """What the partials say that this field renders, by key."""
    found: Mapping[str, str] = compiled.get("partials", {}).get("html" if field.is_html else "text", {})
    return found


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

    __slots__ = ("id", "layout_id", "number", "variants")

    def __init__(
        self,
        id: UUID,
        number: int,
        rows: Iterable[tuple[str, str, Mapping[str, Any]]],
        *,
        is_layout: bool = False,
        is_partial: bool = False,
        layout_id: UUID | None = None,
    ) -> None:
        """`rows`: channel, locale, compiled."""
        self.id = id
        self.number = number
        self.layout_id = layout_id
        self.variants: dict[Channel, dict[str, Variant]] = {}
        for name, locale, compiled in rows:
            channel = Channel(name)
            fields = fields_of(channel, is_layout=is_layout, is_partial=is_partial)
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
    """A version, and the version of its layout that it was published with. `staged`: what `share` in 10,000 people get instead."""

    version: Version
    layout: Version | None
    staged: "Content | None" = None
    share: int = 0

    @property
    def channels(self) -> frozenset[Channel]:
        """Those with a variant in any locale."""
        return frozenset(self.version.variants)

    def for_person(self, recipient_id: UUID) -> "Content":
        """The same one each time while the share does not fall."""
        if self.staged is not None and bucket(self.staged.version.id, recipient_id) < self.share:
            return self.staged
        return self


def bucket(version_id: UUID, recipient_id: UUID) -> int:
    """0 to 9,999: by a hash, so that each version is tried on others."""
    return int.from_bytes(blake2b(version_id.bytes + recipient_id.bytes, digest_size=8).digest()) % 10_000


def published(pairs: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], Content]:
    """By (tenant id, key); templates that are not published are left out. At most two queries, one when all is known."""
    rows = selectors.current_versions(pairs)
    found = versions([id for row in rows for id in (row.version_id, row.staged_id) if id is not None])
    return {
        (row.tenant_id, row.key): (
            replace(found[row.version_id], staged=found[row.staged_id], share=row.share)
            if row.staged_id is not None
            else found[row.version_id]
        )
        for row in rows
    }


def versions(version_ids: Iterable[UUID]) -> dict[UUID, Content]:
    """Published versions, current or not, each with its own layout and partials; others are left out. At most two queries, none when
    all is known."""
    wanted = list(dict.fromkeys(version_ids))
    found = _versions(wanted)
    layouts = {id: version.layout_id for id, version in found.items() if id in set(wanted) and version.layout_id}
    if absent := [id for id in layouts.values() if id not in found]:
        # dropped from what is kept, or kept without it
        found = found | _versions(absent)
    return {
        id: Content(found[id], found[layout] if (layout := layouts.get(id)) else None) for id in wanted if id in found
    }


def partials(tenant: Tenant, keys: Iterable[str]) -> dict[str, Version]:
    """The current versions of partials, by key. Two queries."""
    found = selectors.current_partials(tenant, keys)
    rows: dict[UUID, list[selectors.CompiledRow]] = {}
    for row in selectors.compiled_rows(found.values()):
        rows.setdefault(row.version_id, []).append(row)
    return {
        key: Version(id, theirs[0].number, [(r.channel, r.locale, r.compiled) for r in theirs], is_partial=True)
        for key, id in found.items()
        if (theirs := rows.get(id))
    }


def _versions(wanted: Sequence[UUID]) -> dict[UUID, Version]:
    """Those asked for, and the layouts of what was not kept."""
    with _lock:
        found = {id: _kept[id] for id in wanted if id in _kept}
        for id in found:
            _kept.move_to_end(id)
    absent = [id for id in wanted if id not in found]
    if not absent:
        return found
    rows: dict[UUID, list[selectors.CompiledRow]] = {}
    for row in selectors.compiled_rows(absent):
        rows.setdefault(row.version_id, []).append(row)
    made = {
        id: Version(
            id,
            theirs[0].number,
            [(row.channel, row.locale, row.compiled) for row in theirs],
            is_layout=theirs[0].is_layout,
            layout_id=theirs[0].layout_version_id,
        )
        for id, theirs in rows.items()
    }
    with _lock:
        _kept.update(made)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return found | made


def forget_kept() -> None:
    """For tests and measurements."""
    with _lock:
        _kept.clear()
