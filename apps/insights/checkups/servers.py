"""PostgreSQL, Redis, beat, the workers, the clocks."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import PeriodicTask

from apps.core import clock
from apps.core.redis import RedisError, quick
from apps.dispatch import bells, signs_of_life
from apps.insights.checkups.findings import Finding, fail, ok, warn
from apps.ledger.partitions import TABLES, month_start, partition_name

LEAST_VERSION = 18
DURABLE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
}
TICK = "tick"
HEARD_WITHIN, LATE_AFTER = 10.0, 60.0
SKEW_WARN, SKEW_FAIL = 2.0, 30.0
# seconds that a transaction may be open: while it is, PostgreSQL cleans up nothing that came to an end since it began
OPEN_TOO_LONG = 60.0
_OPEN = """
SELECT coalesce(nullif(application_name, ''), usename, '?') || ', process ' || pid,
    extract(epoch FROM clock_timestamp() - xact_start)::float, state LIKE 'idle%%'
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND xact_start < clock_timestamp() - make_interval(secs => %s)
ORDER BY xact_start
"""


def database(now: datetime) -> Iterator[Finding]:
    try:
        version = int(_ask("SHOW server_version_num")) // 10_000
    except DatabaseError as error:
        yield fail(
            "database",
            f"It does not answer: {str(error).strip().splitlines()[0]}",
            "Start PostgreSQL, or mend DATABASE_URL.",
        )
        return
    if version < LEAST_VERSION:
        yield fail("database", f"PostgreSQL {version}.", f"Use PostgreSQL {LEAST_VERSION} or newer.")
    else:
        yield ok("database", f"PostgreSQL {version} answers.")
    yield from _migrations()
    yield from _durability()
    yield from _partitions(now)


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = [f"{m.app_label}.{m.name}" for m, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    if missing:
        said = f"{len(missing)} are not applied: {', '.join(missing[:5])}"
        yield fail("migrations", f"{said}.", "Run manage.py migrate, then restart every process.")
    else:
        yield ok("migrations", "All are applied.")


def _durability() -> Iterator[Finding]:
    weak = {name: said for name, good in DURABLE.items() if (said := _ask(f"SHOW {name}")) not in good}
    if weak:
        said = ", ".join(f"{name} = {value}" for name, value in weak.items())
        yield fail(
            "durability", f"A power cut may lose what was accepted: {said}.", "Set them to on in postgresql.conf."
        )
    else:
        yield ok("durability", "What is committed survives a power cut.")


def _partitions(now: datetime) -> Iterator[Finding]:
    start = month_start(now, 1)
    missing = [t for t in TABLES if _ask("SELECT to_regclass(%s)::text", partition_name(t, start)) is None]
    if missing:
        yield fail(
            "partitions",
            f"Those of {start:%B} are missing: {', '.join(missing)}.",
            "Run the task ledger.keep_partitions (docs/operating.md), and see why beat or the system workers do not.",
        )
    else:
        yield ok("partitions", "Those of next month are there.")


def redis(now: datetime) -> Iterator[Finding]:
    try:
        quick().ping()
    except (RedisError, OSError) as error:
        said = f"It does not answer ({type(error).__name__}): workers poll, rate limits hold per process."
        yield fail("redis", said, "Start Redis, or mend REDIS_URL. It may be empty.")
        return
    if bells.is_reachable():
        yield ok("redis", "It answers and takes writes.")
    else:
        yield fail("redis", "It answers but takes no writes.", "Give it memory, or make it a primary again.")


def beat(now: datetime) -> Iterator[Finding]:
    last = PeriodicTask.objects.filter(name=TICK).values_list("last_run_at", flat=True).first()
    if last is None:
        yield fail("beat", "It was never heard of.", "Start it: celery -A notifier beat.")
        return
    ago = (now - last).total_seconds()
    fix = "Start it: celery -A notifier beat. Retries and schedules wait until then."
    if ago > LATE_AFTER:
        yield fail("beat", f"Last heard of {ago:.0f} s ago.", fix)
    elif ago > HEARD_WITHIN:
        yield warn("beat", f"Last heard of {ago:.0f} s ago; it ticks every second.", fix)
    else:
        yield ok("beat", f"Heard of {max(ago, 0):.0f} s ago.")


def workers(now: datetime) -> Iterator[Finding]:
    queues = list(settings.QUEUE_SHARES)
    try:
        served = signs_of_life.served(queues)
    except (RedisError, OSError):
        yield warn("workers", "Nobody can tell without Redis.", "Mend Redis first.")
        return
    alone = [queue for queue in queues if queue not in served]
    if alone:
        said = "No worker serves " + (", ".join(alone) if served else "any queue")
        yield fail(
            "workers", f"{said}.", "Start the workers of its pool (notifier/pools.py): celery -A notifier worker -Q ..."
        )
    else:
        yield ok("workers", f"Each of the {len(queues)} queues has one.")


def clocks(now: datetime) -> Iterator[Finding]:
    """This host's against the database's, which is the one that leases and due times go by."""
    before = clock.now()
    theirs: datetime = _ask("SELECT clock_timestamp()")
    middle = before + (clock.now() - before) / 2
    skew = (middle - theirs).total_seconds()
    said = f"This host is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the database."
    fix = "Let both follow a time server (chrony, systemd-timesyncd)."
    if abs(skew) >= SKEW_FAIL:
        yield fail("clock", said, f"{fix} Signatures with a time in them are refused meanwhile.")
    elif abs(skew) >= SKEW_WARN:
        yield warn("clock", said, fix)
    else:
        yield ok("clock", said)


def transactions(now: datetime) -> Iterator[Finding]:
    """Those of other roles are only seen by members of pg_read_all_stats."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [OPEN_TOO_LONG])
        found = cursor.fetchall()
    if not found:
        yield ok("transactions", f"None is open for {OPEN_TOO_LONG:.0f} s or longer.")
        return
    who, seconds, is_idle = found[0]
    said = f"{len(found)} open for over {OPEN_TOO_LONG:.0f} s, the oldest for {seconds:.0f} s ({who}{', idle' if is_idle else ''})."
    fix = "Nothing is cleaned up meanwhile, and claiming work gets slower. End it: SELECT pg_terminate_backend(<process>)."
    yield warn("transactions", said, fix)


def _ask(sql: str, *parameters: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchone()[0]
