"""Whose fault it is when a provider says that an address belongs to somebody else's credentials.

One such address was registered with other keys and is dead to us. If it is said of one after another, it is our credentials that
are wrong, and no address may suffer for it. So the first few in a row are believed, and a success wipes the slate. Counted in
each process, by account and place (a push service, an app).
"""

import os
from collections import OrderedDict
from threading import Lock
from uuid import UUID

MOST_IN_A_ROW = 5
MOST_KEPT = 10_000

_refused: OrderedDict[tuple[UUID, str], int] = OrderedDict()
_lock = Lock()


def _forget() -> None:
    global _lock
    _lock = Lock()
    _refused.clear()


os.register_at_fork(after_in_child=_forget)


def note_success(account_id: UUID, place: str = "") -> None:
    with _lock:
        _refused.pop((account_id, place), None)


def is_ours(account_id: UUID, place: str = "") -> bool:
    """To be asked once for every refusal: whether by now it looks like our own fault."""
    key = (account_id, place)
    with _lock:
        count = _refused[key] = _refused.pop(key, 0) + 1
        if len(_refused) > MOST_KEPT:
            _refused.popitem(last=False)
        return count > MOST_IN_A_ROW
