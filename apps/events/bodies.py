"""Event types as they come and go through the API."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from apps.core.bodies import Answer, Body
from apps.core.enums import Category, Channel, DedupBy, GroupBy, ResendInDoubt
from apps.core.types import EventType, Grouping

_MONTH = 30 * 24 * 3600
_DAY = 24 * 3600
_LONGEST_WAIT = 3600
LONGEST_WINDOW = 7 * _DAY
MOST_GROUPED = 500
Channels = Annotated[list[Channel], Meta(max_length=4, examples=[["push", "email"]])]


class GroupingBody(Body, frozen=True):
    """Messages that are summed up: all that come within `window_seconds` after the first one, `most` of them at once, the rest in the
    next summary."""

    by: Annotated[
        GroupBy,
        Meta(
            description="Which belong together: those about the same `object`, of the same `actor`, or all of the `type`."
        ),
    ]
    window_seconds: Annotated[int, Meta(ge=1, le=LONGEST_WINDOW, examples=[600])]
    most: Annotated[int, Meta(ge=2, le=MOST_GROUPED, description="So many are summed up at once.")] = 100
    leads: Annotated[bool, Meta(description="The first one is sent at once; those that follow are summed up.")] = False
    low_only: Annotated[bool, Meta(description="Only messages of priority `low`.")] = False


class EventTypeBody(Body, frozen=True):
    """`channels`: the default wish; `fallback`: sent one after another, each only when the one before gives up. Of the channels wished
    for, those in `fallback` wait for their turn; the others are sent at once."""

    name: Annotated[str, Meta(min_length=1, max_length=200, examples=["Order shipped"])]
    category: Annotated[Category, Meta(examples=["transactional"])]
    template_key: Annotated[str, Meta(max_length=100, examples=["order-shipped"])] = ""
    channels: Channels = []
    fallback: Channels = []
    fallback_after_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAY,
            description="Without proof of arrival after this time the next channel of `fallback` is tried; 0: only when one gives up.",
        ),
    ] = 0
    resend_in_doubt: Annotated[
        ResendInDoubt,
        Meta(
            description="What is done when a provider gave no answer: `default` (as the category does), `never`, `once`."
        ),
    ] = ResendInDoubt.DEFAULT
    dedup_window_seconds: Annotated[
        int,
        Meta(ge=0, le=_MONTH, description="The same content to the same person within this time is sent once; 0: off."),
    ] = 0
    dedup_by: Annotated[
        DedupBy,
        Meta(
            description="What makes two messages the same: `content` (actor, object, data, content) or `object` (actor and object)."
        ),
    ] = DedupBy.CONTENT
    waits_for: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=100)]],
        Meta(max_length=10, description="Fuller event types: one of them about the same `object_id` takes its place."),
    ] = []
    waits_seconds: Annotated[
        int,
        Meta(ge=0, le=_LONGEST_WAIT, description="How long it waits for a fuller one; with `waits_for` at least 1."),
    ] = 0
    grouping: Annotated[
        GroupingBody | None, Meta(description="How its messages are summed up; null: each is sent by itself.")
    ] = None
    overflows: Annotated[
        bool,
        Meta(
            description="What is over a frequency cap goes into the recipient's next daily digest instead of being withheld."
        ),
    ] = False
    digest_template_key: Annotated[
        str,
        Meta(
            max_length=100, description="The template of its summaries; else the template `digest`, else plain words."
        ),
    ] = ""
    sensitive_keys: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=100)]],
        Meta(max_length=50, description="Keys of `data` that are erased as soon as the message is over, e.g. codes."),
    ] = []
    owner: Annotated[str, Meta(max_length=200, description="Who to ask about it.")] = ""
    critical_reason: Annotated[
        str,
        Meta(max_length=500, description="With the category `critical`: why people must get it whatever they chose."),
    ] = ""


class CriticalAnswer(Answer):
    """Why it is to be critical, who asked for it, and who approved it: somebody else."""

    reason: str
    asked_by: str
    approved_by: str | None
    approved_at: datetime | None


class GroupingAnswer(Answer):
    by: GroupBy
    window_seconds: int
    most: int
    leads: bool
    low_only: bool


class EventTypeAnswer(Answer):
    """`category`: as it was asked for; `works_as`: what its messages are: transactional, until somebody approves that it is critical."""

    key: str
    name: str
    category: Category
    works_as: Category
    critical: CriticalAnswer | None
    template_key: str
    channels: list[Channel]
    fallback: list[Channel]
    fallback_after_seconds: int
    resend_in_doubt: ResendInDoubt
    dedup_window_seconds: int
    dedup_by: DedupBy
    waits_for: list[str]
    waits_seconds: int
    grouping: GroupingAnswer | None
    overflows: bool
    digest_template_key: str
    sensitive_keys: list[str]
    owner: str


class EventTypePage(Answer):
    data: list[EventTypeAnswer]
    has_more: bool
    next_cursor: str | None


def answer_of(kind: EventType) -> EventTypeAnswer:
    critical = kind.critical
    return EventTypeAnswer(
        key=kind.key,
        name=kind.name,
        category=Category.CRITICAL if critical else kind.category,
        works_as=kind.category,
        critical=CriticalAnswer(
            reason=critical.reason,
            asked_by=critical.asked_by,
            approved_by=critical.approved_by or None,
            approved_at=critical.approved_at,
        )
        if critical
        else None,
        template_key=kind.template_key,
        channels=list(kind.channels),
        fallback=list(kind.fallback),
        fallback_after_seconds=int(kind.fallback_after.total_seconds()),
        resend_in_doubt=kind.resend_in_doubt,
        dedup_window_seconds=int(kind.dedup_window.total_seconds()),
        dedup_by=kind.dedup_by,
        waits_for=list(kind.waits_for),
        waits_seconds=int(kind.waits.total_seconds()),
        grouping=_grouping(kind.grouping),
        overflows=kind.overflows,
        digest_template_key=kind.digest_template_key,
        sensitive_keys=list(kind.sensitive_keys),
        owner=kind.owner,
    )


def _grouping(grouping: Grouping | None) -> GroupingAnswer | None:
    if grouping is None:
        return None
    return GroupingAnswer(
        by=grouping.by,
        window_seconds=int(grouping.window.total_seconds()),
        most=grouping.most,
        leads=grouping.leads,
        low_only=grouping.low_only,
    )
