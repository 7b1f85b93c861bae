"""Places under frequency caps while Redis is away: in PostgreSQL, one recipient at a time."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.core.enums import Category, Channel
from apps.core.rows import execute, fetch, recordset

KEPT = timedelta(days=40)


@dataclass(frozen=True, slots=True)
class Taken:
    """A notification on a channel that went out, or is about to."""

    recipient_id: UUID
    notification_id: UUID
    channel: Channel
    category: Category
    event_type: str
    is_test: bool
    at: datetime


def lock(recipient_ids: Iterable[UUID]) -> None:
    """Until the caller's transaction ends, nobody else counts for them here."""
    execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('caps ' || id, 0)) FROM unnest(%(ids)s::text[]) AS r(id)",
        {"ids": sorted(str(id_) for id_ in recipient_ids)},
    )


def taken(recipient_ids: Collection[UUID], since: datetime) -> list[Taken]:
    rows = fetch(
        """SELECT recipient_id, notification_id, channel, category, event_type, is_test, at FROM preferences_reservation
        WHERE recipient_id = ANY(%(ids)s) AND at >= %(since)s""",
        {"ids": list(recipient_ids), "since": since},
    )
    return [Taken(r, n, Channel(channel), Category(category), *rest) for r, n, channel, category, *rest in rows]


def reserve(tenant_id: UUID, rows: Collection[Taken]) -> None:
    """Again: its moment is the latest."""
    execute(
        """INSERT INTO preferences_reservation (
            id, tenant_id, recipient_id, notification_id, channel, category, event_type, is_test, at, created_at, updated_at)
        SELECT uuidv7(), %(tenant)s, r.*, now(), now() FROM json_to_recordset(%(rows)s) AS r(
            recipient_id uuid, notification_id uuid, channel text, category text, event_type text, is_test boolean, at timestamptz)
        ON CONFLICT (notification_id, channel) DO UPDATE SET at = excluded.at""",
        {
            "tenant": tenant_id,
            "rows": recordset(
                {
                    "recipient_id": t.recipient_id,
                    "notification_id": t.notification_id,
                    "channel": t.channel,
                    "category": t.category,
                    "event_type": t.event_type,
                    "is_test": t.is_test,
                    "at": t.at,
                }
                for t in rows
            ),
        },
    )


def give_back(units: Collection[tuple[UUID, Channel]]) -> None:
    """(notification, channel) of what is not sent after all."""
    execute(
        """DELETE FROM preferences_reservation r USING unnest(%(ids)s::uuid[], %(channels)s::text[]) AS u(id, channel)
        WHERE r.notification_id = u.id AND r.channel = u.channel""",
        {"ids": [id_ for id_, _ in units], "channels": [channel.value for _, channel in units]},
    )


def sweep(now: datetime) -> int:
    """Those that no cap counts any more."""
    return execute("DELETE FROM preferences_reservation WHERE at < %(before)s", {"before": now - KEPT})
