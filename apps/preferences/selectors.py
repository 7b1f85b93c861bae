"""What people switched off, and which addresses must not be used."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.enums import Channel, DigestFrequency, SuppressionReason
from apps.core.rows import fetch, recordset
from apps.core.types import Default, Veto
from apps.preferences.consent import Entry, read
from apps.preferences.models import ConsentRecord, DefaultPreference, Suppression

SuppressionKey = tuple[UUID, Channel, bytes]

# an array per column has a row estimate, at which the planner reads the whole table; this way it looks each key up in the index
_SUPPRESSED = """
SELECT asked.place, reason, created_at, source
FROM json_to_recordset(%(asked)s) AS asked (place int, tenant_id uuid, channel text, address_hash bytea)
JOIN preferences_suppression USING (tenant_id, channel, address_hash)
"""


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """A suppression as it is shown; the address itself is not known."""

    id: UUID
    channel: str
    masked: str
    reason: str
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A consent record, with the hash before it and its own."""

    id: UUID
    entry: Entry
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class DefaultRow:
    """A tenant's default, and since when."""

    default: Default
    created_at: datetime
    updated_at: datetime


def suppressed(keys: Iterable[SuppressionKey]) -> frozenset[SuppressionKey]:
    """Those of `keys` (tenant, channel, the endpoint's address hash) that are suppressed. One query, whatever their number."""
    return frozenset(vetoes(keys))


def vetoes(keys: Iterable[SuppressionKey]) -> dict[SuppressionKey, Veto]:
    """The suppression of each of `keys` that has one. One query, whatever their number."""
    asked = list(set(keys))
    if not asked:
        return {}
    rows = recordset(
        {"place": place, "tenant_id": tenant_id, "channel": channel, "address_hash": memoryview(address_hash)}
        for place, (tenant_id, channel, address_hash) in enumerate(asked)
    )
    found = fetch(_SUPPRESSED, {"asked": rows})
    return {asked[place]: Veto(SuppressionReason(why), since, by) for place, why, since, by in found}


def suppressions(*, tenant_id: UUID, before: UUID | None, limit: int) -> tuple[SuppressionRow, ...]:
    """The latest first; `before`: only rows with a smaller id."""
    rows = Suppression.objects.of(tenant_id)
    if before is not None:
        rows = rows.filter(id__lt=before)
    shown = rows.order_by("-id").values_list("id", "channel", "masked", "reason", "source", "created_at")
    return tuple(SuppressionRow(*row) for row in shown[:limit])


def suppression(*, tenant_id: UUID, channel: Channel, hashes: Iterable[bytes]) -> SuppressionRow | None:
    """The suppression of an address. `hashes`: the address under every hash key at hand."""
    rows = Suppression.objects.of(tenant_id).filter(channel=channel.value, address_hash__in=list(hashes))
    row = rows.order_by("id").values_list("id", "channel", "masked", "reason", "source", "created_at").first()
    return SuppressionRow(*row) if row else None


def consents(
    *, tenant_id: UUID, recipient_id: UUID, before: UUID | None = None, limit: int | None = None
) -> tuple[ConsentRow, ...]:
    """The latest first; `before`: only those older than the record of that id."""
    records = ConsentRecord.objects.of(tenant_id).filter(recipient_id=recipient_id)
    if before is not None:
        last = records.filter(id=before).values_list("number", flat=True).first()
        records = records.filter(number__lt=last or 0)
    return tuple(ConsentRow(*row) for row in read(records.order_by("-number")[:limit]))


def defaults(tenant_id: UUID) -> tuple[DefaultRow, ...]:
    """By topic and channel."""
    fields = ("topic", "channel", "is_on", "digest", "is_locked", "reason", "created_at", "updated_at")
    rows = DefaultPreference.objects.of(tenant_id).order_by("topic", "channel").values_list(*fields)
    return tuple(
        DefaultRow(
            Default(topic, channel, is_on, DigestFrequency(digest) if digest else None, is_locked, reason), *moments
        )
        for topic, channel, is_on, digest, is_locked, reason, *moments in rows
    )


VETOED_SQL = """EXISTS (SELECT FROM preferences_suppression v
    WHERE v.tenant_id = e.tenant_id AND v.channel = e.channel AND v.address_hash = e.address_hash)"""
"""Whether the address of alias `e`, an audience_endpoint, is suppressed. While a hash key is being changed it may miss one: whoever uses it
has to look again before anything is sent."""
