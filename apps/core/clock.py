"""The one place that reads the clock. Doors read it and pass it on; leases use the database's."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
