"""What else must go when a person is forgotten: higher apps add their part in their AppConfig.ready()."""

from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

Forget: TypeAlias = Callable[[UUID, UUID], None]

_callbacks: list[Forget] = []


def on_forget(callback: Forget) -> Forget:
    """`callback(tenant_id, recipient_id)` runs in the transaction that forgets, before the recipient is deleted."""
    if callback not in _callbacks:
        _callbacks.append(callback)
    return callback


def run_callbacks(tenant_id: UUID, recipient_id: UUID) -> None:
    for callback in _callbacks:
        callback(tenant_id, recipient_id)
