"""What was chosen about an event type on a channel: by the tenant for everybody, by the recipient, by the tenant as default. Pure."""

from dataclasses import dataclass
from datetime import datetime

from apps.core.enums import DigestFrequency
from apps.core.types import Mute
from apps.preferences import weighing
from apps.preferences.weighing import Ruling
from apps.routing.decisions import Because
from apps.routing.facts import Case


@dataclass(frozen=True, slots=True)
class Choice:
    """The one that decides. `is_theirs`: the recipient's own."""

    topic: str
    is_on: bool
    digest: DigestFrequency | None
    is_theirs: bool
    because: Because


@dataclass(frozen=True, slots=True)
class Muted:
    until: datetime
    because: Because


def ruling(case: Case, event_type: str) -> Choice | None:
    """A locked default beats the recipient's choice, which beats a default. None: nobody chose anything."""
    switches, defaults = case.person.choices.switches, case.rules.defaults
    if not switches and not defaults:
        return None
    found = weighing.ruling(switches, defaults, event_type, case.wish.category, case.channel)
    return Choice(found.topic, found.is_on, found.digest, found.is_theirs, _because(found)) if found else None


def is_on(case: Case, event_type: str) -> bool:
    """What nobody chose is. Nearly always so, and asked for every message: nothing is told of why."""
    switches, defaults = case.person.choices.switches, case.rules.defaults
    if not switches and not defaults:
        return True
    found = weighing.deciding_word(switches, defaults, event_type, case.wish.category, case.channel)
    return found is None or found.is_on


def mutes(case: Case) -> list[Muted]:
    """Those that hold now, the longest first. A summary is muted as its category is."""
    types = case.wish.parts or (case.wish.event_type,)
    found = weighing.mutes(case.person.choices, types, case.wish.category, case.channel, case.now)
    return [Muted(mute.until, _mute(mute)) for mute in found] if found else []


def may_refuse_critical(case: Case) -> bool:
    """Whether the tenant lets people opt out of critical messages on this channel."""
    return weighing.may_refuse_critical(case.rules.defaults, case.channel)


def _because(found: Ruling) -> Because:
    because = {"topic": found.topic, "channel": found.channel, "source": found.source}
    if found.is_theirs:
        return {**because, "since": found.since}
    return {**because, "locked": found.is_locked} | ({"reason": found.reason} if found.reason else {})


def _mute(mute: Mute) -> Because:
    return {
        "topic": mute.topic,
        "channel": mute.channel,
        "source": mute.source,
        "since": mute.since,
        "until": mute.until,
    }
