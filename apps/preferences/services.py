"""Changing what a person allows, and which addresses may be used."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import connection

from apps.core import clock, ids
from apps.core.enums import Channel
from apps.core.types import Author, Change, Choices, NewSuppression, Switch
from apps.core.types.changes import switched
from apps.preferences.changing import Wanted, change_choices_of_many
from apps.preferences.models import Suppression

_SUPPRESS = """
INSERT INTO preferences_suppression (id, tenant_id, channel, address_hash, masked, reason, source, created_at, updated_at)
SELECT asked.*, %s, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bytea[], %s::text[], %s::text[], %s::text[]) AS asked
ON CONFLICT (tenant_id, channel, address_hash) DO NOTHING
RETURNING tenant_id
"""
_REHASH = """
UPDATE preferences_suppression AS s SET address_hash = v.new
FROM unnest(%s::bytea[], %s::bytea[]) AS v (old, new)
WHERE s.tenant_id = %s AND s.address_hash = v.old AND NOT EXISTS (
    SELECT FROM preferences_suppression AS o
    WHERE o.tenant_id = s.tenant_id AND o.channel = s.channel AND o.address_hash = v.new
)
"""


def set_switch(*, tenant_id: UUID, recipient_id: UUID, topic: str, channel: str, is_on: bool, source: str) -> None:
    """One of them; the others stay. `topic` as topics.is_topic allows, `channel` a channel or `*`. Idempotent: what is so already
    keeps who decided it, and when."""
    wanted = {recipient_id: Wanted(tenant_id, lambda _: switched(topic, channel, is_on))}
    change_choices_of_many(wanted, by=Author(source))


def switch_off(
    people: Collection[tuple[UUID, UUID, Channel]], *, topic: str, source: str, at: datetime | None = None
) -> None:
    """The topic, for many at once: (tenant, recipient, channel). Who is gone meanwhile is left out. A fixed number of statements.
    Idempotent."""
    cells: dict[tuple[UUID, UUID], list[Switch]] = {}
    for tenant_id, recipient_id, channel in sorted(people):
        cells.setdefault((tenant_id, recipient_id), []).append(Switch(topic, channel.value, False))
    wanted = {
        recipient_id: Wanted(tenant_id, partial(_always, Change(switches=tuple(switches))))
        for (tenant_id, recipient_id), switches in cells.items()
    }
    change_choices_of_many(wanted, by=Author(source), at=at)


def _always(change: Change, _: Choices) -> Change:
    return change


def suppress(rows: Sequence[NewSuppression], *, at: datetime | None = None) -> int:
    """How many were not suppressed before; those that were keep their first reason. `at`: since when, by default now. One statement."""
    return len(suppress_new(rows, at=at))


def suppress_new(rows: Sequence[NewSuppression], *, at: datetime | None = None) -> list[UUID]:
    """The same; the tenant of each that was not suppressed before."""
    now = at or clock.now()
    columns = [
        (ids.new(), row.tenant_id, row.channel.value, row.address_hash, row.masked, row.reason.value, row.source)
        for row in sorted(rows, key=lambda row: (row.tenant_id, row.channel, row.address_hash))
    ]
    if not columns:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_SUPPRESS, [now, now, *map(list, zip(*columns, strict=True))])
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


def lift_suppression(*, tenant_id: UUID, channel: Channel, hashes: Iterable[bytes]) -> bool:
    """Whether the address was suppressed. `hashes`: the address under every hash key at hand."""
    rows = Suppression.objects.of(tenant_id).filter(channel=channel.value, address_hash__in=list(hashes))
    return rows.delete()[0] > 0


def rehash_suppressions(tenant_id: UUID, hashes: Mapping[bytes, bytes]) -> None:
    """{old hash: new hash} of addresses, after a change of the hash key (audience/rehashing.py)."""
    with connection.cursor() as cursor:
        cursor.execute(_REHASH, [list(hashes), list(hashes.values()), tenant_id])
