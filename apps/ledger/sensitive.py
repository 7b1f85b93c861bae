"""Sensitive data (codes) is kept only as long as a message may still be rendered from it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from apps.core import crypto
from apps.core.rows import execute, fetch, recordset
from apps.ledger.accepting import seal
from apps.ledger.fallbacks import chain_id
from apps.ledger.lifecycle import OPEN

ERASED = "[erased]"


def erase_where_over(keys_of: Mapping[UUID, tuple[str, ...]]) -> int:
    """Erases the named top-level keys of `data` for those notifications of which nothing may be sent any more: every delivery is past
    sending, none in doubt may be sent again, no other channel waits for its turn."""
    if not keys_of:
        return 0
    rows = fetch(
        """SELECT n.id, n.sealed, n.category, ARRAY(
            SELECT d.id FROM ledger_delivery d WHERE d.notification_id = n.id AND d.status = 'unknown')
        FROM ledger_notification n
        WHERE n.id = ANY(%(ids)s) AND n.sealed IS NOT NULL AND NOT EXISTS (
            SELECT FROM ledger_delivery d WHERE d.notification_id = n.id AND d.status = ANY(%(open)s))""",
        {"ids": list(keys_of), "open": list(OPEN)},
    )
    planned = _planned(rows)
    changed = []
    for id_, sealed, _, doubts in rows:
        if not planned.isdisjoint((chain_id(id_), *doubts)):
            continue
        inside = msgspec.json.decode(crypto.decrypt(sealed, bound_to=id_.bytes))
        if named := [key for key in keys_of[id_] if key in inside["data"]]:
            data = inside["data"] | dict.fromkeys(named, ERASED)
            changed.append({"id": id_, "sealed": memoryview(seal(id_, data, inside["content"]))})
    if not changed:
        return 0
    return execute(
        """UPDATE ledger_notification n SET sealed = i.sealed
        FROM json_to_recordset(%(rows)s) AS i(id uuid, sealed bytea) WHERE n.id = ANY(%(ids)s) AND n.id = i.id""",
        {"rows": recordset(changed), "ids": [row["id"] for row in changed]},
    )


def _planned(rows: Sequence[tuple[Any, ...]]) -> set[UUID]:
    """Deliveries in doubt and chains of these notifications for which something is planned. One query a lane."""
    by_lane: dict[str, list[UUID]] = {}
    for id_, _, lane, doubts in rows:
        by_lane.setdefault(lane, []).extend((chain_id(id_), *doubts))
    return {
        found
        for lane, ids in by_lane.items()
        for (found,) in fetch(
            "SELECT id FROM ledger_work_item WHERE lane = %(lane)s AND id = ANY(%(ids)s)", {"lane": lane, "ids": ids}
        )
    }
