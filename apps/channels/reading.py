"""Reading a call of many events one by one, so that an event that makes no sense does not take its neighbours with it."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from apps.channels.base import UnreadableError
from apps.core.types import Receipt

Event = TypeVar("Event")


class PartlyUnreadableError(UnreadableError):
    """Raised by `parse_receipts` when some events could be read and others not. `receipts`: those that could."""

    def __init__(self, receipts: list[Receipt], unread: int, first: Exception) -> None:
        super().__init__(f"{unread} of the call's events cannot be read: {type(first).__name__}: {first}")
        self.receipts = receipts


def read_each(events: Iterable[Event], read: Callable[[Event], Receipt | Iterable[Receipt] | None]) -> list[Receipt]:
    """What `read` makes of each event: a receipt, several, or None for what says nothing to us. It may raise for an event.

    Raises PartlyUnreadableError after the last one, if any could not be read.
    """
    receipts: list[Receipt] = []
    failures: list[Exception] = []
    for event in events:
        try:
            found = read(event)
            receipts += () if found is None else (found,) if isinstance(found, Receipt) else found
        except Exception as error:
            failures.append(error)
    if failures:
        raise PartlyUnreadableError(receipts, len(failures), failures[0])
    return receipts
