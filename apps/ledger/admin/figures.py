"""The ledger in numbers, for home: every question is bounded, however much there is.

The last day is counted row by row up to EXACT rows. Beyond that the newest EXACT rows give the shares, the planner's estimate
the size, and the numbers say that they are estimates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.core import ids
from apps.core.enums import Category
from apps.core.enums import DeliveryStatus as D
from apps.core.rows import fetch
from apps.core.tenant_scope import seen_sql

EXACT = 50_000
MOST_COUNTED = 10_000
HOURS = 24

_BY_HOUR = """
SELECT (extract(epoch FROM %(now)s - created_at) / 3600)::int, {what}, count(*) FROM (
    SELECT created_at, {column} FROM {table} WHERE id >= %(since)s AND {seen} ORDER BY id DESC LIMIT %(most)s) newest
GROUP BY 1, 2
"""
_ESTIMATE = "EXPLAIN (FORMAT JSON) SELECT 1 FROM {table} WHERE id >= '{since}' AND {seen}"

SENT = frozenset({D.SENT, D.DELIVERED, D.BOUNCED})
FAILED = frozenset({D.FAILED, D.BOUNCED, D.EXPIRED, D.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Figure:
    """`hours`: how many in each of the last HOURS hours, oldest first; empty when the count is an estimate."""

    count: int
    hours: list[int]
    is_estimate: bool

    @property
    def shown(self) -> str:
        if not self.is_estimate:
            return f"{self.count:,}"
        return f"≈ {self.count / 1_000_000:.1f} M" if self.count >= 1_000_000 else f"≈ {round(self.count, -3):,}"

    @property
    def bars(self) -> list[tuple[int, float, float]]:
        """Place, top and height of each hour, in percent of the tallest."""
        tallest = max(self.hours, default=0) or 1
        return [(place, 100 - 100 * n / tallest, 100 * n / tallest) for place, n in enumerate(self.hours)]


@dataclass(frozen=True, slots=True)
class Day:
    accepted: Figure
    sent: Figure
    delivered: Figure
    failed: Figure
    withheld: Figure


@dataclass(frozen=True, slots=True)
class Lane:
    """`due`, `planned`: work items to be done now, and later; counting stops at MOST_COUNTED. `waits`: seconds that the oldest is due."""

    name: str
    due: int
    planned: int
    waits: float | None


def last_day(now: datetime) -> Day:
    """Of the tenants that are seen. Two queries; four when there is more than can be counted."""
    since, (seen, of) = ids.bound(now - timedelta(hours=HOURS)), seen_sql()
    parameters = {"now": now, "since": since, "most": EXACT + 1, **of}
    asked = fetch(_BY_HOUR.format(what="''", column="id", table="ledger_notification", seen=seen), parameters)
    reached = fetch(_BY_HOUR.format(what="status", column="status", table="ledger_delivery", seen=seen), parameters)
    whole = {
        table: _estimated(table, since, rows)
        for table, rows in (("ledger_notification", asked), ("ledger_delivery", reached))
    }

    def figure(statuses: frozenset[str]) -> Figure:
        return _figure([row for row in reached if row[1] in statuses], whole["ledger_delivery"])

    return Day(
        accepted=_figure(asked, whole["ledger_notification"]),
        sent=figure(SENT),
        delivered=figure(frozenset({D.DELIVERED})),
        failed=figure(FAILED),
        withheld=figure(frozenset({D.SKIPPED})),
    )


def _estimated(table: str, since: object, rows: Sequence[tuple[Any, ...]]) -> float | None:
    """By how much the counted rows must be multiplied; None when all were counted."""
    counted = sum(row[2] for row in rows)
    if counted <= EXACT:
        return None
    seen, of = seen_sql()
    plan = fetch(_ESTIMATE.format(table=table, since=since, seen=seen), of)[0][0]
    estimate: float = max(1.0, plan[0]["Plan"]["Plan Rows"] / counted)
    return estimate


def _figure(rows: Sequence[tuple[Any, ...]], factor: float | None) -> Figure:
    total = sum(row[2] for row in rows)
    if factor is not None:
        return Figure(round(total * factor), [], True)
    hours = [0] * HOURS
    for age, _, count in rows:
        hours[HOURS - 1 - min(max(age, 0), HOURS - 1)] += count
    return Figure(total, hours, False)


# one index probe for each queue, tenant and priority that has work: min() and count() over all of it would read all of it,
# and so would a LIMIT without the ORDER BY that the index gives for nothing
_LANE = """
WITH RECURSIVE head AS (
    (SELECT queue, tenant_id, priority, due_at FROM ledger_work_item
     WHERE lane = %(lane)s ORDER BY queue, tenant_id, priority, due_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM head h CROSS JOIN LATERAL (
        SELECT queue, tenant_id, priority, due_at FROM ledger_work_item
        WHERE lane = %(lane)s AND (queue, tenant_id, priority) > (h.queue, h.tenant_id, h.priority)
        ORDER BY queue, tenant_id, priority, due_at LIMIT 1) n
), due AS (
    SELECT 1 FROM head h CROSS JOIN LATERAL (
        SELECT 1 FROM ledger_work_item w
        WHERE w.lane = %(lane)s AND w.queue = h.queue AND w.tenant_id = h.tenant_id AND w.priority = h.priority
            AND w.due_at <= now() ORDER BY w.due_at LIMIT %(most)s) w LIMIT %(most)s
), planned AS (
    SELECT 1 FROM head h CROSS JOIN LATERAL (
        SELECT 1 FROM ledger_work_item w
        WHERE w.lane = %(lane)s AND w.queue = h.queue AND w.tenant_id = h.tenant_id AND w.priority = h.priority
            AND w.due_at > now() ORDER BY w.due_at LIMIT %(most)s) w LIMIT %(most)s
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM planned),
    (SELECT extract(epoch FROM now() - min(due_at))::float FROM head WHERE due_at <= now())
"""


def lanes() -> list[Lane]:
    """One query a lane."""
    found = []
    for lane in Category:
        due, planned, waits = fetch(_LANE, {"lane": lane.value, "most": MOST_COUNTED + 1})[0]
        found.append(Lane(lane.value, due, planned, waits))
    return found


def is_empty() -> bool:
    """Whether nothing was ever accepted."""
    return not fetch("SELECT 1 FROM ledger_notification LIMIT 1", {})


def capped(count: int) -> str:
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"
