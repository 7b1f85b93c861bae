"""The latest notifications of a template, found by reading the ledger backwards: no index is kept for what is asked so seldom."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from uuid import UUID

from apps.core.rows import fetch

STRIDE = 50_000
SECONDS = 2.0
_PICKED = """tenant_id = %(tenant)s AND source NOT IN ('summary', 'test_send', 'verification') AND (mode = 'test') = %(is_test)s
    AND (template_key = %(key)s OR (template_key = '' AND broadcast_id IS NULL AND event_type = ANY(%(types)s))
        OR (broadcast_id IS NOT NULL AND EXISTS (
            SELECT FROM ledger_broadcast b
            WHERE b.id = newest.broadcast_id AND b.contents->(newest.variant::text)->>'template_key' = %(key)s)))"""
_NEWEST = """
WITH newest AS MATERIALIZED (
    SELECT id, tenant_id, template_key, event_type, source, mode, api_key_id, created_at, broadcast_id, variant,
        sealed IS NULL AND broadcast_id IS NULL AS is_gone FROM ledger_notification
    WHERE id < %(before)s ORDER BY id DESC LIMIT %(stride)s::bigint)
"""
_ALL = UUID(int=(1 << 128) - 1)
_NONE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Sender:
    """`count`: of the notifications looked at; `api_key_id`: None for what no key sent."""

    api_key_id: UUID | None
    source: str
    event_type: str
    count: int
    last_at: datetime


def latest_of(
    tenant_id: UUID, key: str, event_types: Collection[str], *, is_test: bool, seconds: float = SECONDS
) -> Iterator[list[tuple[UUID, bool]]]:
    """Their ids, and whether what they said was erased, newest first, a query for each STRIDE of the ledger, while the time lasts."""
    for before in _strides(seconds):
        rows = fetch(
            f"{_NEWEST} SELECT id, is_gone FROM newest WHERE {_PICKED} ORDER BY id DESC",
            _asked(tenant_id, key, event_types, is_test) | {"before": before, "stride": STRIDE},
        )
        if rows:
            yield [(id_, is_gone) for id_, is_gone in rows]


def senders_of(
    tenant_id: UUID, key: str, event_types: Collection[str], *, since: UUID, seconds: float = SECONDS
) -> list[Sender]:
    """Who sent it since then, as far back as the time lasts; what test keys sent is left out."""
    found: dict[tuple[UUID | None, str, str], Sender] = {}
    for before in _strides(seconds, since):
        rows = fetch(
            f"""{_NEWEST} SELECT api_key_id, source, event_type, count(*), max(created_at) FROM newest
            WHERE {_PICKED} AND id >= %(since)s GROUP BY 1, 2, 3""",
            _asked(tenant_id, key, event_types, False) | {"before": before, "stride": STRIDE, "since": since},
        )
        for one in (Sender(*row) for row in rows):
            same = one.api_key_id, one.source, one.event_type
            before_it = found.get(same)
            count, last_at = (before_it.count, before_it.last_at) if before_it else (0, one.last_at)
            found[same] = Sender(*same, count + one.count, max(last_at, one.last_at))
    return sorted(found.values(), key=lambda one: -one.count)


def _asked(tenant_id: UUID, key: str, event_types: Collection[str], is_test: bool) -> dict[str, object]:
    return {"tenant": tenant_id, "key": key, "types": list(event_types), "is_test": is_test}


def _strides(seconds: float, since: UUID = _NONE) -> Iterator[UUID]:
    """Where each of them begins."""
    until, before = monotonic() + seconds, _ALL
    while before > since and monotonic() < until:
        yield before
        rows = fetch(
            "SELECT id FROM ledger_notification WHERE id < %(before)s ORDER BY id DESC OFFSET %(stride)s::bigint - 1 LIMIT 1",
            {"before": before, "stride": STRIDE},
        )
        if not rows:
            return
        before = rows[0][0]
