"""Whether the ledger's books balance: everything accepted has ended or has work, and no two rows say different things.

Looks at what is older than a minute (younger rows may be on their way) and no older than asked; at most MOST rows of each kind
of trouble are named.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.core import ids
from apps.core.rows import fetch

MOST = 1_000
SETTLED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`code`: which rule is broken; `sentence`: what that means. `ids`: of notifications or deliveries, shown, at most MOST."""

    code: str
    sentence: str
    ids: tuple[str, ...]


_RULES: tuple[tuple[str, str, str, str], ...] = (
    (
        "unrouted",
        "Accepted, but neither routed nor waiting for it.",
        ids.NOTIFICATION,
        """SELECT n.id FROM ledger_notification n WHERE n.id >= %(low)s AND n.id < %(high)s
        AND NOT EXISTS (SELECT FROM ledger_delivery d WHERE d.notification_id = n.id)
        AND NOT EXISTS (SELECT FROM ledger_work_item w WHERE w.lane = n.category AND w.id = n.id)
        AND NOT EXISTS (SELECT FROM ledger_delivery_event e WHERE e.notification_id = n.id)
        AND NOT EXISTS (SELECT FROM ledger_dead_letter l WHERE l.notification_id = n.id) LIMIT %(most)s""",
    ),
    (
        "without_work",
        "Still to be sent, but neither work nor an open bundle stands for it.",
        ids.DELIVERY,
        """SELECT d.id FROM ledger_delivery d WHERE d.id >= %(low)s AND d.id < %(high)s AND d.status IN ('queued', 'held')
        AND NOT EXISTS (SELECT FROM ledger_work_item w WHERE w.lane = d.category AND w.id = d.id)
        AND NOT (d.status = 'held' AND EXISTS (
            SELECT FROM ledger_bundle_item i JOIN ledger_bundle b ON b.id = i.bundle_id
            JOIN ledger_work_item w ON w.lane = b.category AND w.id = b.id
            WHERE i.delivery_id = d.id AND b.closed_at IS NULL)) LIMIT %(most)s""",
    ),
    (
        "merged_into_nothing",
        "Part of a summary that does not exist.",
        ids.DELIVERY,
        """SELECT d.id FROM ledger_delivery d WHERE d.id >= %(low)s AND d.id < %(high)s AND d.status = 'merged'
        AND NOT EXISTS (SELECT FROM ledger_notification n WHERE n.id = d.merged_into) LIMIT %(most)s""",
    ),
    (
        "sent_but_bounced",
        "Shown as taken or delivered, but the provider reported a bounce.",
        ids.DELIVERY,
        """SELECT DISTINCT d.id FROM ledger_delivery d JOIN ledger_delivery_event e ON e.notification_id = d.notification_id
        WHERE d.id >= %(low)s AND d.id < %(high)s AND d.status IN ('sent', 'delivered')
        AND e.delivery_id = d.id AND e.kind = 'bounced' AND e.id < %(high)s
        AND NOT EXISTS (SELECT FROM ledger_delivery_event r
            WHERE r.notification_id = d.notification_id AND r.delivery_id = d.id AND r.kind = 'retried' AND r.id > e.id)
        LIMIT %(most)s""",
    ),
    (
        "proved_but_sent",
        "Shown as taken, but the provider reported its arrival.",
        ids.DELIVERY,
        """SELECT DISTINCT d.id FROM ledger_delivery d JOIN ledger_delivery_event e ON e.notification_id = d.notification_id
        WHERE d.id >= %(low)s AND d.id < %(high)s AND d.status IN ('sent', 'unknown')
        AND e.delivery_id = d.id AND e.kind = 'delivered' AND e.id < %(high)s LIMIT %(most)s""",
    ),
    (
        "unended_attempt",
        "A provider was called and nobody wrote down what it said, nor is anybody about to.",
        ids.DELIVERY,
        """SELECT a.delivery_id FROM ledger_attempt a JOIN ledger_delivery d ON d.id = a.delivery_id
        WHERE a.id >= %(low)s AND a.id < %(high)s AND a.ended_at IS NULL
        AND NOT EXISTS (SELECT FROM ledger_work_item w WHERE w.lane = d.category AND w.id = d.id AND w.attempt_id = a.id)
        LIMIT %(most)s""",
    ),
)
CODES = tuple(code for code, *_ in _RULES)


def troubles(*, now: datetime, hours: float = 24) -> list[Trouble]:
    """One query a rule. Empty: the books balance."""
    low = ids.bound(now - timedelta(hours=hours))
    parameters = {"low": low, "high": ids.bound(now - SETTLED), "most": MOST}
    found = [(code, sentence, prefix, _ids(sql, parameters)) for code, sentence, prefix, sql in _RULES]
    return [
        Trouble(code, sentence, tuple(ids.show(prefix, id_) for id_ in rows))
        for code, sentence, prefix, rows in found
        if rows
    ]


def _ids(sql: str, parameters: dict[str, object]) -> list[UUID]:
    return [id_ for (id_,) in fetch(sql, parameters)]
