"""What callers send to make, change and operate campaigns."""

from typing import Annotated, Any

from msgspec import Meta

from apps.campaigns.definitions import CampaignValues, Micros
from apps.core.bodies import Body
from apps.core.enums import Category, Priority
from apps.ingest.bodies import Channels, Data, Id, Key, Message, Moment

MOST_RECIPIENTS = 100_000
SegmentName = Annotated[str, Meta(min_length=1, max_length=63, examples=["churned"])]
PerMinute = Annotated[int, Meta(ge=0, le=10_000_000, description="People a minute; 0: as fast as it goes.")]


class CampaignBody(CampaignValues, frozen=True):
    """`name` is required. It begins as a draft, of the key's own mode."""

    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class CampaignPatch(CampaignValues, frozen=True, kw_only=True):
    """`version`: the one that you read; somebody else's newer one is never overwritten."""

    version: Annotated[int, Meta(ge=1, le=2_000_000_000)]


class ThrottleBody(Body, frozen=True):
    per_minute: PerMinute


class WinnerBody(Body, frozen=True):
    """`variant`: its position, from 0."""

    variant: Annotated[int, Meta(ge=0, le=7)]


class SubmitBody(Body, frozen=True):
    """`note`: for whoever approves."""

    note: Annotated[str, Meta(max_length=500)] = ""


class BulkBody(Body, frozen=True):
    """The same message to many: `recipient_ids` (the people's user_ids) or `segment_id` (a segment's or list's id or key). What it says:
    a `template_id`, or a `message` word for word. `exclude_segment_id`: nobody in it gets it. `budget`: {total: millionths of the
    currency, or a channel: millionths a day}."""

    channels: Channels
    name: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    recipient_ids: Annotated[list[Id], Meta(min_length=1, max_length=MOST_RECIPIENTS)] | None = None
    segment_id: SegmentName | None = None
    exclude_segment_id: SegmentName | None = None
    template_id: Key | None = None
    message: Message | None = None
    data: Data = {}
    category: Category = Category.MARKETING
    event_type: Key | None = None
    priority: Priority = Priority.NORMAL
    schedule_at: Moment | None = None
    expiry_at: Moment | None = None
    throttle: PerMinute = 0
    holdout: Annotated[int, Meta(ge=0, le=50)] = 0
    budget: dict[str, Micros] = {}
    send_once_key: Annotated[str, Meta(max_length=100)] = ""
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


def values_of(body: CampaignValues, **more: Any) -> CampaignValues:
    """The campaign's own values of a body that has others as well."""
    said = {name: getattr(body, name) for name in CampaignValues.__struct_fields__}
    return CampaignValues(**said | more)
