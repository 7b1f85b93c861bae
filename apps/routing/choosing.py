"""What was chosen about an event type on a channel: by the tenant for everybody, by the recipient, by the tenant as default. Pure."""

from dataclasses import dataclass
from datetime import datetime

from apps.core.enums import Category, DigestFrequency
from apps.core.types import Default, Mute, Switch
from apps.routing.decisions import Because
from apps.routing.facts import Case
from apps.routing.topics import deciding, speaks_of


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
    category, channel = case.wish.category, case.channel
    locked = deciding((d for d in case.rules.defaults if d.is_locked), event_type, category, channel)
    if locked is not None:
        return _of_tenant(locked)
    own = deciding(case.person.choices.switches, event_type, category, channel)
    if own is not None:
        return _own(own)
    default = deciding(case.rules.defaults, event_type, category, channel)
    return None if default is None else _of_tenant(default)


def mutes(case: Case) -> list[Muted]:
    """Those that hold now, the longest first. A summary is muted as its category is."""
    types = case.wish.parts or (case.wish.event_type,)
    found = [
        mute
        for mute in case.person.choices.mutes
        if mute.until > case.now and all(speaks_of(mute, kind, case.wish.category, case.channel) for kind in types)
    ]
    return [Muted(mute.until, _mute(mute)) for mute in sorted(found, key=lambda mute: mute.until, reverse=True)]


def may_refuse_critical(case: Case) -> bool:
    """Whether the tenant lets people opt out of critical messages: its default for the category is on, and not locked."""
    named = [d for d in case.rules.defaults if d.topic == f"category:{Category.CRITICAL}"]
    default = deciding(named, "", Category.CRITICAL, case.channel)
    return default is not None and default.is_on and not default.is_locked


def _own(switch: Switch) -> Choice:
    because = {"topic": switch.topic, "channel": switch.channel, "source": switch.source, "since": switch.since}
    return Choice(switch.topic, switch.is_on, switch.digest, True, because)


def _of_tenant(default: Default) -> Choice:
    because = {"topic": default.topic, "channel": default.channel, "source": "tenant", "locked": default.is_locked}
    if default.reason:
        because["reason"] = default.reason
    return Choice(default.topic, default.is_on, default.digest, False, because)


def _mute(mute: Mute) -> Because:
    return {
        "topic": mute.topic,
        "channel": mute.channel,
        "source": mute.source,
        "since": mute.since,
        "until": mute.until,
    }
