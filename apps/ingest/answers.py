"""What callers get back."""

from datetime import datetime
from typing import Any

from apps.core.bodies import Answer
from apps.core.enums import Category, Channel, DoubtMove
from apps.core.problems import FieldError


class Accepted(Answer, omit_defaults=True):
    """`duplicate`: the same event for this recipient was accepted before; the id is that one's."""

    notification_id: str
    status: str
    timeline_url: str
    user_id: str | None = None
    duplicate: bool = False


class TestSendItem(Answer):
    __test__ = False

    user_id: str
    channel: Channel
    notification_id: str
    timeline_url: str


class TestSendAnswer(Answer):
    __test__ = False

    notifications: list[TestSendItem]


class SeveralAccepted(Answer):
    notifications: list[Accepted]


class Refusal(Answer):
    code: str
    detail: str
    errors: list[FieldError]


class BatchResult(Answer, omit_defaults=True):
    """`status`: queued, scheduled, or refused with its `error`."""

    index: int
    status: str
    notification_id: str | None = None
    timeline_url: str | None = None
    duplicate: bool = False
    error: Refusal | None = None


class BatchAccepted(Answer):
    accepted: int
    refused: int
    results: list[BatchResult]


class DeliveryView(Answer):
    """`duplicate_possible`: it was sent again while an earlier attempt's fate was not known. `because`: what the decision rested on,
    where it was not a plain yes: `rule`, and what that rule looked at, with source and date. `merged_into`: the notification that speaks
    for it. `bypassed`: the recipient's wish that a critical message overrode."""

    channel: str
    delivery_id: str
    status: str
    status_text: str
    reason: str | None
    reason_text: str | None
    because: dict[str, Any] | None
    because_text: str | None
    bypassed: str | None
    merged_into: str | None
    account: str | None
    duplicate_possible: bool
    last_updated: datetime


class NotificationView(Answer):
    """`status` is derived from the channels: what is still to come, else the best that any reached."""

    notification_id: str
    user_id: str | None
    status: str
    status_text: str
    mode: str
    category: str
    event_type: str | None
    template_id: str | None
    priority: str
    schedule_at: datetime | None
    expiry_at: datetime | None
    event_id: str | None
    actor_id: str | None
    object_id: str | None
    ordering_key: str | None
    created_at: datetime
    last_updated: datetime
    channels: list[DeliveryView]
    timeline_url: str


class NotificationPage(Answer):
    data: list[NotificationView]
    has_more: bool
    next_cursor: str | None


class TimelineEntry(Answer):
    at: datetime
    kind: str
    channel: str | None
    delivery_id: str | None
    text: str
    detail: dict[str, Any]


class Timeline(Answer):
    notification_id: str
    status: str
    channels: list[DeliveryView]
    entries: list[TimelineEntry]


class DeadLetterView(Answer):
    dead_letter_id: str
    notification_id: str
    delivery_id: str | None
    queue: str
    reason: str
    reason_text: str
    context: dict[str, Any]
    created_at: datetime


class DeadLetterPage(Answer):
    data: list[DeadLetterView]
    has_more: bool
    next_cursor: str | None


class PlannedMove(Answer):
    """What is planned for a delivery in doubt, and when."""

    move: DoubtMove
    text: str
    at: datetime


class InDoubtView(Answer):
    """`next`: null when nothing is planned, or when it is being done right now."""

    delivery_id: str
    notification_id: str
    channel: Channel
    category: Category
    account: str | None
    duplicate_possible: bool
    since: datetime
    next: PlannedMove | None
    next_text: str


class InDoubtPage(Answer):
    data: list[InDoubtView]
    has_more: bool
    next_cursor: str | None


class Resolved(Answer):
    """How many dead letters were resolved."""

    count: int
