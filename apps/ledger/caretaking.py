"""What must be done now and then: partitions ahead, old ones off, expired keys out."""

import logging
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from apps.core.rows import execute
from apps.ledger.bundles import prune_bundles
from apps.ledger.partitions import create_ahead, drop_expired

log = logging.getLogger(__name__)
_LOCK = 7_264_001


def keep_partitions(now: datetime) -> None:
    """Makes partitions ahead and drops those whose newest id is past the longest retention. One caretaker at a time."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return
        made = create_ahead(cursor, now)
        dropped = drop_expired(cursor, now, settings.LEDGER_RETENTION_DAYS)
    pruned = prune_bundles(settings.LEDGER_RETENTION_DAYS)
    if pruned:
        log.info("bundles pruned", extra={"count": pruned})
    if made or dropped:
        log.info("partitions", extra={"made": made, "dropped": dropped})


def expire_seen_keys(batch: int = 5_000) -> int:
    """Deletes keys past their time, in short transactions. Returns how many."""
    total = 0
    while True:
        gone = execute(
            """DELETE FROM ledger_seen_key WHERE key = ANY(ARRAY(
                SELECT key FROM ledger_seen_key WHERE expires_at < now() ORDER BY expires_at LIMIT %(batch)s
                FOR UPDATE SKIP LOCKED))""",
            {"batch": batch},
        )
        total += gone
        if gone < batch:
            return total
