"""Who else wants to know that an item was seen, read or archived. Told in the transaction that changed it, only of real changes."""

from collections.abc import Callable, Sequence

from apps.core.types import Engagement

Callback = Callable[[Sequence[Engagement]], None]
_callbacks: list[Callback] = []


def on_engagement(callback: Callback) -> None:
    """Once per process (AppConfig.ready); registering again changes nothing. An error in a callback undoes the change."""
    if callback not in _callbacks:
        _callbacks.append(callback)


def report(engagements: Sequence[Engagement]) -> None:
    """For services of this app, inside their transaction."""
    if engagements:
        for callback in _callbacks:
            callback(engagements)
