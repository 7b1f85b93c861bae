"""What a preference can be about: `order.shipped`, `order.*`, `category:marketing` or `*`."""

import re

from apps.core.enums import Category, Channel

ANY = "*"
CHANNELS = (*(channel.value for channel in Channel), ANY)
_MOST_CHARACTERS = 100
_EVENT_OR_PATTERN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*(\.\*)?", re.ASCII)


def is_topic(text: str) -> bool:
    """Event types need not exist yet; categories are a closed set."""
    kind, _, name = text.partition(":")
    if kind == "category":
        return name in set(Category)
    return text == ANY or (len(text) <= _MOST_CHARACTERS and _EVENT_OR_PATTERN.fullmatch(text) is not None)
