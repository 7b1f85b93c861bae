"""The latest deliveries of a kind, found without reading far."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.enums import Channel, KeyMode
from apps.core.rows import fetch
from apps.core.tenant_scope import seen_sql

LOOK_BACK = 5_000


@dataclass(frozen=True, slots=True)
class RecentDelivery:
    id: UUID
    tenant_id: UUID
    recipient_id: UUID
    notification_id: UUID
    category: str
    status: str
    at: datetime


def recent_deliveries(*, channel: Channel, mode: KeyMode, limit: int) -> list[RecentDelivery]:
    """Newest first, of the tenants that are seen, among the newest LOOK_BACK. One query."""
    seen, of = seen_sql()
    rows = fetch(
        f"""SELECT id, tenant_id, recipient_id, notification_id, category, status, coalesce(sent_at, ended_at, created_at) FROM (
            SELECT * FROM ledger_delivery ORDER BY id DESC LIMIT %(look_back)s) newest
        WHERE channel = %(channel)s AND mode = %(mode)s AND {seen} ORDER BY id DESC LIMIT %(limit)s""",
        {"look_back": LOOK_BACK, "channel": channel.value, "mode": mode.value, "limit": limit, **of},
    )
    return [RecentDelivery(*row) for row in rows]
