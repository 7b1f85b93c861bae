"""What callers send to the front door."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from apps.audience.bodies import RecipientBody
from apps.core.bodies import Body
from apps.core.enums import Category, Channel, Priority

Id = Annotated[str, Meta(min_length=1, max_length=128)]
Key = Annotated[str, Meta(min_length=1, max_length=100)]
Moment = Annotated[datetime, Meta(tz=True)]
Channels = Annotated[list[Channel], Meta(min_length=1, max_length=4)]
Data = dict[str, Any]


class Message(Body, frozen=True):
    """Content without a template: the same words on every channel."""

    body: Annotated[str, Meta(min_length=1, max_length=4000)]
    title: Annotated[str, Meta(max_length=200)] = ""
    collapse_id: Annotated[
        str,
        Meta(max_length=200, description="On a device it takes the place of the message before with the same one."),
    ] = ""
    badge: Annotated[
        str,
        Meta(
            pattern="^(unread|[0-9]{1,6})?$",
            max_length=6,
            description="What the app's icon shows: a number, or `unread` for the person's number of unread in-app messages.",
            examples=["unread"],
        ),
    ] = ""


class SeveralItem(Body, frozen=True):
    """One of several recipients of one event. What it leaves out is taken from the request."""

    user_id: Id
    channels: Channels | None = None
    template_id: Key | None = None
    data: Data | None = None


class NotificationItem(Body, frozen=True):
    """One notification for one recipient: `user_id`, or `recipient` with addresses (created or updated)."""

    user_id: Id | None = None
    recipient: RecipientBody | None = None
    event_type: Key | None = None
    category: Category | None = None
    template_id: Key | None = None
    message: Message | None = None
    data: Data = {}
    channels: Channels | None = None
    priority: Priority = Priority.NORMAL
    schedule_at: Moment | None = None
    expiry_at: Moment | None = None
    event_id: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    actor_id: Id | None = None
    object_id: Id | None = None
    ordering_key: Id | None = None


class NotificationBody(NotificationItem, frozen=True):
    """One notification, or one for each of up to 500 `recipients` of the same event."""

    recipients: Annotated[list[SeveralItem], Meta(min_length=1, max_length=500)] | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class BatchBody(Body, frozen=True):
    """Up to 1,000 different notifications. Each is judged by itself; the good ones are accepted in one transaction."""

    notifications: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=1000)]
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class BatchSchema(Body, frozen=True):
    """The same as documented."""

    notifications: Annotated[list[NotificationItem], Meta(min_length=1, max_length=1000)]
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class TestSendBody(Body, frozen=True):
    """To whom: `user_ids`, `addresses`, a `seed_list`, or all of them. Without `version` it is the draft, or else the current version;
    without `channels` all that it has; without `data` its sample; without `locale` each reader's own."""

    __test__ = False

    user_ids: Annotated[list[Id], Meta(max_length=50)] = []
    addresses: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=320)]],
        Meta(max_length=50, description="Email addresses and phone numbers."),
    ] = []
    seed_list: Annotated[str, Meta(max_length=100)] = ""
    channels: Annotated[list[Channel], Meta(max_length=4)] = []
    locale: Annotated[str, Meta(max_length=35, examples=["de-CH"])] = ""
    version: Annotated[int, Meta(ge=1, le=2_000_000_000)] | None = None
    data: Data | None = None


class RetryBody(Body, frozen=True):
    """`may_duplicate`: also deliveries in doubt, at the risk that somebody gets them twice."""

    may_duplicate: bool = False


class DeadLetterIds(Body, frozen=True):
    ids: Annotated[list[str], Meta(min_length=1, max_length=500)]
