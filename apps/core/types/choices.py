"""What a recipient wants and what the tenant allows.

A topic: `order.shipped`, `order.*`, `category:marketing` or `*`; a channel: one or `*`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from apps.core.enums import CapPeriod, Category, Channel, DigestFrequency, GroupBy


@dataclass(frozen=True, slots=True)
class Switch:
    """One preference: off, on, or on as part of a digest. `source`, `since`: who decided it, and when."""

    topic: str
    channel: str
    is_on: bool
    digest: DigestFrequency | None = None
    source: str = field(default="", compare=False)
    since: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Mute:
    """Nothing of this until then, whatever the switches say."""

    topic: str
    channel: str
    until: datetime
    source: str = field(default="", compare=False)
    since: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """`start`, `end`: minutes after midnight on the recipient's own clock, `end` exclusive; over midnight when `end` comes first;
    never when they are equal. Empty `channels`: push, email and SMS; empty `categories`: all, and critical is never held (the
    override is recorded). Of a tenant: `country`
    (ISO 3166-1, empty: any), and `is_locked`: binds also who has quiet hours of their own."""

    start: int
    end: int
    channels: tuple[Channel, ...] = ()
    categories: tuple[Category, ...] = ()
    country: str = ""
    is_locked: bool = False


@dataclass(frozen=True, slots=True)
class Choices:
    """All that a recipient chose. `quiet_hours`: None: the tenant's. `digest_hour` 0-23 and `digest_weekday` (0: Monday) on the
    recipient's own clock. `version`: counts the changes."""

    version: int = 0
    switches: tuple[Switch, ...] = ()
    mutes: tuple[Mute, ...] = ()
    quiet_hours: tuple[QuietHours, ...] | None = None
    digest_hour: int = 9
    digest_weekday: int = 0
    blocked_actors: frozenset[str] = frozenset()


NOTHING_CHOSEN = Choices()


@dataclass(frozen=True, slots=True)
class Default:
    """What holds where the recipient chose nothing; locked: whatever the recipient chose, for the `reason` that is shown."""

    topic: str
    channel: str
    is_on: bool
    digest: DigestFrequency | None = None
    is_locked: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` messages of the topic on the channel for one recipient in a period. `window`: of ROLLING only."""

    id: UUID
    name: str
    limit: int
    period: CapPeriod
    window: timedelta = timedelta(0)
    topic: str = "*"
    channel: str = "*"


@dataclass(frozen=True, slots=True)
class TenantRules:
    defaults: tuple[Default, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    caps: tuple[Cap, ...] = ()


@dataclass(frozen=True, slots=True)
class Grouping:
    """`window` after the first one, or `most` of them, whichever comes first. `leads`: the first one goes out at once."""

    by: GroupBy
    window: timedelta
    most: int = 100
    leads: bool = False
    low_only: bool = False
