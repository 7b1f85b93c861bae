"""What a tick costs beside a million schedules that are not due: the claim that finds one, and the look at what comes next."""

import time
from datetime import timedelta
from statistics import median
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core import clock
from apps.core.rows import fetch
from apps.schedules.firing import _CLAIM, _COMING
from tests.bench.results import Result, result

MANY, FEW = 1_000_000, 1_000
_FILL = """
INSERT INTO schedules_schedule (id, created_at, updated_at, tenant_id, mode, may_critical, name, sealed, start, zone, rule, exdates, rdates,
    missed, missed_limit, status, waves, next_fire_at, fired_count, version)
SELECT uuidv7(), now(), now(), %(tenant)s, 'live', false, '', '\\x', '2027-01-04T09:00:00', 'UTC', 'FREQ=DAILY', '{}', '{}',
    'skip', 10, CASE WHEN n %% 50 = 0 THEN 'finished' ELSE 'active' END, '{"UTC": "2027-01-04T09:00:00"}',
    %(now)s + interval '1 hour' + n * interval '2 seconds', 0, 1
FROM generate_series(1, %(count)s) n
"""
_DUE = """UPDATE schedules_schedule SET next_fire_at = %(now)s WHERE id IN (
    SELECT id FROM schedules_schedule WHERE status = 'active' LIMIT 100)"""


def scheduling(quick: bool) -> dict[str, Result]:
    """Milliseconds of each run's median tick, beside MANY (quick: a tenth) and beside FEW. All is undone again. Raises AssertionError when
    the index is not used."""
    found: dict[str, dict[int, list[float]]] = {"idle": {}, "due": {}}
    for count in (FEW, MANY // 10 if quick else MANY):
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SET LOCAL statement_timeout = 0")
            now = clock.now()
            fetch(_FILL, {"tenant": UUID(int=1), "now": now, "count": count})
            cursor.execute("ANALYZE schedules_schedule")
            for _ in range(2 if quick else 10):
                found["idle"].setdefault(count, []).append(median(_ticks(now)))
            fetch(_DUE, {"now": now})
            for _ in range(2 if quick else 10):
                found["due"].setdefault(count, []).append(median(_ticks(now)))
            for sql in (_CLAIM, _COMING):
                plan = str(fetch(f"EXPLAIN {sql}", {"now": now, "aside": []}))
                assert "schedule_due" in plan, plan
            cursor.execute("ROLLBACK")
    (few, many) = sorted(found["idle"])
    return {f"tick_{name}": result("ms", runs[many], runs[few], "< 50 ms") for name, runs in found.items()}


def _ticks(now: Any) -> list[float]:
    """What a worker asks each second."""
    took = []
    for _ in range(50):
        begun = time.perf_counter()
        fetch(_CLAIM, {"now": now, "aside": []})
        fetch(_COMING, {"now": now + timedelta(seconds=1)})
        took.append((time.perf_counter() - begun) * 1e3)
    return took
