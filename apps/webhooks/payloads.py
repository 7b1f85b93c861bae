"""The words of a call: Standard Webhooks' `{type, timestamp, data}`. Ids as the API shows them; never an address, never a content."""

from datetime import datetime

import msgspec

from apps.core import ids
from apps.core.enums import Reason
from apps.ledger.telling import STATUS, Change
from apps.webhooks.catalogue import EXAMPLE_AT, TYPES, WebhookType, example


class MessageData(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: what the message became by this; null for what did not change it. `sentence`: the reason's, for people."""

    message_id: str | None
    notification_id: str
    user_id: str | None
    channel: str | None
    category: str | None
    event_type: str | None
    mode: str | None
    status: str | None
    reason: str | None
    sentence: str | None


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    timestamp: datetime
    data: MessageData


def body_of(change: Change, user_id: str | None) -> str:
    """The JSON text for a change of a known kind."""
    return _body(
        change.at,
        source=change.kind,
        reason=change.reason,
        message_id=ids.show(ids.DELIVERY, change.delivery_id) if change.delivery_id else None,
        notification_id=ids.show(ids.NOTIFICATION, change.notification_id),
        user_id=user_id,
        channel=change.channel,
        category=change.category,
        event_type=change.event_type,
        mode=change.mode,
    )


def example_body(kind: WebhookType, at: datetime = EXAMPLE_AT) -> str:
    return _body(at, **example(kind))


def _body(
    at: datetime,
    *,
    source: str,
    reason: str,
    message_id: str | None,
    notification_id: str,
    user_id: str | None,
    channel: str | None,
    category: str | None,
    event_type: str,
    mode: str | None,
) -> str:
    data = MessageData(
        message_id=message_id,
        notification_id=notification_id,
        user_id=user_id,
        channel=channel,
        category=category,
        event_type=event_type or None,
        mode=mode,
        status=source.removeprefix(STATUS) if source.startswith(STATUS) else None,
        reason=reason or None,
        sentence=Reason(reason).sentence if reason in set(Reason) else None,
    )
    return msgspec.json.encode(Payload(type=TYPES[source], timestamp=at, data=data)).decode()
