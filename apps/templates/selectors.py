"""Questions about templates: the hot ones of sending, the cached one of ingest, and the API's."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from apps.core.pagination import PageRequest
from apps.core.types import Tenant
from apps.templates import models

KNOWN_SECONDS = 1.0
_MOST_KNOWN = 10_000
_known: dict[tuple[UUID, str], float] = {}


@dataclass(frozen=True, slots=True)
class CurrentVersion:
    """`staged_id`: the version of `share` in 10,000 people."""

    tenant_id: UUID
    key: str
    version_id: UUID
    staged_id: UUID | None = None
    share: int = 0


@dataclass(frozen=True, slots=True)
class CompiledRow:
    """A variant of a published version. `layout_version_id`: of its layout, as it was when it was published."""

    version_id: UUID
    number: int
    is_layout: bool
    layout_version_id: UUID | None
    channel: str
    locale: str
    compiled: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VariantRow:
    """`source`: what the author wrote, by field; `compiled`: what is rendered, once published."""

    channel: str
    locale: str
    source: Mapping[str, str]
    compiled: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A draft while `published_at` is None. `layout`: its key, or ""."""

    id: UUID
    number: int
    layout: str
    sample: Mapping[str, Any]
    published_at: datetime | None
    published_by: str
    is_current: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StepRow:
    """`action`: of models.Action. `share`: of the people, in percent, who get it from then on."""

    number: int
    action: str
    by: str
    at: datetime
    share: float = 100.0
    because: str = ""


@dataclass(frozen=True, slots=True)
class TemplateRow:
    id: UUID
    key: str
    name: str
    is_layout: bool
    current: int | None
    created_at: datetime
    updated_at: datetime
    is_partial: bool = False


def current_versions(pairs: Iterable[tuple[UUID, str]]) -> list[CurrentVersion]:
    """For (tenant id, key) of many tenants at once: each condition names its tenant. Layouts are not sent and not found here."""
    keys: defaultdict[UUID, set[str]] = defaultdict(set)
    for tenant_id, key in pairs:
        keys[tenant_id].add(key)
    if not keys:
        return []
    wanted = Q()
    for tenant_id, names in keys.items():
        wanted |= Q(tenant_id=tenant_id, key__in=sorted(names))
    rows = models.Template.objects.all_tenants().filter(
        wanted, is_layout=False, is_partial=False, current__isnull=False
    )
    return [CurrentVersion(*row) for row in rows.values_list("tenant_id", "key", "current_id", "staged_id", "share")]


def current_partials(tenant: Tenant, keys: Iterable[str]) -> dict[str, UUID]:
    """The current versions of published partials, by key."""
    named = [key for key in keys if key.isprintable()]
    rows = models.Template.objects.of(tenant).filter(key__in=named, is_partial=True, current__isnull=False)
    return dict(rows.values_list("key", "current_id"))


def compiled_rows(version_ids: Iterable[UUID]) -> list[CompiledRow]:
    """The variants of published versions, and of the layouts that those have within them. One query. The ids come from the ledger, or
    from `current_versions`, which asks by tenant."""
    known = list(version_ids)
    layouts = models.TemplateVersion.objects.all_tenants().filter(id__in=known, layout_version__isnull=False)
    rows = models.TemplateVariant.objects.all_tenants().filter(
        Q(version_id__in=known) | Q(version_id__in=layouts.values("layout_version_id")),
        version__published_at__isnull=False,
    )
    return [
        CompiledRow(*row)
        for row in rows.values_list(
            *("version_id", "version__number", "version__template__is_layout", "version__layout_version_id"),
            *("channel", "locale", "compiled"),
        )
    ]


@dataclass(frozen=True, slots=True)
class Outdated:
    """A template whose current version has `pinned` of a layout or partial `part`, of which `current` is published by now."""

    key: str
    number: int
    part: str
    pinned: int
    current: int


def outdated(tenant: Tenant) -> list[Outdated]:
    """Those that would change by being published again, by key. Two queries."""
    return [one for one in _worn(tenant) if one.pinned != one.current]


def wearers(tenant: Tenant, key: str) -> list[Outdated]:
    """Every template whose current version has that layout or partial within it. Two queries."""
    return [one for one in _worn(tenant) if one.part == key]


def _worn(tenant: Tenant) -> list[Outdated]:
    live = models.TemplateVersion.objects.of(tenant).filter(template__current=F("id"), layout_version__isnull=False)
    worn = live.values_list(
        *("template__key", "number", "layout__key", "layout_version__number", "layout__current__number")
    )
    parts = models.TemplatePart.objects.of(tenant).filter(version__template__current=F("version_id"))
    put_in = parts.values_list(
        *("version__template__key", "version__number", "part__template__key"),
        *("part__number", "part__template__current__number"),
    )
    found = [Outdated(*row) for row in (*worn, *put_in)]
    return sorted(found, key=lambda one: (one.key, one.part))


def has_published(tenant_id: UUID, key: str) -> bool:
    """Whether this template can be sent. A yes is kept in this process for KNOWN_SECONDS; a no is asked again."""
    if _known.get((tenant_id, key), 0.0) > monotonic():
        return True
    rows = models.Template.objects.of(tenant_id).filter(
        key=key, is_layout=False, is_partial=False, current__isnull=False
    )
    found = key.isprintable() and rows.exists()
    if found:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[tenant_id, key] = monotonic() + KNOWN_SECONDS
    return found


def forget_known() -> None:
    """For tests."""
    _known.clear()


_TEMPLATE = ("id", "key", "name", "is_layout", "current__number", "created_at", "updated_at", "is_partial")
_VERSION = (
    "id",
    "number",
    "layout__key",
    "sample",
    "published_at",
    "published_by",
    "template__current_id",
    "created_at",
)


def templates(tenant: Tenant, page: PageRequest) -> list[TemplateRow]:
    """Newest first, one more than asked for when there are more."""
    rows = models.Template.objects.of(tenant).order_by("-id")
    if page.before is not None:
        rows = rows.filter(id__lt=page.before)
    return [TemplateRow(*row) for row in rows.values_list(*_TEMPLATE)[: page.limit + 1]]


def template_by_key(tenant: Tenant, key: str) -> TemplateRow | None:
    rows = models.Template.objects.of(tenant).filter(key=key).values_list(*_TEMPLATE)
    row = rows.first() if key.isprintable() else None
    return TemplateRow(*row) if row else None


def versions(tenant: Tenant, template_id: UUID, page: PageRequest) -> list[VersionRow]:
    """Newest first, one more than asked for when there are more."""
    rows = models.TemplateVersion.objects.of(tenant).filter(template_id=template_id).order_by("-id")
    if page.before is not None:
        rows = rows.filter(id__lt=page.before)
    return [_version(row) for row in rows.values_list(*_VERSION)[: page.limit + 1]]


def draft(tenant: Tenant, template_id: UUID) -> VersionRow | None:
    return _first(models.TemplateVersion.objects.of(tenant).filter(template_id=template_id, published_at=None))


def version_by_number(tenant: Tenant, template_id: UUID, number: int) -> VersionRow | None:
    return _first(models.TemplateVersion.objects.of(tenant).filter(template_id=template_id, number=number))


def variants(tenant: Tenant, version_id: UUID) -> list[VariantRow]:
    """In the order in which they were given."""
    rows = models.TemplateVariant.objects.of(tenant).filter(version_id=version_id).order_by("id")
    return [VariantRow(*row) for row in rows.values_list("channel", "locale", "source", "compiled")]


def steps(tenant: Tenant, template_id: UUID, most: int) -> list[StepRow]:
    """What became current when, newest first."""
    rows = models.TemplateStep.objects.of(tenant).filter(template_id=template_id).order_by("-id")
    named = rows.values_list("version__number", "action", "by", "created_at", "share", "because")
    return [StepRow(number, action, by, at, share / 100, said) for number, action, by, at, share, said in named[:most]]


def _first(rows: Any) -> VersionRow | None:
    row = rows.values_list(*_VERSION).first()
    return _version(row) if row else None


def _version(row: tuple[Any, ...]) -> VersionRow:
    id, number, layout, sample, published_at, published_by, current_id, created_at = row
    return VersionRow(id, number, layout or "", sample, published_at, published_by, id == current_id, created_at)
