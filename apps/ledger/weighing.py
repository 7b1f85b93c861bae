"""What tenants send, counted: how much of it passes over people's wishes, and what came back of it. What test keys send reaches nobody
and does not count; nor do test sends, nor summaries, which were asked for as something else."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from apps.core import ids
from apps.core.rows import fetch

# what was held for a week may be sent on the last of its days
_LONGEST_WAY = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Share:
    """Of what a tenant asked for."""

    tenant_id: UUID
    critical: int
    total: int


@dataclass(frozen=True, slots=True)
class Weight:
    """Of one tenant, UTC day and event type (empty: none): messages sent, and what came back about them on that day."""

    tenant_id: UUID
    day: date
    event_type: str
    category: str
    sent: int = 0
    complaints: int = 0
    opt_outs: int = 0


def critical_shares(since: datetime, most: int | None = None) -> list[Share]:
    """Of the newest `most` notifications since then, all of them by default. One query."""
    rows = fetch(
        """SELECT tenant_id, count(*) FILTER (WHERE category = 'critical'), count(*) FROM (
            SELECT tenant_id, category FROM ledger_notification
            WHERE id >= %(first)s AND mode <> 'test' AND source NOT IN ('summary', 'test_send')
            ORDER BY id DESC LIMIT %(most)s::bigint) newest
        GROUP BY tenant_id ORDER BY tenant_id""",
        {"first": ids.bound(since), "most": most},
    )
    return [Share(*row) for row in rows]


def weights(since: datetime, until: datetime) -> list[Weight]:
    """Per UTC day on which it was sent, or came back. One query."""
    rows = fetch(
        """WITH happened AS (
            SELECT d.notification_id, d.sent_at AS at, 1 AS sent, 0 AS complaint, 0 AS opt_out FROM ledger_delivery d
            WHERE d.id >= %(first)s AND d.sent_at >= %(since)s AND d.sent_at < %(until)s AND d.mode <> 'test'
            UNION ALL
            SELECT e.notification_id, e.at, 0, (e.kind = 'complained')::integer, (e.kind = 'opted_out')::integer
            FROM ledger_delivery_event e
            WHERE e.id >= %(first)s AND e.at >= %(since)s AND e.at < %(until)s AND e.kind IN ('complained', 'opted_out'))
        SELECT n.tenant_id, (h.at AT TIME ZONE 'UTC')::date, n.event_type, n.category, sum(sent), sum(complaint), sum(opt_out)
        FROM happened h JOIN ledger_notification n ON n.id = h.notification_id
        WHERE n.mode <> 'test' AND n.source <> 'test_send' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4""",
        {"first": ids.bound(since - _LONGEST_WAY), "since": since, "until": until},
    )
    return [Weight(*row) for row in rows]


def kinds_of(notification_ids: list[UUID]) -> dict[UUID, tuple[str, str]]:
    """(event type, category) of those that are known and were not sent by a test key. One query, none for none."""
    if not notification_ids:
        return {}
    rows = fetch(
        "SELECT id, event_type, category FROM ledger_notification WHERE id = ANY(%(ids)s) AND mode <> 'test' AND source <> 'test_send'",
        {"ids": notification_ids},
    )
    return {id_: (event_type, category) for id_, event_type, category in rows}
