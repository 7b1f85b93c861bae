"""Who else wants to know that other hours hold for somebody: what was held back until an hour is to be looked at again."""

from collections.abc import Callable, Collection
from typing import TypeAlias
from uuid import UUID

NewTimes: TypeAlias = Callable[[Collection[UUID], Collection[UUID]], None]

_callbacks: list[NewTimes] = []


def on_new_times(callback: NewTimes) -> NewTimes:
    """`callback(quiet, digests)`, recipients whose quiet hours, and whose digests, may come at another time now. It runs in the
    transaction of the change; an error in it undoes the change. For AppConfig.ready()."""
    if callback not in _callbacks:
        _callbacks.append(callback)
    return callback


def report_new_times(*, quiet: Collection[UUID] = (), digests: Collection[UUID] = ()) -> None:
    """In the transaction of the change, after it was written. Nothing for nobody."""
    if quiet or digests:
        for callback in _callbacks:
            callback(quiet, digests)
