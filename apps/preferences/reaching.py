"""Who may be told something on a channel, for a whole audience at once: `weighing` and `topics` as SQL.

Fragments over alias `r` (audience_recipient), to be joined into a question about many people; what they say of one person is what the
brain says of that person (a property of the tests). While a hash key is being changed, a suppression under the other key is not seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from apps.core.enums import Category, Channel
from apps.core.types import Default
from apps.preferences import topics, weighing


@dataclass(frozen=True, slots=True)
class Reaching:
    """`joins`: at most one row for each `r`. By channel, true or false, never NULL: `has_address`: verified and active; `is_allowed`:
    by switches, defaults and mutes; `is_clear`: an address is left that is not suppressed. Every statement also gives `among`: ids of
    the only people that are asked about, or NULL."""

    joins: str
    has_address: Mapping[Channel, str]
    is_allowed: Mapping[Channel, str]
    is_clear: Mapping[Channel, str]
    parameters: Mapping[str, Any]


class Word(NamedTuple):
    topic: str
    channel: str


def reaching(
    *,
    tenant_id: UUID,
    channels: Sequence[Channel],
    event_type: str,
    category: Category,
    defaults: Sequence[Default],
    now: datetime,
) -> Reaching:
    """`event_type`: empty for none. Asks nothing: the statement that it is joined into does."""
    words = _words(channels, event_type, category)
    is_bound = {c: category != Category.CRITICAL or weighing.may_refuse_critical(defaults, c) for c in channels}
    parameters: dict[str, Any] = {
        "reach_tenant": tenant_id,
        "reach_now": now,
        "reach_topics": [word.topic for word in words],
        "reach_words": [word.channel for word in words],
        "reach_channels": [channel.value for channel in channels if channel != Channel.IN_APP],
    }
    ranks = {}
    for place, channel in enumerate(channels):
        ranks[channel] = f"rank_{place}"
        parameters[f"reach_{ranks[channel]}"] = _ranks(words, event_type, category, channel)
    return Reaching(
        joins=_addresses(channels) + _choices(ranks),
        has_address={c: _has_address(c) for c in channels},
        is_allowed={
            c: _allowed(ranks[c], defaults, event_type, category, c) if is_bound[c] else "TRUE" for c in channels
        },
        is_clear={c: _is_clear(c) for c in channels},
        parameters=parameters,
    )


# the sub-selects are grouped before they are joined, so that each is read once whatever the number of people; addresses in the
# order of an index, without their rows: few are suppressed, so those are counted apart
_ADDRESSES = """
LEFT JOIN (
    SELECT e.recipient_id, {columns} FROM audience_endpoint e
    WHERE e.tenant_id = %(reach_tenant)s AND {usable} GROUP BY e.recipient_id) reach_at ON reach_at.recipient_id = r.id"""
_VETOED = """
LEFT JOIN (
    SELECT e.recipient_id, {columns}
    FROM preferences_suppression s JOIN audience_endpoint e
        ON e.tenant_id = s.tenant_id AND e.channel = s.channel AND e.address_hash = s.address_hash
    WHERE s.tenant_id = %(reach_tenant)s AND s.channel = ANY(%(reach_channels)s) AND {usable}
    GROUP BY e.recipient_id) reach_veto ON reach_veto.recipient_id = r.id"""
_USABLE = """e.verified_at IS NOT NULL AND e.retired_at IS NULL
        AND (%(among)s::uuid[] IS NULL OR e.recipient_id = ANY(%(among)s::uuid[]))"""
_CHOICES = """
LEFT JOIN (
    SELECT p.recipient_id, {columns}
    FROM {table} p JOIN unnest({arrays}) AS w (topic, channel, {names}) ON w.topic = p.topic AND w.channel = p.channel
    WHERE p.tenant_id = %(reach_tenant)s{more} AND (%(among)s::uuid[] IS NULL OR p.recipient_id = ANY(%(among)s::uuid[]))
    GROUP BY p.recipient_id) {name} ON {name}.recipient_id = r.id"""


def _addresses(channels: Sequence[Channel]) -> str:
    """One address is suppressed once: somebody has one that is not when fewer are than there are."""
    if not (each := [channel.value for channel in channels if channel != Channel.IN_APP]):
        return ""
    counts = ", ".join(f"count(*) FILTER (WHERE e.channel = '{c}') AS {c}" for c in each)
    return (_ADDRESSES + _VETOED).format(columns=counts, usable=_USABLE)


def _has_address(channel: Channel) -> str:
    return "TRUE" if channel == Channel.IN_APP else f"coalesce(reach_at.{channel.value} > 0, FALSE)"


def _is_clear(channel: Channel) -> str:
    if channel == Channel.IN_APP:
        return "TRUE"
    return f"coalesce(reach_at.{channel.value} > coalesce(reach_veto.{channel.value}, 0), FALSE)"


def _choices(ranks: Mapping[Channel, str]) -> str:
    """The switch of the highest rank decides: the greatest of twice its rank and whether it is on."""
    names = list(ranks.values())
    arrays = ["%(reach_topics)s::text[]", "%(reach_words)s::text[]", *(f"%(reach_{n})s::int[]" for n in names)]
    said = {"arrays": ", ".join(arrays), "names": ", ".join(names)}
    switches = ", ".join(f"max(w.{name} * 2 + p.is_on::int) AS {name}" for name in names)
    mutes = ", ".join(f"bool_or(w.{name} IS NOT NULL) AS {name}" for name in names)
    of_switches = {"table": "preferences_preference", "name": "reach_on", "columns": switches, "more": ""}
    of_mutes = {
        "table": "preferences_mute",
        "name": "reach_mute",
        "columns": mutes,
        "more": " AND p.until > %(reach_now)s",
    }
    return _CHOICES.format(**said, **of_switches) + _CHOICES.format(**said, **of_mutes)


def _allowed(rank: str, defaults: Sequence[Default], event_type: str, category: Category, channel: Channel) -> str:
    default = weighing.deciding_word((), defaults, event_type, category, channel)
    is_on = default is None or default.is_on
    if isinstance(default, Default) and default.is_locked:
        switch = str(is_on).upper()
    else:
        switch = f"coalesce(reach_on.{rank} % 2 = 1, {str(is_on).upper()})".replace("%", "%%")
    return f"({switch} AND NOT coalesce(reach_mute.{rank}, FALSE))"


def _words(channels: Sequence[Channel], event_type: str, category: Category) -> list[Word]:
    """Every topic and channel that speaks of them."""
    parts = event_type.split(".")
    patterns = [".".join(parts[:end]) + ".*" for end in range(1, len(parts))] if event_type else []
    about = [*([event_type] if event_type else []), *patterns, f"category:{category.value}", topics.ANY]
    return [Word(topic, channel) for topic in about for channel in (*(c.value for c in channels), topics.ANY)]


def _ranks(words: Sequence[Word], event_type: str, category: Category, channel: Channel) -> list[int | None]:
    """The place of each among those that speak of the channel; None: it does not."""
    places = [topics.rank(word, event_type, category, channel) for word in words]
    order = {place: number for number, place in enumerate(sorted({p for p in places if p is not None}), 1)}
    return [None if place is None else order[place] for place in places]
