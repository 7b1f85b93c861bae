"""Receipts, written: each once per (account, event id), in any order, against whatever state the delivery is in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core import crypto, ids
from apps.core.enums import MACHINE, Category, Channel, DeliveryStatus, EventKind, Reason
from apps.core.rows import execute, fetch, recordset
from apps.core.types import Receipt
from apps.ledger.doubts import cancel_doubts
from apps.ledger.lifecycle import AFTER_EVENT, ENGAGEMENT, WAITING, advance
from apps.ledger.routing_results import claim_keys
from apps.ledger.work import remove_settled

REMEMBERED = timedelta(days=30)
REASONS = {
    EventKind.BOUNCED: Reason.HARD_BOUNCE,
    EventKind.SOFT_BOUNCED: Reason.SOFT_BOUNCE,
    EventKind.FAILED: Reason.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Applied:
    """A receipt that told something new: what its follow-ups need. `source`: the account that said it. `ended_work`: the
    delivery's fate was not known until then, or it was to be tried again."""

    source: str
    at: datetime
    tenant_id: UUID
    recipient_id: UUID
    notification_id: UUID
    delivery_id: UUID
    endpoint_id: UUID | None
    channel: Channel
    kind: EventKind
    code: str
    ended_work: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """`unmatched`: positions of receipts whose attempt is not known (yet); nothing was written for them."""

    applied: list[Applied]
    unmatched: list[int]


def record(items: Sequence[tuple[str, Receipt]]) -> Recorded:
    """Writes receipts of (account key, receipt) in the caller's transaction, with a fixed number of statements."""
    deliveries = _deliveries_of(items)
    unmatched = [i for i, delivery in enumerate(deliveries) if delivery is None]
    matched = [(items[i][0], items[i][1], d) for i, d in enumerate(deliveries) if d is not None]
    keys = [crypto.fingerprint(b"receipt", account.encode(), r.event_id.encode()) for account, r, _ in matched]
    first: dict[bytes, int] = {}
    for position, key in enumerate(keys):
        first.setdefault(key, position)
    seen = claim_keys({key: (matched[i][2], REMEMBERED) for key, i in first.items()})
    fresh = [matched[i] for key, i in first.items() if key not in seen]
    return Recorded(apply_to_deliveries(sorted(fresh, key=lambda item: item[1].at)), unmatched)


def record_events(events: Iterable[tuple[UUID, Receipt]], *, source: str) -> list[Applied]:
    """The same for events of our own (seen, read): (delivery id, event)."""
    return apply_to_deliveries([(source, event, delivery) for delivery, event in events])


def _deliveries_of(items: Sequence[tuple[str, Receipt]]) -> list[UUID | None]:
    """By attempt, else by the provider's message id; only for attempts of the account that speaks: its secret proves no more."""
    references = [ids.read(ids.ATTEMPT, receipt.reference) for _, receipt in items]
    by_attempt = {
        (account, attempt): delivery
        for attempt, account, delivery in fetch(
            "SELECT id, account, delivery_id FROM ledger_attempt WHERE id = ANY(%(ids)s)",
            {"ids": [reference for reference in references if reference]},
        )
    }
    others = [
        receipt.provider_message_id
        for (_, receipt), reference in zip(items, references, strict=True)
        if not reference and receipt.provider_message_id
    ]
    by_provider: dict[tuple[str, str], UUID] = {}
    if others:
        by_provider = {
            (account, message): delivery
            for message, account, delivery in fetch(
                """SELECT provider_message_id, account, delivery_id FROM ledger_attempt
                WHERE provider_message_id <> '' AND provider_message_id = ANY(%(ids)s)""",
                {"ids": others},
            )
        }
    return [
        by_attempt.get((account, reference)) if reference else by_provider.get((account, receipt.provider_message_id))
        for reference, (account, receipt) in zip(references, items, strict=True)
    ]


def apply_to_deliveries(fresh: Sequence[tuple[str, Receipt, UUID]]) -> list[Applied]:
    if not fresh:
        return []
    rows = {
        row[0]: row
        for row in fetch(
            """SELECT id, status, tenant_id, recipient_id, notification_id, endpoint_id, channel, category
            FROM ledger_delivery WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE""",
            {"ids": list({delivery for _, _, delivery in fresh})},
        )
    }
    known = [item for item in fresh if item[2] in rows]
    changes: dict[UUID, dict[str, Any]] = {}
    for _, receipt, delivery in known:
        change = changes.setdefault(delivery, {"id": delivery, "status": rows[delivery][1], "reason": ""})
        _fold(change, receipt)
    execute(_ADVANCE, {"rows": recordset(changes.values()), "ids": list(changes)})
    execute(_NOTE, {"rows": recordset(_event_row(item, rows[item[2]]) for item in known)})
    ended = _end_work([rows[id_] for id_, change in changes.items() if rows[id_][1] != change["status"]])
    return [_applied(source, receipt, rows[delivery], delivery in ended) for source, receipt, delivery in known]


def _end_work(before: Iterable[tuple[Any, ...]]) -> set[UUID]:
    """What was planned for deliveries that have just left the status of these rows: a second try would be a second message."""
    doubted: set[UUID] = set()
    waiting: dict[Category, list[UUID]] = {}
    for id_, status, *_, lane in before:
        if status == DeliveryStatus.UNKNOWN:
            doubted.add(id_)
        elif status in WAITING:
            waiting.setdefault(Category(lane), []).append(id_)
    if doubted:
        cancel_doubts(deliveries=sorted(doubted))
    return doubted.union(*(remove_settled(lane, ids) for lane, ids in waiting.items()))


def _fold(change: dict[str, Any], receipt: Receipt) -> None:
    following = AFTER_EVENT.get(receipt.kind)
    current = DeliveryStatus(change["status"])
    if following and advance(current, following) != current:
        change["status"] = following
        change["reason"] = REASONS.get(receipt.kind, "")
        if following == DeliveryStatus.DELIVERED:
            change["delivered_at"] = receipt.at
    if receipt.code != MACHINE and (column := ENGAGEMENT.get(receipt.kind)):
        change.setdefault(column, receipt.at)


_ADVANCE = """
UPDATE ledger_delivery d
SET status = i.status, reason = CASE WHEN d.status = i.status THEN d.reason ELSE i.reason END,
    ended_at = CASE WHEN d.status = i.status THEN d.ended_at WHEN i.status = 'sent' THEN NULL ELSE now() END,
    sent_at = CASE WHEN i.status = 'sent' THEN coalesce(d.sent_at, now()) ELSE d.sent_at END,
    delivered_at = coalesce(d.delivered_at, i.delivered_at), seen_at = coalesce(d.seen_at, i.seen_at),
    read_at = coalesce(d.read_at, i.read_at), opened_at = coalesce(d.opened_at, i.opened_at),
    clicked_at = coalesce(d.clicked_at, i.clicked_at), complained_at = coalesce(d.complained_at, i.complained_at),
    unsubscribed_at = coalesce(d.unsubscribed_at, i.unsubscribed_at)
FROM json_to_recordset(%(rows)s) AS i(
    id uuid, status text, reason text, delivered_at timestamptz, seen_at timestamptz, read_at timestamptz,
    opened_at timestamptz, clicked_at timestamptz, complained_at timestamptz, unsubscribed_at timestamptz)
WHERE d.id = ANY(%(ids)s) AND d.id = i.id
"""

_NOTE = """
INSERT INTO ledger_delivery_event (id, notification_id, delivery_id, tenant_id, kind, at, code, detail, source)
SELECT uuidv7(), notification_id, delivery_id, tenant_id, kind, at, code, detail, source
FROM json_to_recordset(%(rows)s) AS r(
    notification_id uuid, delivery_id uuid, tenant_id uuid, kind text, at timestamptz, code text, detail text, source text)
"""


def _event_row(item: tuple[str, Receipt, UUID], row: tuple[Any, ...]) -> dict[str, Any]:
    source, receipt, delivery = item
    return {
        "notification_id": row[4],
        "delivery_id": delivery,
        "tenant_id": row[2],
        "kind": receipt.kind,
        "at": receipt.at,
        "code": receipt.code[:64],
        "detail": receipt.detail[:500],
        "source": source,
    }


def _applied(source: str, receipt: Receipt, row: tuple[Any, ...], ended_work: bool) -> Applied:
    delivery, _, tenant, recipient, notification, endpoint, channel, _ = row
    return Applied(
        source,
        receipt.at,
        tenant,
        recipient,
        notification,
        delivery,
        endpoint,
        Channel(channel),
        receipt.kind,
        receipt.code,
        ended_work,
    )
