"""The bodies and answers about what people chose."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from apps.core.bodies import Answer, Body
from apps.core.enums import Category, Channel, DigestFrequency
from apps.preferences.serializers import ChannelOrAny, Topic

MOST_CELLS = 500
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Version = Annotated[
    int,
    Meta(
        ge=0,
        le=2**31 - 1,
        description="The version that you read; 409 when it is another one now. The same as `If-Match`.",
    ),
]
Digest = Annotated[DigestFrequency, Meta(description="Not one by one, but summed up that often.")]
ClockTime = Annotated[
    str,
    Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="On the person's own clock.", examples=["22:00"]),
]
ActorId = Annotated[str, Meta(min_length=1, max_length=128, examples=["u_77"])]


class PreferenceBody(Body, frozen=True):
    topic: Topic
    on: bool
    channel: ChannelOrAny = "*"
    digest: Digest | None = None


class PreferencesBody(Body, frozen=True):
    """The whole list: what is not in it goes back to the default."""

    preferences: Annotated[list[PreferenceBody], Meta(max_length=MOST_CELLS)]
    version: Version | None = None


class CellBody(Body, frozen=True):
    topic: Topic
    on: Annotated[bool | None, Meta(description="`null`: back to the default.")]
    channel: ChannelOrAny = "*"
    digest: Digest | None = None


class MuteBody(Body, frozen=True):
    topic: Topic
    until: Annotated[datetime, Meta(tz=True, description="At most ten years ahead. `null`: no longer muted.")] | None
    channel: ChannelOrAny = "*"


class QuietHoursBody(Body, frozen=True):
    """Over midnight when `end` comes first. Empty `channels`: push, email and SMS; empty `categories`: all but critical."""

    start: ClockTime
    end: ClockTime
    channels: Annotated[list[Channel], Meta(max_length=4)] = []
    categories: Annotated[list[Category], Meta(max_length=4)] = []


class DigestTimeBody(Body, frozen=True):
    """When daily and weekly digests come, on the person's own clock."""

    hour: Annotated[int, Meta(ge=0, le=23)] = 9
    weekday: Weekday = "monday"


class ChangesBody(Body, frozen=True):
    """What is not named stays."""

    version: Version | None = None
    preferences: Annotated[list[CellBody], Meta(max_length=MOST_CELLS)] = []
    mutes: Annotated[list[MuteBody], Meta(max_length=MOST_CELLS)] = []
    quiet_hours: (
        Annotated[list[QuietHoursBody], Meta(max_length=20, description="Empty: none. `null`: those of the tenant.")]
        | UnsetType
        | None
    ) = UNSET
    digest_time: DigestTimeBody | UnsetType = UNSET
    blocked_actors: (
        Annotated[list[ActorId], Meta(max_length=1_000, description="All of them: `actor_id`s of whom nothing comes.")]
        | UnsetType
    ) = UNSET


class PreferenceAnswer(Answer):
    """`source`: who decided it. `locked`: it has no effect, for the tenant decides; `locked_reason` is what to tell people."""

    topic: str
    channel: str
    on: bool
    digest: DigestFrequency | None
    source: str
    updated_at: datetime
    locked: bool
    locked_reason: str | None


class MuteAnswer(Answer):
    topic: str
    channel: str
    until: datetime
    source: str
    updated_at: datetime


class QuietHoursAnswer(Answer):
    start: str
    end: str
    channels: list[Channel]
    categories: list[Category]


class DigestTimeAnswer(Answer):
    hour: int
    weekday: Weekday


class PreferencesAnswer(Answer):
    """`version`: counts the changes; send it with a change. `quiet_hours` null: those of the tenant hold."""

    user_id: str
    version: int
    preferences: list[PreferenceAnswer]
    mutes: list[MuteAnswer]
    quiet_hours: list[QuietHoursAnswer] | None
    digest_time: DigestTimeAnswer
    blocked_actors: list[str]


class ManyUsersBody(Body, frozen=True):
    user_ids: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=128, examples=["u_42"])]],
        Meta(min_length=1, max_length=1_000),
    ]


class ManyPreferencesAnswer(Answer):
    """In the order asked for, each once. `unknown`: no such users."""

    data: list[PreferencesAnswer]
    unknown: list[str]


class HoldingAnswer(Answer):
    """What holds. `decided_by`: the recipient, the tenant, or nobody (then it is on); `topic`, `channel`, `source`, `since`: of the
    choice that decides. `locked`: the recipient cannot change it, for this `reason`. `muted_until`: nothing comes until then, whatever
    `on` says."""

    on: bool
    digest: DigestFrequency | None
    decided_by: Literal["recipient", "tenant", "nobody"]
    topic: str | None
    channel: str | None
    source: str | None
    since: datetime | None
    locked: bool
    reason: str | None
    muted_until: datetime | None


class EffectiveRow(Answer):
    """Of one event type, or of the whole category when `event_type` is null. `channels`: those it may use."""

    event_type: str | None
    name: str | None
    category: Category
    channels: dict[Channel, HoldingAnswer]


class EffectiveAnswer(Answer):
    """Categories first, then event types by key."""

    user_id: str
    version: int
    data: list[EffectiveRow]


class LinkAnswer(Answer):
    """Whoever has it may see and change this person's settings: give it to nobody else. It does not expire."""

    url: str


class DefaultBody(Body, frozen=True):
    """`locked`: whatever a person chose; then the `reason` is required, and shown to them."""

    on: bool
    digest: Digest | None = None
    locked: bool = False
    reason: Annotated[str, Meta(max_length=200, examples=["The law wants you to get your invoices."])] = ""


class DefaultAnswer(Answer):
    topic: str
    channel: str
    on: bool
    digest: DigestFrequency | None
    locked: bool
    reason: str
    created_at: datetime
    updated_at: datetime


class DefaultsAnswer(Answer):
    data: list[DefaultAnswer]
