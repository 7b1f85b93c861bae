"""Endpoints written in bulk: found by keyed hash, sealed, revived, and taken from whoever had the device before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from django.db import connection

from apps.audience import models
from apps.audience.addresses import address_hashes
from apps.core import crypto, ids
from apps.core.enums import Channel, EndpointKind
from apps.core.types import Address

Key: TypeAlias = tuple[UUID, str, bytes]


class Registered(NamedTuple):
    endpoint_id: UUID
    is_new: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """`hashes`: under every hash key, the current one first."""

    recipient_id: UUID
    address: Address
    hashes: tuple[bytes, ...]

    @property
    def key(self) -> Key:
        return self.recipient_id, self.address.channel, self.hashes[0]


_INSERT = """
INSERT INTO audience_endpoint
    (id, tenant_id, recipient_id, channel, kind, sealed, address_hash, masked, platform, verified_at, retired_reason,
     last_seen_at, created_at, updated_at)
SELECT v.id, %(tenant)s, v.recipient_id, v.channel, v.kind, v.sealed, v.address_hash, v.masked, v.platform,
    CASE WHEN v.is_verified THEN %(now)s::timestamptz END, '', %(now)s, %(now)s, %(now)s
FROM unnest(%(ids)s::uuid[], %(recipients)s::uuid[], %(channels)s::text[], %(kinds)s::text[], %(sealed)s::bytea[],
        %(hashes)s::bytea[], %(masked)s::text[], %(platforms)s::text[], %(verified)s::boolean[])
    AS v (id, recipient_id, channel, kind, sealed, address_hash, masked, platform, is_verified)
ON CONFLICT (recipient_id, channel, address_hash) DO UPDATE SET last_seen_at = excluded.last_seen_at
RETURNING recipient_id, channel, address_hash, id, xmax = 0
"""
_REVIVE = """
UPDATE audience_endpoint AS e SET
    retired_at = NULL, retired_reason = '', platform = v.platform, last_seen_at = %(now)s, updated_at = %(now)s,
    verified_at = CASE WHEN v.is_verified THEN coalesce(e.verified_at, %(now)s) END, sealed = coalesce(v.sealed, e.sealed)
FROM unnest(%(ids)s::uuid[], %(platforms)s::text[], %(verified)s::boolean[], %(sealed)s::bytea[])
    AS v (id, platform, is_verified, sealed)
WHERE e.id = v.id
"""


def register(
    tenant_id: UUID, wanted: Sequence[tuple[UUID, Address]], *, revive: bool, now: datetime
) -> list[Registered]:
    """One answer for each (recipient id, address), in order. At most four queries; one when all are known and `revive` is off.

    `revive`: known endpoints come back into use and take over platform and verification. Without it they stay as they are: a
    caller that repeats its address book with every message must not bring back what the network has refused.
    """
    items = [
        Wanted(recipient_id, address, tuple(address_hashes(tenant_id, address.channel, address.hashed)))
        for recipient_id, address in wanted
    ]
    known = _known(tenant_id, items)
    found = {item.key: Registered(known[key], False) for item in items for key in _keys(item) if key in known}
    new = {item.key: item for item in items if item.key not in found}
    if new:
        found |= _insert(tenant_id, list(new.values()), now)
    if revive:
        _revive([(found[item.key].endpoint_id, item.address) for item in items if not found[item.key].is_new], now)
    _take_over(tenant_id, [item for item in items if revive or item.key in new], now)
    return [found[item.key] for item in items]


def _keys(item: Wanted) -> list[Key]:
    return [(item.recipient_id, item.address.channel, address_hash) for address_hash in item.hashes]


def _known(tenant_id: UUID, items: Iterable[Wanted]) -> dict[Key, UUID]:
    rows = models.Endpoint.objects.of(tenant_id).filter(
        recipient_id__in={item.recipient_id for item in items},
        address_hash__in=[address_hash for item in items for address_hash in item.hashes],
    )
    fields = rows.values_list("recipient_id", "channel", "address_hash", "id")
    return {(recipient_id, channel, bytes(found)): endpoint_id for recipient_id, channel, found, endpoint_id in fields}


def _insert(tenant_id: UUID, items: Sequence[Wanted], now: datetime) -> dict[Key, Registered]:
    """Ids in the order given; rows in order of key, so that two requests cannot lock each other out.

    One that another request made meanwhile is not new.
    """
    made = sorted(((ids.new(), item) for item in items), key=lambda pair: pair[1].key)
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "now": now,
        "ids": [endpoint_id for endpoint_id, _ in made],
        "recipients": [item.recipient_id for _, item in made],
        "channels": [item.address.channel.value for _, item in made],
        "kinds": [item.address.kind.value for _, item in made],
        "sealed": [crypto.encrypt(item.address.text.encode(), bound_to=made_id.bytes) for made_id, item in made],
        "hashes": [item.hashes[0] for _, item in made],
        "masked": [item.address.masked for _, item in made],
        "platforms": [str(item.address.platform) for _, item in made],
        "verified": [item.address.is_verified for _, item in made],
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        return {
            (recipient_id, channel, bytes(found)): Registered(endpoint_id, is_new)
            for recipient_id, channel, found, endpoint_id, is_new in cursor.fetchall()
        }


def _revive(items: Sequence[tuple[UUID, Address]], now: datetime) -> None:
    if not items:
        return
    values: dict[str, Any] = {
        "now": now,
        "ids": [endpoint_id for endpoint_id, _ in items],
        "platforms": [str(address.platform) for _, address in items],
        "verified": [address.is_verified for _, address in items],
        "sealed": [_resealed(endpoint_id, address) for endpoint_id, address in items],
    }
    with connection.cursor() as cursor:
        cursor.execute(_REVIVE, values)


def _resealed(endpoint_id: UUID, address: Address) -> bytes | None:
    """A browser may come back with other keys to the same URL, by which it is found. Else what is there is the same."""
    is_browser = address.kind is EndpointKind.WEB_PUSH
    return crypto.encrypt(address.text.encode(), bound_to=endpoint_id.bytes) if is_browser else None


def _take_over(tenant_id: UUID, items: Sequence[Wanted], now: datetime) -> None:
    """A device or browser has one owner: whoever registered it last. The one before must not get the next one's messages."""
    owners: dict[bytes, UUID] = {}
    for item in items:
        if item.address.channel is Channel.PUSH:
            owners |= dict.fromkeys(item.hashes, item.recipient_id)
    if not owners:
        return
    others = models.Endpoint.objects.of(tenant_id).filter(
        channel=Channel.PUSH.value, address_hash__in=list(owners), retired_at=None
    )
    lost = [
        endpoint_id
        for endpoint_id, recipient_id, found in others.values_list("id", "recipient_id", "address_hash")
        if owners[bytes(found)] != recipient_id
    ]
    if lost:
        models.Endpoint.objects.of(tenant_id).filter(id__in=lost).update(
            retired_at=now, retired_reason="moved", updated_at=now
        )
