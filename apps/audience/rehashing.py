"""A change of the hash key: address hashes are made anew from the addresses themselves, a batch at a time."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias
from uuid import UUID

from django.db import connection, transaction

from apps.audience import models
from apps.audience.addresses import address_hash, hashed_form
from apps.core import crypto
from apps.core.enums import Channel, EndpointKind

Rehashed: TypeAlias = Callable[[UUID, Mapping[bytes, bytes]], None]

_callbacks: list[Rehashed] = []
_UPDATE = """
UPDATE audience_endpoint AS e SET address_hash = v.new
FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[]) AS v (id, old, new)
WHERE e.id = v.id AND e.address_hash = v.old AND NOT EXISTS (
    SELECT FROM audience_endpoint AS o
    WHERE o.recipient_id = e.recipient_id AND o.channel = e.channel AND o.address_hash = v.new
)
"""


def on_rehash(callback: Rehashed) -> Rehashed:
    """`callback(tenant_id, {old hash: new hash})` runs in the transaction of each batch, for whoever keeps such hashes too."""
    if callback not in _callbacks:
        _callbacks.append(callback)
    return callback


def rehash(*, size: int = 500) -> Iterator[int]:
    """How many were changed, a number a batch. May be stopped and begun again: a current hash is left alone.

    Addresses that no key at hand opens are passed over (the resealing before this one reports them).
    """
    last: UUID | None = None
    while rows := _page(last, size):
        last = rows[-1][0]
        changed = [(row_id, tenant_id, old, new) for row_id, tenant_id, old, new in map(_renewed, rows) if old != new]
        with transaction.atomic():
            count = _replace([(row_id, old, new) for row_id, _, old, new in changed])
            for tenant_id in {tenant_id for _, tenant_id, _, _ in changed}:
                pairs = {old: new for _, owner, old, new in changed if owner == tenant_id}
                for callback in _callbacks:
                    callback(tenant_id, pairs)
        yield count


def _page(after: UUID | None, size: int) -> list[tuple[UUID, UUID, str, str, bytes, bytes]]:
    rows = models.Endpoint.objects.all_tenants().order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.values_list("id", "tenant_id", "channel", "kind", "sealed", "address_hash")[:size])


def _renewed(row: tuple[UUID, UUID, str, str, bytes, bytes]) -> tuple[UUID, UUID, bytes, bytes]:
    endpoint_id, tenant_id, channel, kind, sealed, old = row
    try:
        text = crypto.decrypt(sealed, bound_to=endpoint_id.bytes).decode()
    except crypto.UndecipherableError:
        return endpoint_id, tenant_id, bytes(old), bytes(old)
    new = address_hash(tenant_id, Channel(channel), hashed_form(EndpointKind(kind), text))
    return endpoint_id, tenant_id, bytes(old), new


def _replace(rows: list[tuple[UUID, bytes, bytes]]) -> int:
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [list(column) for column in zip(*rows, strict=True)])
        return int(cursor.rowcount)
