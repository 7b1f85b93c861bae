"""Sensitive data (codes) is kept only as long as a message may still be rendered from it."""

from collections.abc import Mapping
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
        """SELECT n.id, n.sealed FROM ledger_notification n JOIN unnest(%(ids)s::uuid[], %(chains)s::uuid[]) AS i(id, chain) USING (id)
        WHERE n.id = ANY(%(ids)s) AND n.sealed IS NOT NULL AND NOT EXISTS (
            SELECT FROM ledger_delivery d WHERE d.notification_id = n.id AND (d.status = ANY(%(open)s) OR (
                d.status = 'unknown' AND EXISTS (SELECT FROM ledger_work_item w WHERE w.lane = d.category AND w.id = d.id))))
            AND NOT EXISTS (SELECT FROM ledger_work_item w WHERE w.lane = n.category AND w.id = i.chain)""",
        {"ids": list(keys_of), "chains": [chain_id(id_) for id_ in keys_of], "open": list(OPEN)},
    )
    changed = []
    for id_, sealed in rows:
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
