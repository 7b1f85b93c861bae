"""Which of a list of choices speaks about an event type on a channel. Pure."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from apps.core.enums import Channel


class About(Protocol):
    @property
    def topic(self) -> str: ...
    @property
    def channel(self) -> str: ...


Choice = TypeVar("Choice", bound=About)
ANY = "*"
Rank = tuple[int, int, int]


def rank(choice: About, event_type: str, category: str, channel: Channel) -> Rank | None:
    """How exactly it speaks about them; None: not at all. Exact event type, then the longest pattern `a.b.*`, then the category,
    then `*`; at the same topic a named channel beats `*`."""
    if choice.channel not in (channel, ANY):
        return None
    named = int(choice.channel == channel)
    topic = choice.topic
    if topic == event_type and event_type:
        return (3, 0, named)
    if topic.endswith(".*") and event_type.startswith(topic[:-1]):
        return (2, len(topic), named)
    if topic == f"category:{category}":
        return (1, 0, named)
    return (0, 0, named) if topic == ANY else None


def deciding(choices: Iterable[Choice], event_type: str, category: str, channel: Channel) -> Choice | None:
    """The most exact one."""
    ranked = [
        (place, choice) for choice in choices if (place := rank(choice, event_type, category, channel)) is not None
    ]
    return max(ranked, key=lambda item: item[0])[1] if ranked else None


def speaks_of(choice: About, event_type: str, category: str, channel: Channel) -> bool:
    return rank(choice, event_type, category, channel) is not None
