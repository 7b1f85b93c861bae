"""Bundles: deliveries that wait, without work of their own, to be summed up. One is open at a time for a recipient, channel, mode,
category, kind and key; as long as it is open its flush is a work item with its id.

Who changes bundles locks them in the order of their unique key; who flushes one closes it in the same transaction, so what comes
later opens the next one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from apps.core.enums import BundleKind, Category, Channel, KeyMode, Reason
from apps.core.rows import execute, fetch, recordset
from apps.core.types import Work

NOBODY: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Joining:
    """A delivery that is to wait. `at`: its place among the others; the bundle is flushed `until` then, or with `most` items; `leads`:
    unless one is open, it opens one and does not wait itself. `reason`, `because`: why it waits, for deliveries that exist."""

    delivery_id: UUID
    notification_id: UUID
    tenant_id: UUID
    recipient_id: UUID
    channel: Channel
    category: Category
    mode: KeyMode
    kind: BundleKind
    key: str
    until: datetime
    most: int
    at: datetime
    leads: bool = False
    event_type: str = ""
    reason: Reason | None = None
    because: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """`waiting`: deliveries that wait now; `leading`: those that go out at once; `queues`: have a flush that is due now."""

    waiting: frozenset[UUID] = NOBODY
    leading: frozenset[UUID] = NOBODY
    queues: frozenset[str] = frozenset()


_KEY = "recipient_id, channel, mode, category, kind, key"

_JOIN = f"""
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS r(
        place integer, delivery_id uuid, notification_id uuid, tenant_id uuid, recipient_id uuid, channel text, category text,
        mode text, kind text, key text, event_type text, most integer, until timestamptz, leads boolean, at timestamptz)
), bundle AS (
    INSERT INTO ledger_bundle AS b (
        id, tenant_id, recipient_id, channel, mode, category, kind, key, event_type, most, count, flush_at)
    SELECT uuidv7(), min(tenant_id::text)::uuid, {_KEY}, min(event_type), min(most), count(*), min(until)
    FROM input GROUP BY {_KEY} ORDER BY {_KEY}
    ON CONFLICT ({_KEY}) WHERE closed_at IS NULL DO UPDATE
        SET count = b.count + excluded.count, flush_at = least(b.flush_at, excluded.flush_at)
    RETURNING b.*, old.id IS NULL AS is_new, old.flush_at > new.flush_at AS is_sooner
), joined AS MATERIALIZED (
    SELECT i.*, b.id AS bundle_id, b.is_new AND i.leads AND i.place = min(i.place) OVER (PARTITION BY b.id) AS goes
    FROM input i JOIN bundle b USING ({_KEY})
), item AS (
    INSERT INTO ledger_bundle_item AS i (delivery_id, tenant_id, bundle_id, notification_id, at)
    SELECT delivery_id, tenant_id, bundle_id, notification_id, at FROM joined WHERE NOT goes
    ON CONFLICT (delivery_id) DO UPDATE SET bundle_id = excluded.bundle_id, at = excluded.at
), work AS (
    INSERT INTO ledger_work_item (id, lane, queue, kind, channel, tenant_id, notification_id, due_at)
    SELECT id, category, 'route.' || category, 'flush', channel, tenant_id, id,
        CASE WHEN count >= most THEN now() ELSE flush_at END
    FROM bundle WHERE is_new
)
SELECT j.delivery_id, j.goes, b.id, b.category, b.count >= b.most, NOT b.is_new AND (b.count >= b.most OR b.is_sooner)
FROM joined j JOIN bundle b ON b.id = j.bundle_id
"""

# a row that somebody else holds is being flushed, or is looked at again with the next one that joins
_SOONER = """
UPDATE ledger_work_item w SET due_at = CASE WHEN b.count >= b.most THEN now() ELSE b.flush_at END
FROM ledger_bundle b
WHERE w.lane = %(lane)s AND w.id = ANY(ARRAY(
        SELECT id FROM ledger_work_item WHERE lane = %(lane)s AND id = ANY(%(ids)s) AND phase = 0 FOR UPDATE SKIP LOCKED))
    AND b.id = w.id AND w.due_at > CASE WHEN b.count >= b.most THEN now() ELSE b.flush_at END
"""


def join(joinings: Iterable[Joining]) -> Joined:
    """Once in a transaction of the caller's, which writes the deliveries HELD and without work. One statement for all, and one more a
    lane where a flush is due sooner than planned; none for none."""
    each = sorted({j.delivery_id: j for j in joinings}.values(), key=lambda j: (j.at, j.notification_id))
    if not each:
        return Joined()
    rows = fetch(_JOIN, {"rows": recordset(_row(place, j) for place, j in enumerate(each))})
    sooner: dict[str, set[UUID]] = {}
    for _, _, bundle_id, lane, _, is_sooner in rows:
        if is_sooner:
            sooner.setdefault(lane, set()).add(bundle_id)
    for lane, ids in sooner.items():
        execute(_SOONER, {"lane": lane, "ids": list(ids)})
    return Joined(
        waiting=frozenset(id_ for id_, goes, *_ in rows if not goes),
        leading=frozenset(id_ for id_, goes, *_ in rows if goes),
        queues=frozenset(f"route.{lane}" for _, _, _, lane, is_full, _ in rows if is_full),
    )


def _row(place: int, j: Joining) -> dict[str, Any]:
    return {
        "place": place,
        "delivery_id": j.delivery_id,
        "notification_id": j.notification_id,
        "tenant_id": j.tenant_id,
        "recipient_id": j.recipient_id,
        "channel": j.channel,
        "category": j.category,
        "mode": j.mode,
        "kind": j.kind,
        "key": j.key,
        "event_type": j.event_type,
        "most": j.most,
        "until": j.until,
        "leads": j.leads,
        "at": j.at,
    }


_WITHDRAW = """
WITH gone AS (
    DELETE FROM ledger_work_item w
    WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND w.lease_token = (%(tokens)s ->> w.id::text)::integer
    RETURNING w.id
)
UPDATE ledger_delivery d
SET status = 'held', reason = i.reason,
    because = CASE WHEN i.because IS NULL OR d.because IS NULL THEN coalesce(i.because, d.because)
        ELSE i.because || jsonb_build_object('before', d.because - 'before') END
FROM json_to_recordset(%(why)s) AS i(id uuid, reason text, because jsonb)
WHERE d.id = ANY(%(ids)s) AND d.id = i.id AND d.id IN (SELECT id FROM gone) AND d.status IN ('queued', 'held')
RETURNING d.id
"""


def withdraw(works: Sequence[Work], joinings: Collection[Joining]) -> Joined:
    """Deliveries that were about to be sent wait instead: claimed sends of one lane, in the order of `joinings`, in the caller's
    transaction. Those whose work was taken away meanwhile are in none of the answer's sets. Two statements, and what `join` says."""
    if not works:
        return Joined()
    why = [{"id": j.delivery_id, "reason": j.reason or "", "because": j.because or None} for j in joinings]
    parameters = {
        "lane": works[0].lane.value,
        "ids": [work.id for work in works],
        "tokens": Jsonb({str(work.id): work.lease_token for work in works}),
        "why": recordset(why),
    }
    mine = {id_ for (id_,) in fetch(_WITHDRAW, parameters)}
    return join(j for j in joinings if j.delivery_id in mine)


class Waits(NamedTuple):
    """A delivery in an open bundle, with how many joined it."""

    delivery_id: UUID
    flush_at: datetime
    joined: int


def waits_of(tenant_id: UUID, delivery_ids: Collection[UUID]) -> list[Waits]:
    """Those of the deliveries that wait now. One query; none for none."""
    if not delivery_ids:
        return []
    rows = fetch(
        """SELECT i.delivery_id, b.flush_at, (SELECT count(*) FROM ledger_bundle_item o WHERE o.bundle_id = b.id)
        FROM ledger_bundle_item i JOIN ledger_bundle b ON b.id = i.bundle_id
        WHERE i.delivery_id = ANY(%(ids)s) AND i.tenant_id = %(tenant)s AND b.closed_at IS NULL ORDER BY i.delivery_id""",
        {"ids": list(delivery_ids), "tenant": tenant_id},
    )
    return [Waits(*row) for row in rows]


def lock_bundled(notification_id: UUID) -> set[UUID]:
    """Its deliveries that wait in an open bundle, locked: a flush that is under way comes before or after."""
    rows = fetch(
        """SELECT d.id FROM ledger_delivery d
        JOIN ledger_bundle_item i ON i.delivery_id = d.id JOIN ledger_bundle b ON b.id = i.bundle_id
        WHERE d.notification_id = %(id)s AND d.status = 'held' AND b.closed_at IS NULL ORDER BY d.id FOR UPDATE OF d""",
        {"id": notification_id},
    )
    return {id_ for (id_,) in rows}


def forget_bundles(recipient_id: UUID) -> None:
    """Of a person who is forgotten: with their flushes; their keys may name what others did."""
    execute(
        f"""WITH bundle AS (
            DELETE FROM ledger_bundle WHERE id = ANY(ARRAY(
                SELECT id FROM ledger_bundle WHERE recipient_id = %(id)s ORDER BY {_KEY} FOR UPDATE))
            RETURNING id, category)
        , item AS (DELETE FROM ledger_bundle_item i USING bundle b WHERE i.bundle_id = b.id)
        DELETE FROM ledger_work_item w USING bundle b WHERE w.lane = b.category AND w.id = b.id""",
        {"id": recipient_id},
    )


def prune_bundles(days: int, batch: int = 5_000) -> int:
    """Deletes those that were closed longer ago, with their items, in short transactions. Returns how many."""
    total = 0
    while True:
        gone = fetch(
            """WITH bundle AS (
                DELETE FROM ledger_bundle WHERE id = ANY(ARRAY(
                    SELECT id FROM ledger_bundle WHERE closed_at < now() - %(days)s * interval '1 day'
                    ORDER BY closed_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED))
                RETURNING id
            ), item AS (DELETE FROM ledger_bundle_item i USING bundle b WHERE i.bundle_id = b.id)
            SELECT count(*) FROM bundle""",
            {"days": days, "batch": batch},
        )[0][0]
        total += int(gone)
        if gone < batch:
            return total
