"""Flushing bundles, written: which items still wait, what became of each, and the summaries that speak for them.

All in one transaction of the caller's, under the locks of the flush work, of the bundles (in the order of their key, as `bundles.join`
takes them) and of the deliveries: it happens as a whole or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from apps.core import ids
from apps.core.enums import BundleKind, Category, Channel, DeliveryStatus, KeyMode, Priority, Reason
from apps.core.rows import execute, fetch, recordset
from apps.core.types import Work
from apps.core.types.work import SUMMARY
from apps.ledger.accepting import seal
from apps.ledger.work import CLAIMED, READY


@dataclass(frozen=True, slots=True)
class Open:
    """A bundle that is flushed, locked."""

    id: UUID
    tenant_id: UUID
    recipient_id: UUID
    channel: Channel
    category: Category
    mode: KeyMode
    kind: BundleKind
    key: str
    event_type: str
    most: int
    count: int
    flush_at: datetime
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that waits in it, locked."""

    bundle_id: UUID
    delivery_id: UUID
    notification_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of an item: MERGED into a summary, or withheld with its reason."""

    delivery_id: UUID
    status: DeliveryStatus
    reason: Reason | None = None
    because: Mapping[str, Any] = field(default_factory=dict)
    merged_into: UUID | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The notification that speaks for a bundle's items. `data`: what is sealed in it."""

    bundle: Open
    id: UUID
    priority: Priority
    template_key: str
    expires_at: datetime | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alone:
    """A delivery that goes out as it is: the only one of its group. `endpoint_id`: where to."""

    delivery_id: UUID
    endpoint_id: UUID | None
    place: str = ""


def summary_id(bundle_id: UUID, now: datetime) -> UUID:
    """The bundle's own, in the partition of `now`: the bundle may have been opened in a month that is over."""
    return ids.derived(ids.bound(now), SUMMARY, bundle_id)


def counts(bundle_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many have joined each. One query."""
    return dict(fetch("SELECT id, count FROM ledger_bundle WHERE id = ANY(%(ids)s)", {"ids": list(bundle_ids)}))


def hold_flushes(works: Sequence[Work]) -> set[UUID]:
    """Locks claimed flushes of one lane; the ids that are still ours."""
    rows = fetch(
        f"""SELECT id FROM ledger_work_item
        WHERE lane = %(lane)s AND id = ANY(%(ids)s) AND phase = {CLAIMED}
            AND lease_token = (%(tokens)s ->> id::text)::integer
        ORDER BY id FOR UPDATE""",
        {
            "lane": works[0].lane.value,
            "ids": [work.id for work in works],
            "tokens": Jsonb({str(work.id): work.lease_token for work in works}),
        },
    )
    return {id_ for (id_,) in rows}


def lock_bundles(ids: Iterable[UUID]) -> list[Open]:
    """Those that are open. Whoever wants to join one of them waits, and opens the next one."""
    rows = fetch(
        """SELECT id, tenant_id, recipient_id, channel, category, mode, kind, key, event_type, most, count, flush_at, opened_at
        FROM ledger_bundle WHERE id = ANY(%(ids)s) AND closed_at IS NULL
        ORDER BY recipient_id, channel, mode, category, kind, key FOR UPDATE""",
        {"ids": sorted(ids)},
    )
    return [
        Open(id_, tenant, recipient, Channel(channel), Category(category), KeyMode(mode), BundleKind(kind), *rest)
        for id_, tenant, recipient, channel, category, mode, kind, *rest in rows
    ]


def lock_waiting(bundle_ids: Sequence[UUID]) -> list[Waiting]:
    """Their items that have not ended otherwise, in the order they are told in."""
    rows = fetch(
        """SELECT i.bundle_id, d.id, d.notification_id, i.at FROM ledger_bundle_item i
        JOIN ledger_delivery d ON d.id = i.delivery_id
        WHERE i.bundle_id = ANY(%(ids)s) AND d.status = 'held' ORDER BY d.id FOR UPDATE OF d""",
        {"ids": list(bundle_ids)},
    )
    return sorted((Waiting(*row) for row in rows), key=lambda w: (w.at, w.notification_id))


_SUM_UP = """
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS r(
        id uuid, tenant_id uuid, recipient_id uuid, channel text, mode text, category text, event_type text, template_key text,
        priority smallint, sealed bytea, expires_at timestamptz)
), notification AS (
    INSERT INTO ledger_notification (
        id, tenant_id, recipient_id, mode, category, event_type, template_key, channels, priority, sealed, expires_at, source)
    SELECT id, tenant_id, recipient_id, mode, category, event_type, template_key, ARRAY[channel], priority, sealed,
        expires_at, %(source)s
    FROM input
)
INSERT INTO ledger_work_item (id, lane, queue, kind, tenant_id, notification_id, priority, expires_at)
SELECT id, category, 'route.' || category, 'route', tenant_id, id, priority, expires_at FROM input
"""


def write_summaries(summaries: Sequence[Summary]) -> None:
    """With their routing work: they take the way of every notification. One statement; none for none."""
    if summaries:
        execute(_SUM_UP, {"rows": recordset(map(_summary, summaries)), "source": SUMMARY})


def _summary(s: Summary) -> dict[str, Any]:
    return {
        "id": s.id,
        "tenant_id": s.bundle.tenant_id,
        "recipient_id": s.bundle.recipient_id,
        "channel": s.bundle.channel,
        "mode": s.bundle.mode,
        "category": s.bundle.category,
        "event_type": s.bundle.event_type,
        "template_key": s.template_key,
        "priority": s.priority.rank,
        "sealed": memoryview(seal(s.id, s.data, {})),
        "expires_at": s.expires_at,
    }


def end_items(ended: Sequence[Ended]) -> None:
    """One statement; none for none."""
    if ended:
        rows = [
            {
                "id": e.delivery_id,
                "status": e.status,
                "reason": e.reason or "",
                "because": e.because or None,
                "merged_into": e.merged_into,
            }
            for e in ended
        ]
        execute(
            """UPDATE ledger_delivery d
            SET status = i.status, ended_at = now(), merged_into = i.merged_into,
                because = CASE WHEN i.because IS NULL OR d.because IS NULL THEN coalesce(i.because, d.because)
                    ELSE i.because || jsonb_build_object('before', d.because - 'before') END,
                reason = CASE WHEN i.status = 'merged' THEN d.reason ELSE i.reason END
            FROM json_to_recordset(%(rows)s) AS i(id uuid, status text, reason text, because jsonb, merged_into uuid)
            WHERE d.id = ANY(%(ids)s) AND d.id = i.id AND d.status = 'held'""",
            {"rows": recordset(rows), "ids": [e.delivery_id for e in ended]},
        )


_LET_GO = """
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS r(id uuid, endpoint_id uuid, place text)
), delivery AS (
    UPDATE ledger_delivery d SET endpoint_id = i.endpoint_id, place = i.place FROM input i
    WHERE d.id = ANY(%(ids)s) AND d.id = i.id AND d.status = 'held'
    RETURNING d.id, d.category, d.channel, d.tenant_id, d.notification_id
)
INSERT INTO ledger_work_item (
    id, lane, queue, kind, channel, tenant_id, notification_id, priority, expires_at, ordering_key)
SELECT d.id, d.category, 'send.' || d.category || '.' || d.channel, 'send', d.channel, d.tenant_id, n.id, n.priority,
    n.expires_at, CASE WHEN n.ordering_key <> '' THEN n.recipient_id || '/' || n.ordering_key ELSE '' END
FROM delivery d JOIN ledger_notification n ON n.id = d.notification_id
ON CONFLICT DO NOTHING RETURNING queue
"""


def let_go(alone: Sequence[Alone]) -> set[str]:
    """They get work of their own again. Returns the queues that got it. One statement; none for none."""
    if not alone:
        return set()
    rows = [{"id": a.delivery_id, "endpoint_id": a.endpoint_id, "place": a.place} for a in alone]
    found = fetch(_LET_GO, {"rows": recordset(rows), "ids": [a.delivery_id for a in alone]})
    return {queue for (queue,) in found}


def close_bundles(closed: Mapping[UUID, UUID | None]) -> None:
    """By bundle: its summary, if there is one. One statement."""
    execute(
        """UPDATE ledger_bundle b SET closed_at = now(), summary_id = (%(summaries)s ->> b.id::text)::uuid
        WHERE b.id = ANY(%(ids)s) AND b.closed_at IS NULL""",
        {"ids": list(closed), "summaries": Jsonb({str(id_): str(into) for id_, into in closed.items() if into})},
    )


def postpone(waits: Sequence[tuple[Work, datetime]]) -> None:
    """Claimed flushes of one lane: not before then."""
    if waits:
        execute(
            f"""WITH moved AS (
                UPDATE ledger_work_item w SET phase = {READY}, lease_until = NULL, expiries = 0,
                    due_at = (%(due)s ->> w.id::text)::timestamptz
                WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND w.lease_token = (%(tokens)s ->> w.id::text)::integer
                RETURNING w.id, w.due_at)
            UPDATE ledger_bundle b SET flush_at = m.due_at FROM moved m WHERE b.id = ANY(%(ids)s) AND b.id = m.id""",
            {
                "lane": waits[0][0].lane.value,
                "ids": [work.id for work, _ in waits],
                "tokens": Jsonb({str(work.id): work.lease_token for work, _ in waits}),
                "due": Jsonb({str(work.id): at.isoformat() for work, at in waits}),
            },
        )


_SET_ASIDE = """
WITH gone AS (
    DELETE FROM ledger_work_item w
    WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND w.lease_token = (%(tokens)s ->> w.id::text)::integer
    RETURNING w.id
), bundle AS (
    UPDATE ledger_bundle b SET closed_at = now() FROM gone WHERE b.id = gone.id AND b.closed_at IS NULL RETURNING b.id
), delivery AS (
    UPDATE ledger_delivery d SET status = 'failed', reason = %(reason)s, ended_at = now()
    FROM ledger_bundle_item i JOIN bundle ON bundle.id = i.bundle_id
    WHERE d.id = i.delivery_id AND d.status = 'held'
    RETURNING d.id, d.tenant_id, d.notification_id, d.category, d.channel
)
INSERT INTO ledger_dead_letter (id, tenant_id, notification_id, delivery_id, queue, reason, context, created_at, resolution, resolved_by)
SELECT uuidv7(), tenant_id, notification_id, id, 'send.' || category || '.' || channel, %(reason)s, %(context)s, now(), '', ''
FROM delivery
"""


def set_aside(works: Sequence[Work], reason: Reason, context: Mapping[str, Any]) -> int:
    """Flushes of one lane that fail whenever they are tried: each item becomes a dead letter of its own, which an operator may send.
    Returns how many."""
    if not works:
        return 0
    parameters = {
        "lane": works[0].lane.value,
        "ids": [work.id for work in works],
        "tokens": Jsonb({str(work.id): work.lease_token for work in works}),
        "reason": reason.value,
        "context": Jsonb(dict(context)),
    }
    return execute(_SET_ASIDE, parameters)
