"""What it costs to be able to tell of every change, where nobody listens: statements with the triggers and without, in turns."""

import time
from typing import Any
from uuid import uuid4

from django.db import connection

from tests.bench.results import Result, result

ROWS, BATCHES = 500, 20
_DELIVERIES = """
INSERT INTO ledger_delivery (id, notification_id, tenant_id, recipient_id, channel, category, mode, status)
SELECT uuidv7(), uuidv7(), %s, uuidv7(), 'push', 'transactional', 'live', 'queued' FROM generate_series(1, %s) RETURNING id
"""
_NOTIFICATION = """
INSERT INTO ledger_notification (id, tenant_id, recipient_id, mode, category, source, sealed)
VALUES (uuidv7(), %s, uuidv7(), 'live', 'transactional', 'api', %s)
"""
_ADVANCE = "UPDATE ledger_delivery SET status = %s, sent_at = now() WHERE id = ANY(%s)"


def listening(quick: bool) -> dict[str, Result]:
    """One notification accepted, 500 deliveries advanced: microseconds of each run's fastest statement. All is undone again."""
    runs = 2 if quick else 10
    found: dict[tuple[str, bool], list[float]] = {}
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        tenant = uuid4()
        cursor.execute(_DELIVERIES, [tenant, ROWS * BATCHES])
        ids = [id_ for (id_,) in cursor.fetchall()]
        for run in range(runs):
            for with_triggers in (True, False) if run % 2 else (False, True):
                _switch(cursor, with_triggers)
                single = [_took(cursor, _NOTIFICATION, [tenant, bytes(500)]) for _ in range(200)]
                batches = [
                    _took(cursor, _ADVANCE, [f"{run}{with_triggers}", ids[n * ROWS : (n + 1) * ROWS]])
                    for n in range(BATCHES)
                ]
                found.setdefault(("accepted", with_triggers), []).append(min(single) * 1e6)
                found.setdefault(("advanced", with_triggers), []).append(min(batches) * 1e6)
        cursor.execute("ROLLBACK")
    targets = {"accepted": "<= 25 us more", "advanced": "ratio <= 1.1"}
    return {
        f"listening_{name}": result("us", found[name, True], found[name, False], target)
        for name, target in targets.items()
    }


def _switch(cursor: Any, is_on: bool) -> None:
    for table in ("ledger_notification", "ledger_delivery", "ledger_delivery_event"):
        cursor.execute(f"ALTER TABLE {table} {'ENABLE' if is_on else 'DISABLE'} TRIGGER USER")


def _took(cursor: Any, sql: str, values: list[Any]) -> float:
    begun = time.perf_counter()
    cursor.execute(sql, values)
    return time.perf_counter() - begun
