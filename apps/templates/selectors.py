"""Questions about templates: the hot ones of sending, the cached one of ingest, and the API's."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.core.pagination import PageRequest
from apps.core.types import Tenant
from apps.templates import models

KNOWN_SECONDS = 1.0
_MOST_KNOWN = 10_000
_known: dict[tuple[UUID, str], float] = {}


@dataclass(frozen=True, slots=True)
class CurrentVersion:
    tenant_id: UUID
    key: str
    version_id: UUID
    number: int
    layout_version_id: UUID | None
    layout_number: int


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
    """`action`: published or rolled_back."""

    number: int
    action: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TemplateRow:
    id: UUID
    key: str
    name: str
    is_layout: bool
    current: int | None
    created_at: datetime
    updated_at: datetime


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
    rows = models.Template.objects.all_tenants().filter(wanted, is_layout=False, current__isnull=False)
    return [
        CurrentVersion(tenant_id, key, version_id, number, layout_version_id, layout_number or 0)
        for tenant_id, key, version_id, number, layout_version_id, layout_number in rows.values_list(
            *("tenant_id", "key", "current_id", "current__number"),
            *("current__layout__current_id", "current__layout__current__number"),
        )
    ]


def past_version(version_id: UUID) -> CurrentVersion | None:
    """A version, current or not, with its layout as it is today. The id comes from the ledger."""
    row = (
        models.TemplateVersion.objects.all_tenants()
        .filter(id=version_id)
        .values_list(
            *("template__tenant_id", "template__key", "id", "number", "layout__current_id", "layout__current__number")
        )
        .first()
    )
    if row is None:
        return None
    tenant_id, key, id_, number, layout_id, layout_number = row
    return CurrentVersion(tenant_id, key, id_, number, layout_id, layout_number or 0)


def compiled_variants(version_ids: Iterable[UUID]) -> dict[UUID, list[tuple[str, str, dict[str, Any]]]]:
    """Channel, locale and compiled content by version. The ids come from `current_versions`, which asks by tenant."""
    found: defaultdict[UUID, list[tuple[str, str, dict[str, Any]]]] = defaultdict(list)
    rows = models.TemplateVariant.objects.all_tenants().filter(version_id__in=list(version_ids))
    for version_id, channel, locale, compiled in rows.values_list("version_id", "channel", "locale", "compiled"):
        found[version_id].append((channel, locale, compiled))
    return found


def has_published(tenant_id: UUID, key: str) -> bool:
    """Whether this template can be sent. A yes is kept in this process for KNOWN_SECONDS; a no is asked again."""
    if _known.get((tenant_id, key), 0.0) > monotonic():
        return True
    rows = models.Template.objects.of(tenant_id).filter(key=key, is_layout=False, current__isnull=False)
    found = key.isprintable() and rows.exists()
    if found:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[tenant_id, key] = monotonic() + KNOWN_SECONDS
    return found


def forget_known() -> None:
    """For tests."""
    _known.clear()


_TEMPLATE = ("id", "key", "name", "is_layout", "current__number", "created_at", "updated_at")
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
    return [StepRow(*row) for row in rows.values_list("version__number", "action", "by", "created_at")[:most]]


def _first(rows: Any) -> VersionRow | None:
    row = rows.values_list(*_VERSION).first()
    return _version(row) if row else None


def _version(row: tuple[Any, ...]) -> VersionRow:
    id, number, layout, sample, published_at, published_by, current_id, created_at = row
    return VersionRow(id, number, layout or "", sample, published_at, published_by, id == current_id, created_at)
