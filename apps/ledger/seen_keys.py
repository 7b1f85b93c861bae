"""Keys that say which notification speaks for others, for a time."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.core.enums import DeliveryStatus
from apps.core.rows import execute, fetch, recordset

_CAME_TO_NOTHING = [
    status.value
    for status in (
        DeliveryStatus.SKIPPED,
        DeliveryStatus.FAILED,
        DeliveryStatus.BOUNCED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.CANCELLED,
    )
]
_NOTE = """
INSERT INTO ledger_seen_key AS s (key, ref_id, expires_at)
SELECT key, ref_id, now() + life * interval '1 second'
FROM json_to_recordset(%(rows)s) AS r(key bytea, ref_id uuid, life float)
ON CONFLICT (key) DO UPDATE SET ref_id = excluded.ref_id, expires_at = greatest(s.expires_at, excluded.expires_at)
"""
_MARKS = """
SELECT key, ref_id, expires_at FROM ledger_seen_key s
WHERE key = ANY(%(keys)s) AND expires_at > now() AND (
    ref_id = ANY(%(fresh)s) OR EXISTS (
        SELECT FROM ledger_delivery d
        WHERE d.notification_id = s.ref_id AND (d.status <> ALL(%(nothing)s) OR d.merged_into IS NOT NULL)))
"""


@dataclass(frozen=True, slots=True)
class Mark:
    ref_id: UUID
    until: datetime


def note_marks(noted: Mapping[bytes, tuple[UUID, timedelta]]) -> None:
    """Each key speaks of that notification for that long; the latest one counts. One statement, none for none."""
    if noted:
        rows = [
            {"key": memoryview(key), "ref_id": id_, "life": life.total_seconds()}
            for key, (id_, life) in sorted(noted.items())
        ]
        execute(_NOTE, {"rows": recordset(rows)})


def marks(keys: Collection[bytes], fresh: Collection[UUID] = ()) -> dict[bytes, Mark]:
    """Those that hold now; not those of a notification that came to nothing on every channel. `fresh`: notifications whose deliveries
    are about to be written. One statement, none for none."""
    if not keys:
        return {}
    rows = fetch(_MARKS, {"keys": list(keys), "fresh": list(fresh), "nothing": _CAME_TO_NOTHING})
    return {bytes(key): Mark(ref_id, until) for key, ref_id, until in rows}


def claim(keys: Mapping[bytes, UUID], kept: timedelta) -> frozenset[bytes]:
    """Those keys that are this notification's: nobody else's was faster, and a page that is written again finds its own. 32 bytes each."""
    if not keys:
        return frozenset()
    rows = fetch(
        """INSERT INTO ledger_seen_key AS s (key, ref_id, expires_at)
        SELECT key, ref_id, now() + %(kept)s FROM unnest(%(keys)s::bytea[], %(refs)s::uuid[]) AS k(key, ref_id) ORDER BY key
        ON CONFLICT (key) DO UPDATE SET ref_id = excluded.ref_id, expires_at = excluded.expires_at
            WHERE s.expires_at < now() OR s.ref_id = excluded.ref_id
        RETURNING key""",
        {"keys": list(keys), "refs": list(keys.values()), "kept": kept},
    )
    return frozenset(bytes(key) for (key,) in rows)


def holders_of(keys: Collection[bytes]) -> dict[bytes, UUID]:
    """Whose they are. One query, none for none."""
    rows = (
        fetch("SELECT key, ref_id FROM ledger_seen_key WHERE key = ANY(%(keys)s)", {"keys": list(keys)}) if keys else []
    )
    return {bytes(key): ref_id for key, ref_id in rows}
