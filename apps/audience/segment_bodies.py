"""What callers send about segments and lists, and what they are answered."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from apps.audience.models.segments import SegmentKind
from apps.audience.segments import fields, rules
from apps.audience.segments.counting import Count
from apps.audience.segments.lists import MOST_AT_ONCE
from apps.audience.segments.reach import Funnel, SamplePerson
from apps.audience.segments.stored import SegmentRow
from apps.core import ids
from apps.core.bodies import Answer, Body
from apps.core.enums import Category, Channel

Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=63,
        pattern="^[a-z0-9][a-z0-9_-]*$",
        examples=["vip"],
        description="Unique; kept for ever.",
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=200, examples=["Our best customers"])]
Rules = Annotated[
    dict[str, Any],
    Meta(
        description="A tree of rules: `all`, `any`, `none` of rules; a `field` with `op` and `value` (GET /v1/segments/fields); a `segment`"
        " or a `list`; `users`; `everyone`.",
        examples=[
            {
                "all": [
                    {"field": "attributes.plan", "op": "is", "value": "pro"},
                    {"field": "locale", "op": "is", "value": "de"},
                ]
            }
        ],
    ),
]
UserId = Annotated[str, Meta(min_length=1, max_length=rules.LONGEST_NAME)]


class NewSegmentBody(Body, frozen=True):
    """Without `rules` it is a list."""

    key: Key
    name: Name
    rules: Rules | None = None


class SegmentBody(Body, frozen=True):
    """`version`: the one that you read; another one is refused."""

    name: Name
    rules: Rules | None = None
    version: Annotated[int, Meta(ge=1)] | None = None


class SegmentPreviewBody(Body, frozen=True):
    """`exclude`: people left out. `category`, `event_type`, `channels`: of what would be sent. `people`: how many examples."""

    rules: Rules
    exclude: Rules | None = None
    channels: Annotated[list[Channel], Meta(max_length=4, description="Empty: all.")] = []
    category: Category = Category.MARKETING
    event_type: Annotated[str, Meta(max_length=100)] = ""
    people: Annotated[int, Meta(ge=0, le=10)] = 0


class MembersBody(Body, frozen=True):
    user_ids: Annotated[list[UserId], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class SegmentAnswer(Answer):
    """`count`: how many people at `counted_at`; null: not counted since it changed. `rules`: null for a list."""

    id: str
    key: str
    name: str
    kind: SegmentKind
    rules: dict[str, Any] | None
    version: int
    count: int | None
    counted_at: datetime | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    used_by: list[str]

    @classmethod
    def of(cls, row: SegmentRow, used_by: list[str]) -> "SegmentAnswer":
        return cls(
            id=ids.show(ids.SEGMENT, row.id),
            key=row.key,
            name=row.name,
            kind=row.kind,
            rules=None if row.is_list else dict(row.rules),
            version=row.version,
            count=row.count,
            counted_at=row.counted_at,
            archived_at=row.archived_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
            used_by=used_by,
        )


class SegmentPage(Answer):
    data: list[SegmentAnswer]
    has_more: bool
    next_cursor: str | None


class CountAnswer(Answer):
    """`exact`: false: about so many."""

    count: int
    exact: bool

    @classmethod
    def of(cls, count: Count) -> "CountAnswer":
        return cls(count=count.number, exact=count.is_exact)


class ReachAnswer(Answer):
    """Each number is a part of the one before. `under_caps` is an estimate."""

    channel: Channel
    has_address: int
    allowed: int
    not_suppressed: int
    under_caps: int


class PlaceAnswer(Answer):
    """`name`: empty: none is known."""

    name: str
    count: int


class FunnelAnswer(Answer):
    """`reached`: on at least one channel."""

    matched: int
    reached: int
    exact: bool
    channels: list[ReachAnswer]
    zones: list[PlaceAnswer]
    locales: list[PlaceAnswer]

    @classmethod
    def of(cls, funnel: Funnel) -> "FunnelAnswer":
        return cls(
            matched=funnel.matched,
            reached=funnel.reached,
            exact=funnel.is_exact,
            channels=[
                ReachAnswer(
                    channel=each.channel,
                    has_address=each.has_address,
                    allowed=each.allowed,
                    not_suppressed=each.not_suppressed,
                    under_caps=each.under_caps,
                )
                for each in funnel.channels
            ],
            zones=[PlaceAnswer(name=name, count=count) for name, count in funnel.zones],
            locales=[PlaceAnswer(name=name, count=count) for name, count in funnel.locales],
        )


class PersonAnswer(Answer):
    """`would_get_it`: now or later, on one of the channels. `why`: a sentence for each channel."""

    user_id: str
    would_get_it: bool
    why: list[str]

    @classmethod
    def of(cls, person: SamplePerson) -> "PersonAnswer":
        return cls(user_id=person.user_id, would_get_it=person.is_in, why=list(person.lines))


class WarningAnswer(Answer):
    pointer: str
    detail: str


class SegmentPreviewAnswer(Answer):
    count: int
    exact: bool
    funnel: FunnelAnswer | None
    people: list[PersonAnswer]
    warnings: list[WarningAnswer]


class MembersAnswer(Answer):
    """`changed`: put on the list, or taken off it. `unknown`: nobody has these user_ids; the others were done."""

    changed: int
    unknown: list[str]


class MemberPage(Answer):
    """user_ids, in an order that stays."""

    data: list[str]
    has_more: bool
    next_cursor: str | None


class FieldAnswer(Answer):
    """`name`: ending in a dot: a family, of which `paths` are the members (none: any name). `ops`: each with what value it takes."""

    name: str
    label: str
    group: str
    ops: dict[str, fields.Kind]
    paths: list[str]


class FieldsAnswer(Answer):
    data: list[FieldAnswer]
