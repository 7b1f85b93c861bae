"""Changing what a person allows, and which addresses may be used."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from apps.core import clock, ids
from apps.core.enums import Channel
from apps.core.types import NewSuppression, Switch
from apps.preferences.models import Suppression

# what is set already stays untouched: its source and its date tell who decided it, and when
_SET = """
INSERT INTO preferences_preference AS preference (id, tenant_id, recipient_id, topic, channel, is_on, source, created_at, updated_at)
SELECT id, %s, %s, topic, channel, is_on, %s, %s, %s
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::boolean[]) AS asked (id, topic, channel, is_on)
ON CONFLICT (recipient_id, topic, channel) DO UPDATE
SET is_on = excluded.is_on, source = excluded.source, updated_at = excluded.updated_at
WHERE preference.is_on <> excluded.is_on
"""
_OFF = """
INSERT INTO preferences_preference AS preference (id, tenant_id, recipient_id, topic, channel, is_on, source, created_at, updated_at)
SELECT asked.id, asked.tenant_id, recipient_id, topic, channel, false, %s, %s, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[]) AS asked (id, tenant_id, recipient_id, channel, topic)
JOIN audience_recipient ON audience_recipient.id = asked.recipient_id
ON CONFLICT (recipient_id, topic, channel) DO UPDATE
SET is_on = false, source = excluded.source, updated_at = excluded.updated_at
WHERE preference.is_on
"""
_DROP = """
DELETE FROM preferences_preference
WHERE tenant_id = %s AND recipient_id = %s
  AND (topic, channel) NOT IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_SUPPRESS = """
INSERT INTO preferences_suppression (id, tenant_id, channel, address_hash, masked, reason, source, created_at, updated_at)
SELECT asked.*, %s, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bytea[], %s::text[], %s::text[], %s::text[]) AS asked
ON CONFLICT (tenant_id, channel, address_hash) DO NOTHING
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
    """One of them; the others stay. `topic` as topics.is_topic allows, `channel` a channel or `*`. Idempotent."""
    _set(tenant_id, recipient_id, [Switch(topic, channel, is_on)], source)


def replace_switches(*, tenant_id: UUID, recipient_id: UUID, switches: Sequence[Switch], source: str) -> None:
    """All of them: those not named go back to the default. At most one per topic and channel. Idempotent; the last call wins."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # two calls at once would otherwise leave a mixture of both
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"preferences {recipient_id}"])
            named = [switch.topic for switch in switches], [switch.channel for switch in switches]
            cursor.execute(_DROP, [tenant_id, recipient_id, *named])
        _set(tenant_id, recipient_id, switches, source)


def switch_off(
    people: Collection[tuple[UUID, UUID, Channel]], *, topic: str, source: str, at: datetime | None = None
) -> None:
    """The topic, for many at once: (tenant, recipient, channel). Who is gone meanwhile is left out. One statement. Idempotent."""
    if people:
        asked = [(ids.new(), *who, topic) for who in sorted(people)]
        with connection.cursor() as cursor:
            now = at or clock.now()
            cursor.execute(_OFF, [source, now, now, *map(list, zip(*asked, strict=True))])


def _set(tenant_id: UUID, recipient_id: UUID, switches: Iterable[Switch], source: str) -> None:
    now = clock.now()
    rows = [(ids.new(), s.topic, s.channel, s.is_on) for s in sorted(switches, key=lambda s: (s.topic, s.channel))]
    if rows:
        with connection.cursor() as cursor:
            columns = map(list, zip(*rows, strict=True))
            cursor.execute(_SET, [tenant_id, recipient_id, source, now, now, *columns])


def suppress(rows: Sequence[NewSuppression], *, at: datetime | None = None) -> int:
    """How many were not suppressed before; those that were keep their first reason. `at`: since when, by default now. One statement."""
    now = at or clock.now()
    columns = [
        (ids.new(), row.tenant_id, row.channel.value, row.address_hash, row.masked, row.reason.value, row.source)
        for row in sorted(rows, key=lambda row: (row.tenant_id, row.channel, row.address_hash))
    ]
    if not columns:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_SUPPRESS, [now, now, *map(list, zip(*columns, strict=True))])
        return int(cursor.rowcount)


def lift_suppression(*, tenant_id: UUID, channel: Channel, hashes: Iterable[bytes]) -> bool:
    """Whether the address was suppressed. `hashes`: the address under every hash key at hand."""
    rows = Suppression.objects.of(tenant_id).filter(channel=channel.value, address_hash__in=list(hashes))
    return rows.delete()[0] > 0


def rehash_suppressions(tenant_id: UUID, hashes: Mapping[bytes, bytes]) -> None:
    """{old hash: new hash} of addresses, after a change of the hash key (audience/rehashing.py)."""
    with connection.cursor() as cursor:
        cursor.execute(_REHASH, [list(hashes), list(hashes.values()), tenant_id])
