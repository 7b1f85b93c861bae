"""Monthly range partitions of the big tables by UUIDv7 bounds: made ahead, detached and dropped after retention.

A partition is named `<table>_y2026m11` and holds the ids of that month (UTC).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.core import ids

TABLES = ("ledger_notification", "ledger_delivery", "ledger_attempt", "ledger_delivery_event")
# a delivery is updated together with its neighbours: with less room the new versions go to other pages and into every index
FILLFACTOR = {"ledger_delivery": 50, "ledger_attempt": 80}
MONTHS_AHEAD = 3


def month_start(moment: datetime, months: int = 0) -> datetime:
    """The first instant of the month `months` after that of `moment`."""
    index = moment.year * 12 + moment.month - 1 + months
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


def partition_name(table: str, start: datetime) -> str:
    return f"{table}_y{start.year}m{start.month:02d}"


def create_ahead(cursor: Any, now: datetime, months_ahead: int = MONTHS_AHEAD) -> list[str]:
    """Makes what is missing from last month to `months_ahead`; returns the new partitions' names."""
    made = []
    for table in TABLES:
        for offset in range(-1, months_ahead + 1):
            start, end = month_start(now, offset), month_start(now, offset + 1)
            name = partition_name(table, start)
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is not None:
                continue
            cursor.execute(
                f"CREATE TABLE {name} PARTITION OF {table}"
                f" FOR VALUES FROM ('{ids.bound(start)}') TO ('{ids.bound(end)}')"
                f" WITH (fillfactor = {FILLFACTOR.get(table, 100)})"
            )
            made.append(name)
    return made


def drop_expired(cursor: Any, now: datetime, retention_days: int) -> list[str]:
    """Drops partitions that hold nothing younger than the retention; returns their names."""
    dropped = []
    for table in TABLES:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", [table]
        )
        for (name,) in cursor.fetchall():
            year, month = name.removeprefix(f"{table}_y").split("m")
            end = month_start(datetime(int(year), int(month), 1, tzinfo=UTC), 1)
            if end + timedelta(days=retention_days) < now:
                cursor.execute(f"DROP TABLE {name}")
                dropped.append(name)
    return dropped
