"""Endpoints taken out of use: in bulk, on proof that they are dead; one, because its owner wants it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.audience.models import Endpoint

OWN_WISH = "own_wish"
_RETIRE = """
UPDATE audience_endpoint AS e SET retired_at = %(now)s, retired_reason = %(reason)s, updated_at = %(now)s
FROM unnest(%(ids)s::uuid[], %(since)s::timestamptz[]) AS v (id, dead_since)
WHERE e.id = v.id AND e.retired_at IS NULL
    AND (v.dead_since IS NULL OR coalesce(e.last_seen_at, e.created_at) <= v.dead_since)
"""


def retire(dead: Mapping[UUID, datetime | None], reason: str, now: datetime) -> int:
    """One query. An address that was registered after the moment from which it is known to be dead is alive again."""
    if not dead:
        return 0
    order = sorted(dead)
    values: dict[str, Any] = {
        "now": now,
        "reason": str(reason),
        "ids": order,
        "since": [dead[endpoint_id] for endpoint_id in order],
    }
    with connection.cursor() as cursor:
        cursor.execute(_RETIRE, values)
        return int(cursor.rowcount)


def put_aside(*, tenant_id: UUID, recipient_id: UUID, endpoint_id: UUID, now: datetime) -> bool:
    """At the person's own wish: nothing is sent there until they, or the tenant, take it back. False when it is not theirs in use."""
    rows = Endpoint.objects.of(tenant_id).filter(recipient_id=recipient_id, id=endpoint_id, retired_at=None)
    return rows.update(retired_at=now, retired_reason=OWN_WISH, updated_at=now) == 1


def take_back(*, tenant_id: UUID, recipient_id: UUID, endpoint_id: UUID, now: datetime) -> bool:
    """Undoes `put_aside`, and nothing else."""
    rows = Endpoint.objects.of(tenant_id).filter(recipient_id=recipient_id, id=endpoint_id, retired_reason=OWN_WISH)
    return rows.update(retired_at=None, retired_reason="", updated_at=now) == 1


def verify(*, recipient_id: UUID, endpoint_id: UUID, now: datetime) -> bool:
    """Who has the address has said so. True also when it was verified before; False when it is gone or no longer in use."""
    rows = Endpoint.objects.all_tenants().filter(recipient_id=recipient_id, id=endpoint_id, retired_at=None)
    rows.filter(verified_at=None).update(verified_at=now, updated_at=now)
    return rows.exists()
