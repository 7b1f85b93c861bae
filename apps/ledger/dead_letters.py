"""What was set aside and waits for an operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.ledger.models import DeadLetter


@dataclass(frozen=True, slots=True)
class Letter:
    id: UUID
    notification_id: UUID
    delivery_id: UUID | None
    queue: str
    reason: str
    context: dict[str, Any]
    created_at: datetime


def open_letters(*, tenant_id: UUID, before: UUID | None, limit: int, reason: str = "") -> list[Letter]:
    """Newest first. One query."""
    rows = DeadLetter.objects.of(tenant_id).filter(resolved_at=None).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    if reason:
        rows = rows.filter(reason=reason)
    return [
        Letter(row.id, row.notification_id, row.delivery_id, row.queue, row.reason, row.context, row.created_at)
        for row in rows[:limit]
    ]


def open_ids(*, tenant_id: UUID, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Those of `ids` that are this tenant's and open."""
    return frozenset(
        DeadLetter.objects.of(tenant_id).filter(id__in=list(ids), resolved_at=None).values_list("id", flat=True)
    )


def count_open(*, most: int) -> int:
    """Of all tenants; counting stops at `most`."""
    return DeadLetter.objects.all_tenants().filter(resolved_at=None)[:most].count()
