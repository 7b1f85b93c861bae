"""What people said no to, from the history of their choices."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from apps.core.rows import fetch


@dataclass(frozen=True, slots=True)
class Refusal:
    """`is_mute`: for a time only. `notification_id`: the message that led to it, if that is known; `topic`: what it is about."""

    tenant_id: UUID
    day: date
    is_mute: bool
    topic: str
    notification_id: UUID | None


def refusals(since: datetime, until: datetime) -> list[Refusal]:
    """Switched off, opted out of an address, or muted: one act counts once, whatever it changed; by UTC day. What a provider reported is
    not among them: the ledger counts it, with its message. One query."""
    rows = fetch(
        """SELECT DISTINCT ON (tenant_id, recipient_id, at, what = 'mute')
            tenant_id, (at AT TIME ZONE 'UTC')::date, what = 'mute', topic, notification_id
        FROM preferences_consentrecord
        WHERE at >= %(since)s AND at < %(until)s AND source <> 'receipt' AND (
            (what = 'mute' AND after IS NOT NULL)
            OR (what = 'preference' AND after ->> 'on' = 'false')
            OR (what = 'suppression' AND after ->> 'reason' = 'opted_out'))
        ORDER BY tenant_id, recipient_id, at, what = 'mute', topic""",
        {"since": since, "until": until},
    )
    return [Refusal(*row) for row in rows]
