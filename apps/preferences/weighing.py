"""What holds where several have a word: a locked default of the tenant, the recipient's choice, a default, or nobody. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.core.enums import Category, DigestFrequency
from apps.core.types import Choices, Default, Mute, Switch
from apps.preferences.topics import Rank, deciding, rank, speaks_of

TENANT = "tenant"
NOT_AT_ALL: Rank = (-1, 0, 0)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The word that decides. `is_theirs`: the recipient's own. `reason`: of a default, as people are told."""

    topic: str
    channel: str
    is_on: bool
    digest: DigestFrequency | None
    is_theirs: bool
    is_locked: bool = False
    reason: str = ""
    source: str = TENANT
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds for a kind of message on a channel. `by`: None: nobody said anything. `is_locked`: the recipient cannot change it."""

    is_on: bool
    digest: DigestFrequency | None = None
    by: Ruling | None = None
    is_locked: bool = False
    reason: str = ""
    muted_until: datetime | None = None


def ruling(
    switches: Sequence[Switch], defaults: Sequence[Default], event_type: str, category: Category, channel: str
) -> Ruling | None:
    word = deciding_word(switches, defaults, event_type, category, channel)
    if isinstance(word, Switch):
        return Ruling(word.topic, word.channel, word.is_on, word.digest, True, source=word.source, since=word.since)
    return None if word is None else _of_tenant(word)


def deciding_word(
    switches: Sequence[Switch], defaults: Sequence[Default], event_type: str, category: Category, channel: str
) -> Switch | Default | None:
    """Asked for every message: in one pass."""
    locked: Default | None = None
    default: Default | None = None
    best_locked = best = NOT_AT_ALL
    for each in defaults:
        place = rank(each, event_type, category, channel)
        if place is None:
            continue
        if each.is_locked and place > best_locked:
            locked, best_locked = each, place
        if place > best:
            default, best = each, place
    return locked or (deciding(switches, event_type, category, channel) if switches else None) or default


def may_refuse_critical(defaults: Sequence[Default], channel: str) -> bool:
    """Whether the tenant lets people opt out of critical messages: its default for the category is on, and not locked."""
    named = [d for d in defaults if d.topic == f"category:{Category.CRITICAL}"]
    default = deciding(named, "", Category.CRITICAL, channel)
    return default is not None and default.is_on and not default.is_locked


def mutes(choices: Choices, event_types: Sequence[str], category: Category, channel: str, now: datetime) -> list[Mute]:
    """Those that hold now and speak of each of the event types (at least one), the longest first."""
    found = [mute for mute in choices.mutes if speaks_of(mute, event_types[0], category, channel) and mute.until > now]
    if not found:
        return found
    for kind in event_types[1:]:
        found = [mute for mute in found if speaks_of(mute, kind, category, channel)]
    return sorted(found, key=lambda mute: mute.until, reverse=True)


def holding(
    choices: Choices,
    defaults: Sequence[Default],
    event_type: str,
    category: Category,
    channel: str,
    now: datetime,
) -> Holding:
    """Without an event type: of the category as a whole."""
    by = ruling(choices.switches, defaults, event_type, category, channel)
    if category == Category.CRITICAL and not may_refuse_critical(defaults, channel):
        return Holding(True, by=by, is_locked=True, reason=Category.CRITICAL.sentence)
    muted = mutes(choices, [event_type], category, channel, now)
    until = muted[0].until if muted else None
    if by is None:
        return Holding(True, muted_until=until)
    return Holding(by.is_on, by.digest, by, by.is_locked, by.reason, until)


def _of_tenant(default: Default) -> Ruling:
    return Ruling(
        topic=default.topic,
        channel=default.channel,
        is_on=default.is_on,
        digest=default.digest if default.is_on else None,
        is_theirs=False,
        is_locked=default.is_locked,
        reason=default.reason,
    )
