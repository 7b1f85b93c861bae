"""For how long: runs, and schedules that are over, go after the ledger's retention; a person who is forgotten leaves at once."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from apps.core import ids
from apps.core.rows import execute

AT_ONCE = 2_000
_OLD_RUNS = """DELETE FROM schedules_schedulerun WHERE id = ANY(ARRAY(
    SELECT id FROM schedules_schedulerun WHERE id < %(before)s ORDER BY id LIMIT %(most)s))"""
_OVER = """SELECT id FROM schedules_schedule WHERE status IN ('finished', 'cancelled') AND updated_at < %(before)s LIMIT %(most)s
    FOR UPDATE SKIP LOCKED"""
_OLD_SCHEDULES = f"""
WITH old AS MATERIALIZED ({_OVER}),
    people AS (DELETE FROM schedules_schedulerecipient WHERE schedule_id IN (SELECT id FROM old)),
    runs AS (DELETE FROM schedules_schedulerun WHERE schedule_id IN (SELECT id FROM old))
DELETE FROM schedules_schedule WHERE id IN (SELECT id FROM old)"""


def forget_old(now: datetime) -> int:
    """A batch a statement, each by itself. How many rows of runs and schedules."""
    before = now - timedelta(days=settings.LEDGER_RETENTION_DAYS)
    total = 0
    while count := execute(_OLD_RUNS, {"before": ids.bound(before), "most": AT_ONCE}):
        total += count
    while count := execute(_OLD_SCHEDULES, {"before": before, "most": AT_ONCE}):
        total += count
    return total


def forget_person(tenant_id: UUID, recipient_id: UUID) -> None:
    """In the transaction that forgets them. A schedule that has nobody left ends at its next time."""
    execute(
        "DELETE FROM schedules_schedulerecipient WHERE tenant_id = %(tenant)s AND recipient_id = %(person)s",
        {"tenant": tenant_id, "person": recipient_id},
    )
