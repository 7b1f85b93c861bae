"""A change of what a recipient chose, and who made it."""

from dataclasses import dataclass
from uuid import UUID

from apps.core.enums import DigestFrequency
from apps.core.types.choices import Mute, QuietHours, Switch

Cell = tuple[str, str]
"""(topic, channel)."""


@dataclass(frozen=True, slots=True)
class Author:
    """`source`: who: `api`, `settings_page`, `one_click`, `inbound`, `receipt`, `admin`. Of a person's own act: `text`: what they were
    shown; `address`, `agent`: from which network address, with what; `notification_id`: the message that led to it."""

    source: str
    text: str = ""
    address: str = ""
    agent: str = ""
    notification_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DigestTime:
    """When daily and weekly digests come, on the recipient's own clock. `weekday` 0: Monday."""

    hour: int = 9
    weekday: int = 0


@dataclass(frozen=True, slots=True)
class OwnQuietHours:
    """None: the tenant's from now on; empty: none at all."""

    quiet_hours: tuple[QuietHours, ...] | None


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a recipient's choices; what is not named stays. `cleared`: cells that go back to the default; `replaces`: every
    cell that is not in `switches` does. `muted` until a moment ahead; `unmuted`: mutes that end now. None: as it was."""

    switches: tuple[Switch, ...] = ()
    cleared: frozenset[Cell] = frozenset()
    replaces: bool = False
    muted: tuple[Mute, ...] = ()
    unmuted: frozenset[Cell] = frozenset()
    quiet_hours: OwnQuietHours | None = None
    digest_time: DigestTime | None = None
    blocked_actors: frozenset[str] | None = None


def switched(topic: str, channel: str, is_on: bool, digest: DigestFrequency | None = None) -> Change:
    return Change(switches=(Switch(topic, channel, is_on, digest),))
