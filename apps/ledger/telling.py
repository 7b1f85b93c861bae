"""Who listens to what becomes of messages, and what there is to tell.

Triggers write the changes (telling.sql), in the transaction of whatever happened; a reader takes them out of the table in its own. There
is no place in a sequence to remember, so what commits late is only taken later.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.enums import Category, Channel, DeliveryStatus, EventKind, KeyMode
from apps.core.rows import execute, fetch

ACCEPTED = "accepted"
STATUS, EVENT = "status.", "event."
KINDS = frozenset({ACCEPTED, *(STATUS + s for s in DeliveryStatus), *(EVENT + e for e in EventKind)})


@dataclass(frozen=True, slots=True)
class Change:
    """`id`: its own, for ever. `kind`: one of KINDS. `at`: when it happened. `reason`: a Reason or empty. The other facts are those of
    its delivery and notification; None where a row is gone."""

    id: UUID
    tenant_id: UUID
    kind: str
    at: datetime
    reason: str
    notification_id: UUID
    delivery_id: UUID | None
    recipient_id: UUID | None
    channel: Channel | None
    category: Category | None
    mode: KeyMode | None
    event_type: str


def listen(tenant_id: UUID, kinds: Collection[str]) -> None:
    """Changes of these kinds are kept for somebody to take, from this transaction's commit on, but for what a statement writes that has
    begun by then; none: no longer any."""
    assert KINDS.issuperset(kinds)
    if kinds:
        execute(
            """INSERT INTO ledger_listener AS l (tenant_id, kinds) VALUES (%(tenant)s, %(kinds)s)
            ON CONFLICT (tenant_id) DO UPDATE SET kinds = excluded.kinds WHERE l.kinds <> excluded.kinds""",
            {"tenant": tenant_id, "kinds": sorted(kinds)},
        )
    else:
        execute("DELETE FROM ledger_listener WHERE tenant_id = %(tenant)s", {"tenant": tenant_id})


def is_heard() -> bool:
    """Whether any tenant listens to anything."""
    return bool(fetch("SELECT EXISTS (SELECT FROM ledger_listener)", {})[0][0])


_TAKE = """
WITH taken AS (
    DELETE FROM ledger_change WHERE id = ANY(ARRAY(SELECT id FROM ledger_change ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED))
    RETURNING *
)
SELECT t.id, t.tenant_id, t.kind, t.at, t.reason, t.notification_id, t.delivery_id, n.recipient_id, d.channel, n.category, n.mode,
    coalesce(n.event_type, '')
FROM taken t LEFT JOIN ledger_notification n ON n.id = t.notification_id LEFT JOIN ledger_delivery d ON d.id = t.delivery_id
ORDER BY t.id
"""


def take_changes(most: int) -> list[Change]:
    """The oldest that nobody else is taking; gone when the caller's transaction commits, there again when it does not. One statement."""
    return [_change(row) for row in fetch(_TAKE, {"most": most})]


def _change(row: tuple[Any, ...]) -> Change:
    *facts, channel, category, mode, event_type = row
    enums = (
        Channel(channel) if channel else None,
        Category(category) if category else None,
        KeyMode(mode) if mode else None,
    )
    values: tuple[Any, ...] = (*facts, *enums, event_type)
    return Change(*values)
