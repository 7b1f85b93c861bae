"""What the brain is told: frozen facts about one notification, one person, one channel at one moment."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.enums import Category, Channel, KeyMode, Priority
from apps.core.types import Endpoint, Recipient, Switch


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    category: Category
    event_type: str
    priority: Priority
    mode: KeyMode
    actor_id: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Person:
    """Who it is for. `recipient` is None when the person was forgotten meanwhile. `suppressed`: endpoints whose address is vetoed."""

    recipient: Recipient | None
    endpoints: tuple[Endpoint, ...]
    switches: tuple[Switch, ...]
    suppressed: frozenset[UUID]
    is_guest: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One channel to decide on, at `now`. `is_duplicate`: the same content went to this person on this channel in the window."""

    wish: Wish
    person: Person
    channel: Channel
    now: datetime
    has_content: bool = True
    has_provider: bool = True
    is_duplicate: bool = False

    @property
    def is_critical(self) -> bool:
        return self.wish.category == Category.CRITICAL
