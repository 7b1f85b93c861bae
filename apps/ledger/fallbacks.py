"""Fallback chains, as work: at most one item a notification, which tries the next channel now, or unless proof comes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.core import crypto, ids
from apps.core.enums import Channel, DeliveryStatus
from apps.core.rows import execute, fetch, recordset
from apps.core.types import Work
from apps.ledger.doubts import POLICY
from apps.ledger.routing_results import claim_keys
from apps.ledger.work import CLAIMED, READY

REMEMBERED = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Tried:
    id: UUID
    channel: Channel
    status: DeliveryStatus
    reason: str
    sent_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Turn:
    """`delivery_id` gave up for `reason`; it is `channel`'s turn."""

    notification_id: UUID
    delivery_id: UUID
    reason: str
    channel: Channel


def chain_id(notification_id: UUID) -> UUID:
    """The work item's."""
    return ids.derived(notification_id, "chain")


def lock_open(notification_ids: Iterable[UUID]) -> set[UUID]:
    """Those that have not expired, locked in the caller's transaction: two deliveries that give up at the same time see each other."""
    rows = fetch(
        """SELECT id FROM ledger_notification WHERE id = ANY(%(ids)s) AND (expires_at IS NULL OR expires_at > now())
        ORDER BY id FOR NO KEY UPDATE""",
        {"ids": sorted(set(notification_ids))},
    )
    return {row[0] for row in rows}


def event_types_of(notification_ids: Iterable[UUID]) -> dict[UUID, tuple[UUID, str]]:
    """(tenant, event type's key) of those that name one. One query."""
    rows = fetch(
        "SELECT id, tenant_id, event_type FROM ledger_notification WHERE id = ANY(%(ids)s) AND event_type <> ''",
        {"ids": sorted(set(notification_ids))},
    )
    return {id_: (tenant_id, key) for id_, tenant_id, key in rows}


def tried(notification_ids: Sequence[UUID]) -> dict[UUID, list[Tried]]:
    """All deliveries of each. One query."""
    found: dict[UUID, list[Tried]] = {id_: [] for id_ in notification_ids}
    for notification, id_, channel, status, reason, sent_at, read_at in fetch(
        """SELECT notification_id, id, channel, status, reason, sent_at, coalesce(read_at, opened_at, clicked_at) FROM ledger_delivery
        WHERE notification_id = ANY(%(ids)s) ORDER BY id""",
        {"ids": list(notification_ids)},
    ):
        found[notification].append(Tried(id_, Channel(channel), DeliveryStatus(status), reason, sent_at, read_at))
    return found


_TAKE_TURN = f"""
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS r(
        chain uuid, notification_id uuid, delivery_id uuid, reason text, channel text)
), work AS (
    INSERT INTO ledger_work_item AS w (id, lane, queue, kind, channel, tenant_id, notification_id, priority, expires_at)
    SELECT i.chain, n.category, 'route.' || n.category, 'fallback', i.channel, n.tenant_id, n.id, n.priority, n.expires_at
    FROM input i JOIN ledger_notification n ON n.id = i.notification_id WHERE n.id = ANY(%(ids)s)
    ON CONFLICT (lane, id) DO UPDATE
        SET kind = 'fallback', channel = excluded.channel, due_at = now(), phase = {READY}, lease_until = NULL,
            lease_token = w.lease_token + 1, expiries = 0
    RETURNING w.queue, w.tenant_id, w.notification_id
), event AS (
    INSERT INTO ledger_delivery_event (id, notification_id, delivery_id, tenant_id, kind, at, code, detail, source)
    SELECT uuidv7(), i.notification_id, i.delivery_id, w.tenant_id, 'fell_back', clock_timestamp(), i.channel, i.reason, %(source)s
    FROM input i JOIN work w USING (notification_id)
)
SELECT DISTINCT queue FROM work
"""


def take_turns(turns: Sequence[Turn]) -> set[str]:
    """Each channel of a notification has its turn once, whoever asks and however often. Returns the queues that got work."""
    keys = {crypto.fingerprint(b"turn", t.notification_id.bytes, t.channel.encode()): t for t in turns}
    taken = claim_keys({key: (t.notification_id, REMEMBERED) for key, t in keys.items()})
    rows = [
        {
            "chain": chain_id(t.notification_id),
            "notification_id": t.notification_id,
            "delivery_id": t.delivery_id,
            "reason": t.reason,
            "channel": t.channel,
        }
        for key, t in keys.items()
        if key not in taken
    ]
    if not rows:
        return set()
    parameters = {"rows": recordset(rows), "ids": [row["notification_id"] for row in rows], "source": POLICY}
    return {queue for (queue,) in fetch(_TAKE_TURN, parameters)}


def waiting_turns(places: Sequence[tuple[str, UUID]]) -> set[UUID]:
    """Of notifications (category, id), those whose next channel is about to have its turn. One query a lane."""
    by_lane: dict[str, list[UUID]] = {}
    for lane, id_ in places:
        by_lane.setdefault(lane, []).append(chain_id(id_))
    return {
        found
        for lane, ids in by_lane.items()
        for (found,) in fetch(
            """SELECT notification_id FROM ledger_work_item
            WHERE lane = %(lane)s AND id = ANY(%(ids)s) AND kind = 'fallback'""",
            {"lane": lane, "ids": ids},
        )
    }


@dataclass(frozen=True, slots=True)
class Timer:
    """Unless `channel` has proved its arrival by `due_at`, the next one has its turn."""

    work: Work
    channel: Channel
    due_at: datetime


def await_proof(timers: Sequence[Timer]) -> None:
    """In the transaction that makes the channel's deliveries."""
    if timers:
        rows = [
            {
                "id": chain_id(t.work.notification_id),
                "lane": t.work.lane,
                "channel": t.channel,
                "tenant_id": t.work.tenant_id,
                "notification_id": t.work.notification_id,
                "priority": t.work.priority,
                "due_at": t.due_at,
                "expires_at": t.work.expires_at,
            }
            for t in timers
        ]
        execute(
            """INSERT INTO ledger_work_item (
                id, lane, queue, kind, channel, tenant_id, notification_id, priority, due_at, expires_at)
            SELECT id, lane, 'route.' || lane, 'proof', channel, tenant_id, notification_id, priority, due_at, expires_at
            FROM json_to_recordset(%(rows)s) AS r(
                id uuid, lane text, channel text, tenant_id uuid, notification_id uuid, priority smallint, due_at timestamptz,
                expires_at timestamptz)
            ON CONFLICT DO NOTHING""",
            {"rows": recordset(rows)},
        )


def wait_longer(waits: Sequence[tuple[Work, datetime]]) -> None:
    """Claimed timers of one lane: due at another time."""
    if waits:
        execute(
            f"""UPDATE ledger_work_item w SET phase = {READY}, lease_until = NULL, due_at = i.due_at, expiries = 0
            FROM json_to_recordset(%(rows)s) AS i(id uuid, token integer, due_at timestamptz)
            WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND w.id = i.id AND w.lease_token = i.token
                AND w.phase = {CLAIMED}""",
            {
                "ids": [w.id for w, _ in waits],
                "rows": recordset({"id": w.id, "token": w.lease_token, "due_at": at} for w, at in waits),
                "lane": waits[0][0].lane.value,
            },
        )
