"""Segments as they are stored."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.audience import models
from apps.audience.models.segments import SegmentKind
from apps.core import ids

_FIELDS = (
    *("id", "tenant_id", "key", "name", "kind", "rules", "version", "count", "counted_at", "archived_at"),
    *("created_at", "updated_at"),
)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """`count`: people at `counted_at`; None: never counted."""

    id: UUID
    tenant_id: UUID
    key: str
    name: str
    kind: SegmentKind
    rules: Mapping[str, Any]
    version: int
    count: int | None
    counted_at: datetime | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_list(self) -> bool:
        return self.kind is SegmentKind.LIST

    @property
    def as_rule(self) -> dict[str, str]:
        """What names it in a tree."""
        return {"list" if self.is_list else "segment": self.key}


def segment(tenant_id: UUID, name: str) -> SegmentRow | None:
    """By key or shown id, archived ones included."""
    return by_names(tenant_id, {name}).get(name)


def by_names(tenant_id: UUID, names: Collection[str]) -> dict[str, SegmentRow]:
    """By key or shown id, as they were named. One query."""
    by_id = {id_: name for name in names if (id_ := ids.read(ids.SEGMENT, name)) is not None}
    keys = [name for name in names if name not in by_id.values() and "\x00" not in name]
    rows = models.Segment.objects.of(tenant_id).filter(Q(id__in=list(by_id)) | Q(key__in=keys)) if names else ()
    found: dict[str, SegmentRow] = {}
    for row in _rows(rows):
        if row.id in by_id:
            found[by_id[row.id]] = row
        if row.key in keys:
            found[row.key] = row
    return found


def segments(
    tenant_id: UUID, *, limit: int, before: UUID | None = None, with_archived: bool = False
) -> tuple[SegmentRow, ...]:
    """The newest first; `before`: only rows with a smaller id."""
    rows = models.Segment.objects.of(tenant_id)
    if not with_archived:
        rows = rows.filter(archived_at=None)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return tuple(_rows(rows.order_by("-id")[:limit]))


def live(tenant_id: UUID, *, most: int = 500) -> tuple[SegmentRow, ...]:
    """Those that can be used, by name."""
    return tuple(_rows(models.Segment.objects.of(tenant_id).filter(archived_at=None).order_by("name", "id")[:most]))


def _rows(rows: Any) -> Iterable[SegmentRow]:
    if not rows:
        return
    for row in rows.values_list(*_FIELDS):
        values = dict(zip(_FIELDS, row, strict=True))
        yield SegmentRow(**values | {"kind": SegmentKind(values["kind"])})
