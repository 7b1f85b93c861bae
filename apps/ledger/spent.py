"""What a recipient got lately, for frequency caps: what counters forgot is counted here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.core import ids
from apps.core.enums import Category, Channel
from apps.core.rows import fetch
from apps.core.types import Work
from apps.ledger.work import CLAIMED

# nothing waits longer between its time and its way to a provider: a week held, a day tried
_LONGEST_WAY = timedelta(days=8)
_OPEN = "('queued', 'held', 'sending', 'unknown')"


@dataclass(frozen=True, slots=True)
class Spent:
    recipient_id: UUID
    notification_id: UUID
    channel: Channel
    category: Category
    event_type: str
    is_test: bool
    at: datetime


def sent_units(recipient_ids: Collection[UUID], since: datetime) -> list[Spent]:
    """Sent since then, in doubt, or with a provider at this moment: once for each notification and channel. One query."""
    rows = fetch(
        f"""SELECT n.recipient_id, n.id, d.channel, n.category, n.event_type, n.mode = 'test', max(coalesce(d.sent_at, a.started_at))
        FROM ledger_notification n JOIN ledger_delivery d ON d.notification_id = n.id
        LEFT JOIN LATERAL (
            SELECT started_at FROM ledger_attempt a
            WHERE d.sent_at IS NULL AND d.status IN {_OPEN} AND a.delivery_id = d.id AND a.kind IN ('', 'ambiguous')
            ORDER BY started_at DESC LIMIT 1) a ON true
        WHERE n.recipient_id = ANY(%(ids)s) AND n.category <> 'critical'
            AND (n.id >= %(first)s OR n.due_at >= %(before)s) AND coalesce(d.sent_at, a.started_at) >= %(since)s
        GROUP BY n.recipient_id, n.id, d.channel, n.category, n.event_type, n.mode""",
        {
            "ids": list(recipient_ids),
            "since": since,
            "before": since - _LONGEST_WAY,
            "first": ids.bound(since - _LONGEST_WAY),
        },
    )
    return [Spent(r, n, Channel(channel), Category(category), *rest) for r, n, channel, category, *rest in rows]


def on_their_way(works: Sequence[Work], recipient_ids: Collection[UUID], claimed_before: datetime) -> set[UUID]:
    """Recipients of whom a message was taken by somebody else before then and has not been handed to a provider yet. One query.

    `claimed_before`: on the clock of the leases, as the end of such a lease.
    """
    rows = fetch(
        f"""SELECT DISTINCT n.recipient_id FROM ledger_lease l CROSS JOIN LATERAL (
            SELECT notification_id FROM ledger_work_item
            WHERE lane = l.lane AND id = ANY(l.items) AND phase = {CLAIMED} AND lease_until < %(before)s AND kind IN ('send', 'resend')
            OFFSET 0) w
        JOIN ledger_notification n ON n.id = w.notification_id
        WHERE n.recipient_id = ANY(%(ids)s) AND l.id <> ALL(%(own)s)""",
        {
            "before": claimed_before,
            "ids": list(recipient_ids),
            "own": list({work.lease_id for work in works if work.lease_id}),
        },
    )
    return {id_ for (id_,) in rows}


def not_to_be_sent(
    deliveries: Collection[UUID], notifications: Collection[UUID] = ()
) -> list[tuple[UUID, UUID, UUID, Channel, bool]]:
    """Of deliveries that ended or wait, and of all of those notifications: (tenant, recipient, notification, channel, is test) of those
    whose unit was not sent through another delivery, and is not about to be. One query."""
    rows = fetch(
        """SELECT DISTINCT d.tenant_id, d.recipient_id, d.notification_id, d.channel, d.mode = 'test' FROM ledger_delivery d
        WHERE (d.id = ANY(%(ids)s) OR d.notification_id = ANY(%(notifications)s)) AND NOT EXISTS (
            SELECT FROM ledger_delivery o WHERE o.notification_id = d.notification_id AND o.channel = d.channel
                AND (o.sent_at IS NOT NULL OR o.status = 'unknown' OR (o.id <> d.id AND o.status IN ('queued', 'sending'))))""",
        {"ids": list(deliveries), "notifications": list(notifications)},
    )
    return [(tenant, recipient, n, Channel(channel), is_test) for tenant, recipient, n, channel, is_test in rows]


def seen_elsewhere(deliveries: Collection[UUID]) -> set[UUID]:
    """Those whose notification was read, opened or clicked on another channel. One query."""
    rows = fetch(
        """SELECT d.id FROM ledger_delivery d WHERE d.id = ANY(%(ids)s) AND EXISTS (
            SELECT FROM ledger_delivery o WHERE o.notification_id = d.notification_id AND o.channel <> d.channel
                AND (o.read_at IS NOT NULL OR o.opened_at IS NOT NULL OR o.clicked_at IS NOT NULL))""",
        {"ids": list(deliveries)},
    )
    return {id_ for (id_,) in rows}
