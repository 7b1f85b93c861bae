"""Whether the history of what people chose is whole: every record's hash is taken again, and compared."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from apps.preferences.consent import BEGINNING, Entry, hash_of, read
from apps.preferences.models import ConsentRecord


@dataclass(frozen=True, slots=True)
class Chain:
    """Of one person. `broken_at`: the number of the first record that does not fit; None: it is whole. `head`: the latest record's
    hash; whoever has written it down can prove later that nothing was cut off after it."""

    tenant_id: UUID
    recipient_id: UUID
    length: int
    head: bytes
    broken_at: int | None = None


def chain_of(*, tenant_id: UUID, recipient_id: UUID) -> Chain:
    """One query. Without records: whole, and empty."""
    records = ConsentRecord.objects.of(tenant_id).filter(recipient_id=recipient_id)
    return next(_chains(records), Chain(tenant_id, recipient_id, 0, BEGINNING))


def records_of(*, tenant_id: UUID, recipient_id: UUID) -> list[tuple[Entry, bytes, bytes]]:
    """(record, the hash before it, its hash) of one person, in order. One query."""
    records = ConsentRecord.objects.of(tenant_id).filter(recipient_id=recipient_id)
    return [row[1:] for row in read(records.order_by("number"))]


def chains(tenant_id: UUID | None = None) -> Iterator[Chain]:
    """Of everybody, or of a tenant's people; read in portions."""
    return _chains(ConsentRecord.objects.of(tenant_id) if tenant_id else ConsentRecord.objects.all_tenants())


def _chains(records: Any) -> Iterator[Chain]:
    found: Chain | None = None
    for _, entry, previous, hash_ in read(records.order_by("recipient_id", "number")):
        if found is None or found.recipient_id != entry.recipient_id:
            if found is not None:
                yield found
            found = Chain(entry.tenant_id, entry.recipient_id, 0, BEGINNING)
        found = _longer(found, entry, previous, hash_)
    if found is not None:
        yield found


def _longer(chain: Chain, entry: Entry, previous: bytes, hash_: bytes) -> Chain:
    length = chain.length + 1
    fits = entry.number == length and previous == chain.head and hash_ == hash_of(entry, previous)
    broken_at = entry.number if not fits and chain.broken_at is None else chain.broken_at
    return replace(chain, length=length, head=hash_, broken_at=broken_at)
