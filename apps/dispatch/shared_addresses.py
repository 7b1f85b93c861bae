"""An address that several people have gets a broadcast once: from whoever of them is the first about to be sent theirs.

Looked for as late as that, since until then people get addresses, lose them, and fall out for reasons of their own.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from apps.audience import selectors as audience
from apps.core import crypto
from apps.core.enums import Channel
from apps.core.types import Endpoint, NotificationFacts
from apps.ledger.seen_keys import claim, holders_of

KEPT = timedelta(days=366)
_CHANNELS = frozenset({Channel.EMAIL, Channel.SMS})


def told_elsewhere(asked: Mapping[UUID, tuple[NotificationFacts, Endpoint]]) -> frozenset[UUID]:
    """Messages of broadcasts, by work id: those that are somebody else's to get at that address. One query, and two more where there are
    such addresses."""
    asked = {id_: (n, e) for id_, (n, e) in asked.items() if e.channel in _CHANNELS}
    # while a key is being changed, one address may stand under two hashes
    if len(settings.HASH_KEYS) == 1:
        shared = audience.at_shared_addresses(e.id for _, e in asked.values())
        asked = {id_: (n, e) for id_, (n, e) in asked.items() if e.id in shared}
    keys = {id_: _key(n, e) for id_, (n, e) in asked.items()}
    first: dict[bytes, UUID] = {}
    for id_, key in keys.items():
        first.setdefault(key, asked[id_][0].id)
    # another one of a batch may have been the first before: somebody died after asking
    holders = {key: first[key] for key in claim(first, KEPT)}
    holders |= holders_of(first.keys() - holders.keys())
    return frozenset(id_ for id_, key in keys.items() if holders.get(key) != asked[id_][0].id)


def _key(n: NotificationFacts, endpoint: Endpoint) -> bytes:
    assert n.broadcast_id is not None
    return crypto.fingerprint(b"broadcast", n.broadcast_id.bytes, endpoint.channel.encode(), min(endpoint.hashes))
