"""Work items: claiming, giving back, removing. What becomes of leases: leases.py. Times are the database's, never a worker's.

A write to claimed work names its lease token; when the token has moved on (the lease ran out and somebody else has it,
or it was cancelled), the write touches nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from apps.core import ids
from apps.core.arrays import integers, uuids
from apps.core.enums import Category, Channel, WorkKind
from apps.core.rows import UNHURRIED, by_value, execute, fetch
from apps.core.types import Work

READY, CLAIMED, CALLING = 0, 1, 2
LONE_EXPIRIES = 3

_KINDS, _LANES, _CHANNELS = by_value(WorkKind), by_value(Category), by_value(Channel)

COLUMNS = """w.id, w.kind, w.queue, w.lane, w.channel, w.tenant_id, w.notification_id, w.lease_token, w.tries, w.calls,
    w.expiries, w.priority, w.expires_at, w.ordering_key, w.order_at"""

# a comparison with the first one, not NOT EXISTS, for which the planner would read the whole table where a key has many; nothing of the
# tenant: a key has the recipient's id in it, and a choice by tenant leads the planner to another index
_FIRST_OF_ITS_KEY = """(w.ordering_key = '' OR (w.order_at, w.notification_id) <= (
    SELECT e.order_at, e.notification_id FROM {items} e
    WHERE e.queue = %(queue)s AND e.ordering_key = w.ordering_key AND e.ordering_key <> ''
    ORDER BY e.order_at, e.notification_id LIMIT 1))"""

_LEASE = f"""
leased AS (
    UPDATE {{items}} w
    SET phase = {CLAIMED}, lease_until = now() + %(lease)s, lease_token = w.lease_token + 1
    WHERE w.lane = %(lane)s AND w.id = ANY(ARRAY(SELECT id FROM picked))
    RETURNING {COLUMNS}
), noted AS (
    INSERT INTO ledger_lease (id, lane, items, look_at)
    SELECT %(lease_id)s, %(lane)s, array_agg(id), now() + %(lease)s FROM leased HAVING count(*) > 0
)
SELECT * FROM leased WHERE {UNHURRIED}"""

_CLAIM = f"""
WITH RECURSIVE turn AS (
    (SELECT tenant_id FROM {{items}} WHERE queue = %(queue)s ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id FROM turn t CROSS JOIN LATERAL (
        SELECT tenant_id FROM {{items}} WHERE queue = %(queue)s AND tenant_id > t.tenant_id ORDER BY tenant_id LIMIT 1) n
), due AS (
    SELECT t.tenant_id, coalesce(g.weight, 1)::float AS weight, d.waiting, d.since, max(d.waiting) OVER () AS longest FROM turn t
    LEFT JOIN unnest(%(tenants)s::uuid[], %(weights)s::int[]) AS g(tenant_id, weight) USING (tenant_id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS waiting, min(due_at) AS since FROM (
            SELECT due_at FROM {{items}}
            WHERE queue = %(queue)s AND tenant_id = t.tenant_id AND priority = ANY('{{{{0,1,2}}}}')
                AND due_at <= now() AND phase = {READY} AND expiries = 0
            ORDER BY priority, due_at LIMIT %(limit)s) x) d
    WHERE d.waiting BETWEEN 1 AND %(most)s
), fair AS (
    SELECT tenant_id, weight, waiting, least(waiting, ceil(%(limit)s * weight / sum(weight) OVER ())) AS base FROM due
    WHERE waiting > %(left)s OR since <= now() - %(left_for)s OR longest <= %(left)s
), share AS (
    SELECT tenant_id, (base + CASE WHEN waiting > base THEN ceil(greatest(%(limit)s - sum(base) OVER (), 0) * weight
        / sum(weight) FILTER (WHERE waiting > base) OVER ()) ELSE 0 END)::int AS most FROM fair
), found AS MATERIALIZED (
    SELECT f.*, s.tenant_id, s.most, p.priority
    FROM share s CROSS JOIN (VALUES (0), (1), (2)) AS p(priority) CROSS JOIN LATERAL (
        SELECT w.id, w.due_at FROM {{items}} w
        WHERE w.queue = %(queue)s AND w.tenant_id = s.tenant_id AND w.priority = p.priority
            AND w.due_at <= now() AND w.phase = {READY} AND w.expiries = 0 AND {_FIRST_OF_ITS_KEY}
        ORDER BY w.due_at LIMIT s.most FOR UPDATE SKIP LOCKED) f
), picked AS MATERIALIZED (
    SELECT id FROM (
        SELECT id, most, row_number() OVER (PARTITION BY tenant_id ORDER BY priority, due_at) AS place FROM found) x
    WHERE place <= most ORDER BY random() LIMIT %(limit)s
), {_LEASE}"""

_CLAIM_LONE = f"""
WITH picked AS MATERIALIZED (
    SELECT id FROM {{items}} w
    WHERE queue = %(queue)s AND expiries > 0 AND phase = {READY} AND due_at <= now() AND {_FIRST_OF_ITS_KEY}
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
), {_LEASE}"""


def of_lane(sql: str, lane: Category) -> str:
    """`{items}`: the partition, by its own name. A condition on `lane`, which all of its rows fulfil, would be taken for a choice where
    there are no statistics yet, and the whole partition read for it."""
    return sql.format(items=f"ledger_work_item_{lane.value}")


@dataclass(frozen=True, slots=True)
class Little:
    """Who has no more than `most` due has little. `only`: nobody else; otherwise who has much, and while there is such a tenant those who
    have little only after `left_for`."""

    most: int
    left_for: timedelta = timedelta(0)
    only: bool = False


def claim(
    *, queue: str, limit: int, lease: timedelta, weights: Mapping[UUID, int], little: Little | None = None
) -> list[Work]:
    """Up to `limit` due items of the queue, leased, high priority first; each tenant with due work gets its share, and those with
    more of it what others leave of theirs. A crash of the database may give them back: nothing is sent on the strength of a claim.

    Where there are more such tenants than `limit`, chance picks among them: nobody is passed over for good. `little`: of whom, for a `most`
    below `limit`.
    """
    whose = {
        "most": little.most if little and little.only else limit,
        "left": little.most if little and not little.only else 0,
        "left_for": little.left_for if little else timedelta(0),
    }
    shares = {**whose, "limit": limit, "tenants": list(weights), "weights": list(weights.values())}
    return sorted(_claimed(_CLAIM, queue, lease, shares), key=lambda w: (w.priority, w.order_at))


def claim_lone(*, queue: str, lease: timedelta) -> list[Work]:
    """One item whose lease ran out before, by itself, so that it cannot condemn neighbours."""
    return _claimed(_CLAIM_LONE, queue, lease, {})


def _claimed(sql: str, queue: str, lease: timedelta, more: Mapping[str, Any]) -> list[Work]:
    lane, lease_id = Category(queue.split(".")[1]), ids.new()
    place = {"queue": queue, "lane": lane.value, "lease": lease, "lease_id": lease_id}
    return [to_work(row, lease_id) for row in fetch(of_lane(sql, lane), {**place, **more})]


def release(*, lane: str, works: Sequence[Work], delay: timedelta = timedelta(0), mark: bool = False) -> int:
    """Gives claimed work back, due after `delay`. `mark`: counts as an expiry, so that it comes back alone."""
    return execute(
        f"""UPDATE ledger_work_item w
        SET phase = {READY}, lease_until = NULL, due_at = greatest(w.due_at, now() + %(delay)s),
            expiries = w.expiries + %(mark)s::int
        FROM unnest(%(ids)s::uuid[], %(tokens)s::int[]) AS i(id, token)
        WHERE w.lane = %(lane)s AND w.id = i.id AND w.lease_token = i.token AND w.phase = {CLAIMED}""",
        {"delay": delay, "mark": mark, "lane": lane, **fence(works)},
    )


def due_queues(queues: Sequence[str]) -> list[str]:
    """Those of `queues` that have work to claim now."""
    rows = fetch(
        f"""SELECT q.queue FROM unnest(%(queues)s::text[], %(lanes)s::text[]) AS q(queue, lane)
        WHERE EXISTS (SELECT FROM ledger_work_item w
            WHERE w.lane = q.lane AND w.queue = q.queue AND w.phase = {READY} AND w.due_at <= now())""",
        {"queues": list(queues), "lanes": [queue.split(".")[1] for queue in queues]},
    )
    return [queue for (queue,) in rows]


def remove(works: Sequence[Work]) -> set[UUID]:
    """Deletes claimed work of one lane; the ids that were still ours."""
    rows = fetch(
        """DELETE FROM ledger_work_item w USING unnest(%(ids)s::uuid[], %(tokens)s::int[]) AS i(id, token)
        WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND w.id = i.id AND w.lease_token = i.token RETURNING w.id""",
        {"lane": works[0].lane.value, **fence(works)},
    )
    return {row[0] for row in rows}


def remove_settled(lane: Category, deliveries: Sequence[UUID]) -> set[UUID]:
    """Sends of deliveries that came to their end otherwise, in the transaction that wrote it; those whose work is gone now. What somebody
    else is writing at this moment is passed over: whoever claims it next finds it settled."""
    rows = fetch(
        f"""DELETE FROM ledger_work_item w WHERE w.lane = %(lane)s AND w.id = ANY(ARRAY(
            SELECT id FROM ledger_work_item
            WHERE lane = %(lane)s AND id = ANY(%(ids)s) AND kind = 'send' AND phase < {CALLING} FOR UPDATE SKIP LOCKED))
        RETURNING w.id""",
        {"lane": lane.value, "ids": list(deliveries)},
    )
    return {row[0] for row in rows}


def fence(works: Sequence[Work]) -> dict[str, Any]:
    return {"ids": uuids([work.id for work in works]), "tokens": integers([work.lease_token for work in works])}


def to_work(row: tuple[Any, ...], lease_id: UUID | None = None) -> Work:
    """Of COLUMNS."""
    (
        id_,
        kind,
        queue,
        lane,
        channel,
        tenant,
        notification,
        token,
        tries,
        calls,
        expiries,
        priority,
        expires,
        key,
        order,
    ) = row
    return Work(
        id=id_,
        kind=_KINDS[kind],
        queue=queue,
        lane=_LANES[lane],
        channel=_CHANNELS[channel] if channel else None,
        tenant_id=tenant,
        notification_id=notification,
        lease_token=token,
        tries=tries,
        calls=calls,
        expiries=expiries,
        priority=priority,
        expires_at=expires,
        ordering_key=key,
        order_at=order,
        lease_id=lease_id,
    )
