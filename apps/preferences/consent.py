"""The history of what people chose, as a chain of hashes: who changes, drops or reorders a record breaks it.

A record's hash is SHA-256 over the hash of the record before it (32 zero bytes for the first) and its own canonical JSON: keys
sorted, no spaces, UTF-8, times in UTC with microseconds (cf. RFC 8785).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from apps.core import ids
from apps.core.rows import execute, fetch, recordset
from apps.core.types import Author
from apps.preferences.differences import Difference, Stored

BEGINNING = bytes(32)
_MOST_AGENT = 300
_AT_ONCE = 2_000
# the latest record of each, one look-up per person whatever the length of the history
_HEADS = """
SELECT asked.id, head.number, head.hash
FROM unnest(%(ids)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT number, hash FROM preferences_consentrecord WHERE recipient_id = asked.id ORDER BY number DESC LIMIT 1) AS head
"""
_RECORD = """
INSERT INTO preferences_consentrecord (id, tenant_id, recipient_id, number, what, topic, channel, before, after, source, text,
    address, agent, notification_id, at, previous_hash, hash)
SELECT id, tenant_id, recipient_id, number, what, topic, channel, before, after, source, text, address, agent, notification_id, at,
    previous_hash, hash
FROM json_to_recordset(%(rows)s) AS r (id uuid, tenant_id uuid, recipient_id uuid, number integer, what text, topic text,
    channel text, before jsonb, after jsonb, source text, text text, address inet, agent text, notification_id uuid, at timestamptz,
    previous_hash bytea, hash bytea)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: what `hash_of` is taken over."""

    tenant_id: UUID
    recipient_id: UUID
    number: int
    what: str
    topic: str
    channel: str
    before: Stored
    after: Stored
    source: str
    text: str
    address: str | None
    agent: str
    notification_id: UUID | None
    at: datetime


_HASHED = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Happening:
    """What changed about one person at one moment, in order."""

    tenant_id: UUID
    recipient_id: UUID
    differences: tuple[Difference, ...]
    by: Author
    at: datetime


def record(happenings: Iterable[Happening]) -> None:
    """Appends, for whose rows the caller holds the lock (audience.services.lock_preferences). Two statements, or none."""
    changed = [happening for happening in happenings if happening.differences]
    if not changed:
        return
    found = fetch(_HEADS, {"ids": [happening.recipient_id for happening in changed]})
    heads = {id_: (number, bytes(hash_)) for id_, number, hash_ in found}
    rows = [
        row for happening in changed for row in _rows(happening, *heads.get(happening.recipient_id, (0, BEGINNING)))
    ]
    execute(_RECORD, {"rows": recordset(rows)})


def hash_of(entry: Entry, previous: bytes) -> bytes:
    written = {
        "tenant": str(entry.tenant_id),
        "recipient": str(entry.recipient_id),
        "number": entry.number,
        "what": entry.what,
        "topic": entry.topic,
        "channel": entry.channel,
        "before": entry.before,
        "after": entry.after,
        "source": entry.source,
        "text": entry.text,
        "address": entry.address,
        "agent": entry.agent,
        "notification": str(entry.notification_id) if entry.notification_id else None,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
    }
    text = json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(previous + text.encode()).digest()


def read(records: Any) -> Iterator[tuple[UUID, Entry, bytes, bytes]]:
    """(id, record, the hash before it, its hash) of a query's rows, in portions."""
    for id_, *values, previous, hash_ in records.values_list("id", *_HASHED, "previous_hash", "hash").iterator(
        _AT_ONCE
    ):
        found = dict(zip(_HASHED, values, strict=True))
        # PostgreSQL may spell an IPv6 address in another way
        found["address"] = network_address(str(found["address"])) if found["address"] else None
        yield id_, Entry(**found), bytes(previous), bytes(hash_)


def network_address(text: str) -> str | None:
    """In one spelling, however PostgreSQL shows it; None: not an address. An IPv4 address stays one inside IPv6."""
    if not text:
        return None
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


def clean(by: Author) -> Author:
    """As it is stored: what a text column cannot hold is left out."""
    return replace(by, source=_plain(by.source), text=_plain(by.text), agent=_plain(by.agent)[:_MOST_AGENT])


def _plain(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _rows(happening: Happening, number: int, previous: bytes) -> Iterator[Mapping[str, Any]]:
    by = clean(happening.by)
    for difference in happening.differences:
        number += 1
        entry = Entry(
            tenant_id=happening.tenant_id,
            recipient_id=happening.recipient_id,
            number=number,
            what=difference.what,
            topic=difference.topic,
            channel=difference.channel,
            before=difference.before,
            after=difference.after,
            source=by.source,
            text=by.text,
            address=network_address(by.address),
            agent=by.agent,
            notification_id=by.notification_id,
            at=happening.at,
        )
        hash_ = hash_of(entry, previous)
        written = {name: getattr(entry, name) for name in _HASHED}
        yield {"id": ids.new(), **written, "previous_hash": memoryview(previous), "hash": memoryview(hash_)}
        previous = hash_
