"""Other hours hold for somebody: what waits for the old ones is judged again at once."""

from collections.abc import Collection
from functools import partial
from uuid import UUID

from django.db import transaction

from apps.dispatch import bells
from apps.ledger.waking import wake_digests, wake_held


def wake(quiet: Collection[UUID], digests: Collection[UUID]) -> None:
    """In the transaction of the change: the gate and the flush that follow see it."""
    if queues := wake_held(quiet) | wake_digests(digests):
        transaction.on_commit(partial(bells.ring, *sorted(queues)), robust=True)
