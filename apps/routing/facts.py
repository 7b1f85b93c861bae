"""What the brain is told: frozen facts about one notification, one person, one channel at one moment."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

import msgspec

from apps.core.enums import Category, Channel, KeyMode, Priority, Reason
from apps.core.types import Cap, Choices, Endpoint, Grouping, Recipient, TenantRules, Veto


class Stage(Enum):
    """ROUTE: for the first time. GATE: just before it is sent. FLUSH: as an item of a bundle that is summed up now."""

    ROUTE = 1
    GATE = 2
    FLUSH = 3


class Wish(msgspec.Struct, frozen=True):
    """What was asked for. `grouping`, `overflows`, `waits`: of its event type. `is_summary`: it sums up others, of the event types
    `parts`. `verifies`: it asks whether this endpoint is the person's, and goes there only. `halt`: its campaign is not to go on now."""

    category: Category
    event_type: str
    priority: Priority
    mode: KeyMode
    actor_id: str
    expires_at: datetime | None
    object_id: str = ""
    grouping: Grouping | None = None
    overflows: bool = False
    waits: timedelta = timedelta(0)
    is_summary: bool = False
    parts: tuple[str, ...] = ()
    verifies: UUID | None = None
    halt: Reason | None = None


class Person(msgspec.Struct, frozen=True):
    """Who it is for. `recipient` is None when the person was forgotten meanwhile. `suppressed`: endpoints whose address is vetoed.
    `zone`: the person's time zone (IANA name), else the tenant's; `country`: ISO 3166-1, empty where nothing tells."""

    recipient: Recipient | None
    endpoints: tuple[Endpoint, ...]
    choices: Choices
    suppressed: Mapping[UUID, Veto]
    is_guest: bool
    zone: str = "UTC"
    country: str = ""


class Case(msgspec.Struct, frozen=True):
    """One channel to decide on, at `now`. `duplicate_of`: the notification with the same content that went to this person on this
    channel in the window. `asked_at`: when it was first due. `fuller`: the fuller message about the same thing
    that has come. `seen_elsewhere`: the person has seen it on another channel. `over`: the frequency cap that has no room for it.
    `was_held`: at the gate: it has waited for a moment, not with others."""

    wish: Wish
    person: Person
    channel: Channel
    now: datetime
    has_content: bool = True
    has_provider: bool = True
    duplicate_of: UUID | None = None
    rules: TenantRules = TenantRules()
    stage: Stage = Stage.ROUTE
    asked_at: datetime | None = None
    fuller: UUID | None = None
    seen_elsewhere: bool = False
    over: Cap | None = None
    was_held: bool = False

    @property
    def is_critical(self) -> bool:
        return self.wish.category == Category.CRITICAL
