"""Whose fault it is when a provider says that an address belongs to somebody else's credentials.

One such address was registered with other keys and is dead to us. If it is said of one after another, it is our credentials that
are wrong, and no address may suffer for it. So the first few in a row are believed, and a success wipes the slate. Counted in
each process, by account and place (a push service, an app).
"""

import os
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from uuid import UUID

MOST_IN_A_ROW = 5
TRUST_SECONDS = 600.0
MOST_KEPT = 10_000


@dataclass(slots=True)
class _Standing:
    refused_in_a_row: int = 0
    accepted_at: float | None = None


_standings: OrderedDict[tuple[UUID, str], _Standing] = OrderedDict()
_lock = Lock()


def _after_fork() -> None:
    global _lock
    _lock = Lock()
    _standings.clear()


os.register_at_fork(after_in_child=_after_fork)


def note_success(account_id: UUID, place: str = "") -> None:
    with _lock:
        standing = _standing(account_id, place)
        standing.refused_in_a_row, standing.accepted_at = 0, monotonic()


def is_ours(account_id: UUID, place: str = "", *, is_plain: bool = True) -> bool:
    """To be asked once for every refusal: whether it looks like our own fault.

    `is_plain`: the provider says in so many words that it speaks of the address. Otherwise the credentials must have been good for
    another address within the last ten minutes.
    """
    with _lock:
        standing = _standing(account_id, place)
        standing.refused_in_a_row += 1
        if standing.refused_in_a_row > MOST_IN_A_ROW:
            return True
        accepted_at = standing.accepted_at
        return not is_plain and (accepted_at is None or monotonic() - accepted_at > TRUST_SECONDS)


def forget_standings() -> None:
    """All of this process."""
    with _lock:
        _standings.clear()


def _standing(account_id: UUID, place: str) -> _Standing:
    key = (account_id, place)
    found = _standings.get(key)
    if found is None:
        found = _standings[key] = _Standing()
        if len(_standings) > MOST_KEPT:
            _standings.popitem(last=False)
    _standings.move_to_end(key)
    return found
