"""Temporary refusals, counted: one says nothing about an address, many over days without a success between them do.

An endpoint is given up after settings.SOFT_BOUNCE_LIMIT refusals (0: never) that span settings.SOFT_BOUNCE_DAYS or more. Any
success begins the count anew. Refusals are counted per endpoint, which is one address of one person.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from apps.core.rows import execute, fetch, recordset
from apps.preferences.models import SoftBounce

_COUNT = """
INSERT INTO preferences_softbounce AS s (endpoint_id, tenant_id, count, since)
SELECT endpoint_id, tenant_id, count, since
FROM json_to_recordset(%(rows)s) AS r (endpoint_id uuid, tenant_id uuid, count integer, since timestamptz)
ORDER BY endpoint_id
ON CONFLICT (endpoint_id) DO UPDATE SET count = s.count + excluded.count, since = least(s.since, excluded.since)
RETURNING endpoint_id, count, since
"""
_FORGET = """
DELETE FROM preferences_softbounce WHERE endpoint_id = ANY(ARRAY(
    SELECT endpoint_id FROM preferences_softbounce WHERE endpoint_id = ANY(%(ids)s) ORDER BY endpoint_id FOR UPDATE))
"""
KEPT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Refusals:
    """What an endpoint refused for now, one after another: how often, from when to when."""

    tenant_id: UUID
    count: int
    first_at: datetime
    last_at: datetime


def begin_anew(endpoint_ids: Collection[UUID]) -> None:
    """They took a message. One statement."""
    if endpoint_ids:
        execute(_FORGET, {"ids": list(endpoint_ids)})


def count_soft_bounces(refusals: Mapping[UUID, Refusals]) -> frozenset[UUID]:
    """By endpoint. Those that are to be suppressed now; their count ends with that. One statement, or two."""
    limit = settings.SOFT_BOUNCE_LIMIT
    if not refusals or not limit:
        return frozenset()
    rows = [
        {"endpoint_id": id_, "tenant_id": r.tenant_id, "count": r.count, "since": r.first_at}
        for id_, r in refusals.items()
    ]
    span = timedelta(days=settings.SOFT_BOUNCE_DAYS)
    hopeless = frozenset(
        id_
        for id_, count, since in fetch(_COUNT, {"rows": recordset(rows)})
        if count >= limit and refusals[id_].last_at - since >= span
    )
    begin_anew(hopeless)
    return hopeless


def forget_old(now: datetime) -> int:
    """Counts of endpoints to which nothing was sent for a year, or that are gone. How many."""
    return int(SoftBounce.objects.all_tenants().filter(since__lt=now - KEPT).delete()[0])
