"""What can be told: a closed set of events, each with its sentence, where it comes from in the ledger, and an example. Pure.

docs/webhooks.md shows this table; a type is never renamed.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from apps.core.enums import DeliveryStatus, EventKind, Reason, Worded
from apps.ledger.telling import ACCEPTED, EVENT, STATUS


class WebhookType(Worded):
    NOTIFICATION_ACCEPTED = "notification.accepted", "A notification was accepted. One for each: only on request."
    MESSAGE_SENT = "message.sent", "A provider took the message; no proof of arrival yet."
    MESSAGE_DELIVERED = "message.delivered", "The message arrived."
    MESSAGE_BOUNCED = "message.bounced", "The address refused the message."
    MESSAGE_FAILED = "message.failed", "The message could not be sent; `reason` says why."
    MESSAGE_SKIPPED = "message.skipped", "The message was withheld; `reason` says why."
    MESSAGE_EXPIRED = "message.expired", "The message's time was over before it could be sent."
    MESSAGE_CANCELLED = "message.cancelled", "The message was cancelled before it was sent."
    MESSAGE_UNKNOWN = "message.unknown", "A provider may or may not have taken the message."
    MESSAGE_MERGED = "message.merged", "The message became part of a summary, which is a message of its own."
    MESSAGE_OPENED = "message.opened", "The recipient opened the message."
    MESSAGE_CLICKED = "message.clicked", "The recipient followed a link in the message."
    RECIPIENT_UNSUBSCRIBED = (
        "recipient.unsubscribed",
        "The recipient opted out by what a provider says of this message.",
    )
    RECIPIENT_COMPLAINED = "recipient.complained", "The recipient reported the message as unwanted."


SOURCES: Mapping[WebhookType, str] = {
    WebhookType.NOTIFICATION_ACCEPTED: ACCEPTED,
    WebhookType.MESSAGE_SENT: STATUS + DeliveryStatus.SENT,
    WebhookType.MESSAGE_DELIVERED: STATUS + DeliveryStatus.DELIVERED,
    WebhookType.MESSAGE_BOUNCED: STATUS + DeliveryStatus.BOUNCED,
    WebhookType.MESSAGE_FAILED: STATUS + DeliveryStatus.FAILED,
    WebhookType.MESSAGE_SKIPPED: STATUS + DeliveryStatus.SKIPPED,
    WebhookType.MESSAGE_EXPIRED: STATUS + DeliveryStatus.EXPIRED,
    WebhookType.MESSAGE_CANCELLED: STATUS + DeliveryStatus.CANCELLED,
    WebhookType.MESSAGE_UNKNOWN: STATUS + DeliveryStatus.UNKNOWN,
    WebhookType.MESSAGE_MERGED: STATUS + DeliveryStatus.MERGED,
    WebhookType.MESSAGE_OPENED: EVENT + EventKind.OPENED,
    WebhookType.MESSAGE_CLICKED: EVENT + EventKind.CLICKED,
    WebhookType.RECIPIENT_UNSUBSCRIBED: EVENT + EventKind.OPTED_OUT,
    WebhookType.RECIPIENT_COMPLAINED: EVENT + EventKind.COMPLAINED,
}
TYPES: Mapping[str, WebhookType] = {source: kind for kind, source in SOURCES.items()}
DEFAULT = tuple(kind for kind in WebhookType if kind is not WebhookType.NOTIFICATION_ACCEPTED)
EXAMPLE_AT = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
_REASONS = {
    WebhookType.MESSAGE_BOUNCED: Reason.HARD_BOUNCE,
    WebhookType.MESSAGE_FAILED: Reason.RETRIES_EXHAUSTED,
    WebhookType.MESSAGE_SKIPPED: Reason.TOPIC_OFF,
    WebhookType.MESSAGE_EXPIRED: Reason.EXPIRED,
    WebhookType.MESSAGE_CANCELLED: Reason.CANCELLED,
    WebhookType.MESSAGE_UNKNOWN: Reason.IN_DOUBT,
}


def sources(types: Iterable[str]) -> frozenset[str]:
    return frozenset(SOURCES[WebhookType(kind)] for kind in types)


def example(kind: WebhookType) -> dict[str, Any]:
    """The values of payloads.Said for an event that never was."""
    is_message = kind is not WebhookType.NOTIFICATION_ACCEPTED
    return {
        "source": SOURCES[kind],
        "reason": str(_REASONS.get(kind, "")),
        "message_id": "dl_06czvrg000jr4dx5k0mb8w1a2c" if is_message else None,
        "notification_id": "nt_06czvrg000h8m2e4q7t9xw3b5d",
        "user_id": "u_42",
        "channel": "email" if is_message else None,
        "category": "transactional",
        "event_type": "order.shipped",
        "mode": "test",
    }
