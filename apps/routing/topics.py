"""Which of a list of choices speaks about an event type on a channel."""

from apps.preferences.topics import ANY, deciding, rank, speaks_of

__all__ = ["ANY", "deciding", "rank", "speaks_of"]
