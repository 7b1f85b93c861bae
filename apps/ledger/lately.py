"""What happened to deliveries lately, per person and channel: for whoever keeps the last moments of everybody.

A fragment, to be written somewhere else by one statement: rows never leave the database. Nothing is noted while sending for it.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from apps.core import ids

COLUMNS = ("tenant_id", "recipient_id", "channel", "sent_at", "delivered_at", "opened_at", "clicked_at")
# what was held for a week may be sent on the last of its days
_LONGEST_WAY = timedelta(days=8)


class Moments(NamedTuple):
    """A query with COLUMNS, one row for each person and channel: the latest moments of the deliveries that it looked at. A click or a
    reading is an opening, too."""

    sql: str
    parameters: dict[str, Any]


def touched(since: datetime, until: datetime) -> Moments:
    """Of deliveries that were handed over, or told about, between the two; and of what was put into feeds without waiting. The ids of
    attempts and events carry their time."""
    return Moments(
        _MOMENTS.format(
            which="""d.id IN (
            SELECT delivery_id FROM ledger_attempt WHERE id >= %(first)s AND id < %(end)s
            UNION SELECT delivery_id FROM ledger_delivery_event
                WHERE id >= %(first)s AND id < %(end)s AND kind IN ('sent', 'delivered', 'opened', 'clicked', 'read')
            UNION SELECT id FROM ledger_delivery WHERE id >= %(first)s AND id < %(end)s AND channel = 'in_app')"""
        ),
        {"first": ids.bound(since), "end": ids.bound(until)},
    )


def sent(since: datetime, until: datetime) -> Moments:
    """Of deliveries that were sent between the two, whenever they were made: reads all of those days."""
    return Moments(
        _MOMENTS.format(which="d.id >= %(first)s AND d.sent_at >= %(since)s AND d.sent_at < %(until)s"),
        {"first": ids.bound(since - _LONGEST_WAY), "since": since, "until": until},
    )


_MOMENTS = """
SELECT d.tenant_id, d.recipient_id, d.channel, max(d.sent_at) AS sent_at, max(d.delivered_at) AS delivered_at,
    max(greatest(d.opened_at, d.clicked_at, d.read_at)) AS opened_at, max(d.clicked_at) AS clicked_at
FROM ledger_delivery d
WHERE d.mode <> 'test' AND d.recipient_id IS NOT NULL AND {which}
    AND (d.sent_at IS NOT NULL OR d.delivered_at IS NOT NULL OR d.opened_at IS NOT NULL OR d.clicked_at IS NOT NULL
        OR d.read_at IS NOT NULL)
GROUP BY d.tenant_id, d.recipient_id, d.channel"""
