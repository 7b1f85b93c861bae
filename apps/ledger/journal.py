"""What one person was sent and what was held back, for the person: no accounts, no providers, no operators' words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from apps.core import crypto
from apps.core.enums import Category, Channel, DeliveryStatus, Reason
from apps.core.rows import fetch

_VOLUMES = """
SELECT event_type, category, count(*) FILTER (WHERE created_at >= %(since)s), max(created_at)
FROM ledger_notification WHERE recipient_id = %(recipient)s AND tenant_id = %(tenant)s GROUP BY event_type, category
"""
_MESSAGES = """
SELECT id, category, event_type, mode, sealed, source, created_at FROM ledger_notification
WHERE recipient_id = %(recipient)s AND tenant_id = %(tenant)s AND (%(before)s::uuid IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s
"""
_MESSAGE = """
SELECT id, category, event_type, mode, sealed, source, created_at FROM ledger_notification
WHERE id = %(id)s AND recipient_id = %(recipient)s AND tenant_id = %(tenant)s
"""
_DELIVERIES = """
SELECT notification_id, id, channel, status, reason, bypassed, because, merged_into, coalesce(delivered_at, sent_at, ended_at, created_at)
FROM ledger_delivery WHERE notification_id = ANY(%(ids)s) ORDER BY id
"""
_LETTER = """
SELECT d.id, d.tenant_id, d.recipient_id, d.notification_id, d.channel, n.category, n.event_type, n.sealed IS NULL,
    a.template_version_id, a.locale, a.started_at
FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
LEFT JOIN LATERAL (
    SELECT template_version_id, locale, started_at FROM ledger_attempt WHERE delivery_id = d.id ORDER BY id DESC LIMIT 1) a ON true
WHERE d.id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class Volume:
    """How many since the moment asked about, and when the latest came."""

    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """A message on one channel. `because`: what the decision rested on."""

    delivery_id: UUID
    channel: Channel
    status: DeliveryStatus
    reason: Reason | None
    bypassed: Reason | None
    because: Mapping[str, Any]
    merged_into: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """`title`: of a message without a template; `is_erased`: what it said is gone."""

    id: UUID
    category: Category
    event_type: str
    mode: str
    title: str
    is_erased: bool
    source: str
    at: datetime
    parts: tuple[Part, ...]


class Letter(NamedTuple):
    """A delivery, and what its latest attempt was made of; `started_at` None: it was never handed to anybody."""

    delivery_id: UUID
    tenant_id: UUID
    recipient_id: UUID
    notification_id: UUID
    channel: str
    category: str
    event_type: str
    is_erased: bool
    template_version_id: UUID | None
    locale: str | None
    started_at: datetime | None


def volumes(*, tenant_id: UUID, recipient_id: UUID, since: datetime) -> dict[tuple[str, str], Volume]:
    """By (event type, category), of all that the ledger still has. One query."""
    asked = {"tenant": tenant_id, "recipient": recipient_id, "since": since}
    return {(kind, category): Volume(count, last) for kind, category, count, last in fetch(_VOLUMES, asked)}


def messages_of(*, tenant_id: UUID, recipient_id: UUID, before: UUID | None, limit: int) -> list[Message]:
    """The latest first. Two queries."""
    asked = {"tenant": tenant_id, "recipient": recipient_id, "before": before, "limit": limit}
    return _messages(fetch(_MESSAGES, asked))


def message_of(*, tenant_id: UUID, recipient_id: UUID, notification_id: UUID) -> Message | None:
    """None when it is not this person's. Two queries."""
    found = _messages(fetch(_MESSAGE, {"tenant": tenant_id, "recipient": recipient_id, "id": notification_id}))
    return found[0] if found else None


def letter(delivery_id: UUID) -> Letter | None:
    """One query."""
    rows = fetch(_LETTER, {"id": delivery_id})
    return Letter(*rows[0]) if rows else None


def _messages(rows: list[tuple[Any, ...]]) -> list[Message]:
    parts: dict[UUID, list[Part]] = {row[0]: [] for row in rows}
    for notification_id, id_, channel, status, reason, bypassed, because, into, at in (
        fetch(_DELIVERIES, {"ids": list(parts)}) if parts else []
    ):
        parts[notification_id].append(
            Part(
                id_,
                Channel(channel),
                DeliveryStatus(status),
                Reason(reason) if reason else None,
                Reason(bypassed) if bypassed else None,
                because or {},
                into,
                at,
            )
        )
    return [
        Message(id_, Category(category), kind, mode, _title(id_, sealed), sealed is None, source, at, tuple(parts[id_]))
        for id_, category, kind, mode, sealed, source, at in rows
    ]


def _title(id_: UUID, sealed: bytes | None) -> str:
    if sealed is None:
        return ""
    content: Mapping[str, str] = msgspec.json.decode(crypto.decrypt(sealed, bound_to=id_.bytes))["content"]
    return content.get("title") or content.get("body", "").strip().partition("\n")[0][:78]
