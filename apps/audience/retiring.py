"""Endpoints taken out of use in bulk, on proof that they are dead."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

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
