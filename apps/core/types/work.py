"""What was asked for, what is left to do, what people did with it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from apps.core.enums import Category, Channel, EventKind, KeyMode, Priority, Reason, WorkKind

SUMMARY = "summary"
"""The source of notifications that sum up others: made here, asked for by nobody."""
TEST_SEND = "test_send"
"""The source of those that somebody sent to try a template: rendered when they were asked for, and left out of statistics."""
VERIFICATION = "verification"
"""The source of those that ask whether an address is the person's; their object is the endpoint."""


class NewNotification(msgspec.Struct, frozen=True):
    """A validated request for one recipient, ready to be written. `content` is inline content per channel, if no template is named."""

    id: UUID
    recipient_id: UUID
    category: Category
    event_type: str
    template_key: str
    channels: tuple[Channel, ...]
    priority: Priority
    data: Mapping[str, Any]
    content: Mapping[str, str]
    due_at: datetime | None
    expires_at: datetime | None
    event_id: str
    actor_id: str
    object_id: str
    ordering_key: str


class NotificationFacts(msgspec.Struct, frozen=True):
    """A notification as routing and sending need it, `data` and `content` in clear. A summary's `data` has `digest` and nothing else
    (routing/digests.py). Of a campaign: `broadcast_id`, `variant`, its pinned `template_version_id`, and `halt`: why it is not to go out
    now (PAUSED, CANCELLED)."""

    id: UUID
    tenant_id: UUID
    recipient_id: UUID
    mode: KeyMode
    category: Category
    event_type: str
    template_key: str
    channels: tuple[Channel, ...]
    priority: Priority
    data: Mapping[str, Any]
    content: Mapping[str, str]
    expires_at: datetime | None
    actor_id: str
    object_id: str
    ordering_key: str
    source: str = ""
    broadcast_id: UUID | None = None
    variant: int | None = None
    template_version_id: UUID | None = None
    halt: Reason | None = None

    @property
    def is_summary(self) -> bool:
        return self.source == SUMMARY

    @property
    def is_test_send(self) -> bool:
        return self.source == TEST_SEND

    @property
    def is_verification(self) -> bool:
        return self.source == VERIFICATION


class Work(msgspec.Struct, frozen=True):
    """A claimed work item. `id` is the notification's (route), the delivery's (send, doubt, resend) or the chain's (fallback, proof).
    `tries`: attempts burned; `calls`: provider calls made; `order_at`: when it was first due, or when the doubt began.
    `lease_id`: of what was claimed together; None for what was found lapsed."""

    id: UUID
    kind: WorkKind
    queue: str
    lane: Category
    channel: Channel | None
    tenant_id: UUID
    notification_id: UUID
    lease_token: int
    tries: int
    calls: int
    expiries: int
    priority: int
    expires_at: datetime | None
    ordering_key: str
    order_at: datetime
    lease_id: UUID | None = None


class NewInboxItem(msgspec.Struct, frozen=True):
    """A feed item to be written; `id` is its delivery's. `group`: what it has in common with others that are summed up with it;
    `replaces`: notifications whose unread items it takes the place of."""

    id: UUID
    tenant_id: UUID
    recipient_id: UUID
    notification_id: UUID
    event_type: str
    category: Category
    content: Mapping[str, str]
    expires_at: datetime | None
    group: str = ""
    replaces: tuple[UUID, ...] = ()


class Engagement(NamedTuple):
    """What a recipient did with a feed item: `kind` is SEEN, READ or ARCHIVED; the item's id is its delivery's."""

    item_id: UUID
    kind: EventKind
    at: datetime
