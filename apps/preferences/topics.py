"""What a choice can be about: `order.shipped`, `order.*`, `category:marketing` or `*`, on one channel or `*`. Pure."""

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

from apps.core.enums import Category, Channel

ANY = "*"
CHANNELS = (*(channel.value for channel in Channel), ANY)
_MOST_CHARACTERS = 100
_EVENT_OR_PATTERN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*(\.\*)?", re.ASCII)
Rank = tuple[int, int, int]


class About(Protocol):
    @property
    def topic(self) -> str: ...
    @property
    def channel(self) -> str: ...


Choice = TypeVar("Choice", bound=About)


def is_topic(text: str) -> bool:
    """Event types need not exist yet; categories are a closed set."""
    kind, _, name = text.partition(":")
    if kind == "category":
        return name in set(Category)
    return text == ANY or (len(text) <= _MOST_CHARACTERS and _EVENT_OR_PATTERN.fullmatch(text) is not None)


def rank(choice: About, event_type: str, category: str, channel: str) -> Rank | None:
    """How exactly it speaks about them; None: not at all. Exact event type, then the longest pattern `a.b.*`, then the category,
    then `*`; at the same topic a named channel beats `*`."""
    if choice.channel == channel:
        named = 1
    elif choice.channel == ANY:
        named = 0
    else:
        return None
    topic = choice.topic
    if topic == event_type and event_type:
        return (3, 0, named)
    if topic == ANY:
        return (0, 0, named)
    if topic.endswith(".*"):
        return (2, len(topic), named) if event_type.startswith(topic[:-1]) else None
    return (1, 0, named) if topic[9:] == category and topic.startswith("category:") else None


def deciding(choices: Iterable[Choice], event_type: str, category: str, channel: str) -> Choice | None:
    """The most exact one."""
    best, found = None, None
    for choice in choices:
        place = rank(choice, event_type, category, channel)
        if place is not None and (best is None or place > best):
            best, found = place, choice
    return found


def speaks_of(choice: About, event_type: str, category: str, channel: str) -> bool:
    return rank(choice, event_type, category, channel) is not None


def covers(choice: About, other: About, category: str = "") -> bool:
    """Whether it speaks of all that the other one speaks of. `category`: of the event type that the other one is about."""
    if choice.channel not in (other.channel, ANY):
        return False
    if choice.topic in (ANY, other.topic):
        return True
    if choice.topic.endswith(".*"):
        return other.topic.startswith(choice.topic[:-1])
    return bool(category) and choice.topic == f"category:{category}"
