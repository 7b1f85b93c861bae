"""What routing decided, written: deliveries and their work, each once however often it is repeated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from apps.core import ids
from apps.core.enums import Channel, DeliveryStatus, Reason
from apps.core.rows import execute, fetch, recordset
from apps.core.types import NotificationFacts, Work
from apps.ledger.lifecycle import WAITING


@dataclass(frozen=True, slots=True)
class Decided:
    """One delivery to be: QUEUED or HELD (then `due_at` says until when), or withheld with its reason. `is_bundled`: it waits in a
    bundle, without work of its own."""

    work: Work
    facts: NotificationFacts
    channel: Channel
    endpoint_id: UUID | None
    status: DeliveryStatus
    reason: Reason | None = None
    bypassed: Reason | None = None
    due_at: datetime | None = None
    place: str = ""
    because: Mapping[str, Any] = field(default_factory=dict)
    merged_into: UUID | None = None
    is_bundled: bool = False


def delivery_id(notification_id: UUID, channel: Channel, endpoint_id: UUID | None) -> UUID:
    """The same for the same three: a second routing of a notification makes no second delivery."""
    return ids.derived(notification_id, channel.value, endpoint_id or "")


_WRITE = """
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS r(
        id uuid, notification_id uuid, tenant_id uuid, recipient_id uuid, channel text, endpoint_id uuid,
        category text, mode text, status text, reason text, bypassed text, because jsonb, merged_into uuid,
        is_open boolean, has_work boolean, priority smallint, place text, due_at timestamptz, expires_at timestamptz,
        ordering_key text, order_at timestamptz, variant smallint)
), delivery AS (
    INSERT INTO ledger_delivery (
        id, notification_id, tenant_id, recipient_id, channel, endpoint_id, category, mode, status, reason, bypassed,
        because, merged_into, variant, place, ended_at)
    SELECT id, notification_id, tenant_id, recipient_id, channel, endpoint_id, category, mode, status, reason, bypassed,
        because, merged_into, variant, place, CASE WHEN NOT is_open THEN now() END
    FROM input ON CONFLICT (id) DO NOTHING RETURNING id
)
INSERT INTO ledger_work_item (
    id, lane, queue, kind, channel, tenant_id, notification_id, priority, due_at, expires_at, ordering_key, order_at)
SELECT id, category, 'send.' || category || '.' || channel, 'send', channel, tenant_id, notification_id, priority,
    coalesce(due_at, now()), expires_at, ordering_key, order_at
FROM input WHERE has_work AND id IN (SELECT id FROM delivery)
ON CONFLICT DO NOTHING
RETURNING queue
"""


def write_deliveries(decided: Sequence[Decided]) -> set[str]:
    """One statement for all; returns the queues that got work. The caller removed the routing work in the same transaction."""
    if not decided:
        return set()
    return {queue for (queue,) in fetch(_WRITE, {"rows": recordset(map(_row, decided))})}


class Address(NamedTuple):
    """Where a delivery goes that was held before that was decided."""

    delivery_id: UUID
    endpoint_id: UUID | None
    place: str


def address_deliveries(addresses: Sequence[Address]) -> None:
    """Each once; one statement for all."""
    columns = [list(column) for column in zip(*addresses, strict=True)]
    execute(
        """UPDATE ledger_delivery d SET endpoint_id = a.endpoint_id, place = a.place
        FROM unnest(%(ids)s::uuid[], %(endpoints)s::uuid[], %(places)s::text[]) AS a(id, endpoint_id, place)
        WHERE d.id = ANY(%(ids)s) AND d.id = a.id AND d.endpoint_id IS NULL""",
        dict(zip(("ids", "endpoints", "places"), columns, strict=True)),
    )


def note_bypasses(bypassed: Mapping[UUID, tuple[Reason, Mapping[str, Any]]]) -> None:
    """By delivery: the "no" that was overridden just before sending, and what it rested on. One statement; none for none."""
    if bypassed:
        rows = [{"id": id_, "bypassed": reason, "because": because} for id_, (reason, because) in bypassed.items()]
        execute(
            """UPDATE ledger_delivery d SET bypassed = r.bypassed, because = r.because
            FROM json_to_recordset(%(rows)s) AS r(id uuid, bypassed text, because jsonb)
            WHERE d.id = ANY(%(ids)s) AND d.id = r.id AND d.bypassed = ''""",
            {"rows": recordset(rows), "ids": list(bypassed)},
        )


def _row(d: Decided) -> dict[str, Any]:
    work = d.work
    return {
        "id": delivery_id(work.notification_id, d.channel, d.endpoint_id),
        "notification_id": work.notification_id,
        "tenant_id": work.tenant_id,
        "recipient_id": d.facts.recipient_id,
        "channel": d.channel,
        "endpoint_id": d.endpoint_id,
        "category": d.facts.category,
        "mode": d.facts.mode,
        "status": d.status,
        "reason": d.reason or "",
        "place": d.place,
        "bypassed": d.bypassed or "",
        "because": d.because or None,
        "merged_into": d.merged_into,
        "is_open": d.status in WAITING,
        "has_work": d.status in WAITING and not d.is_bundled,
        "priority": work.priority,
        "due_at": d.due_at,
        "expires_at": work.expires_at,
        "ordering_key": work.ordering_key,
        "order_at": work.order_at,
        "variant": d.facts.variant,
    }


def claim_keys(keys: Mapping[bytes, tuple[UUID, timedelta]]) -> dict[bytes, UUID]:
    """Takes each key for its (id, time) unless somebody holds it; returns the holders of those that were taken before."""
    if not keys:
        return {}
    rows = [
        {"key": memoryview(key), "ref_id": ref, "ttl": ttl.total_seconds()} for key, (ref, ttl) in sorted(keys.items())
    ]
    found = fetch(
        """WITH input AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%(rows)s) AS r(key bytea, ref_id uuid, ttl float)
        ), taken AS (
            INSERT INTO ledger_seen_key AS s (key, ref_id, expires_at)
            SELECT key, ref_id, now() + ttl * interval '1 second' FROM input
            ON CONFLICT (key) DO UPDATE SET ref_id = excluded.ref_id, expires_at = excluded.expires_at
                WHERE s.expires_at < now()
            RETURNING key)
        SELECT i.key FROM input i WHERE i.key NOT IN (SELECT key FROM taken)""",
        {"rows": recordset(rows)},
    )
    held = [bytes(key) for (key,) in found]
    if not held:
        return {}
    holders = fetch("SELECT key, ref_id FROM ledger_seen_key WHERE key = ANY(%(keys)s)", {"keys": held})
    return {bytes(key): ref for key, ref in holders}
