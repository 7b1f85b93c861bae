"""Which calls are made next: a few of each endpoint, leased, so that no endpoint stands in another's way.

An endpoint under way elsewhere counts, too: the bound of each holds for all processes together.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.rows import fetch
from apps.webhooks.pacing import AT_ONCE_OTHER, AT_ONCE_PROVEN, LEASE


@dataclass(frozen=True, slots=True)
class Job:
    """A call to be made. `tries`: those that failed before it."""

    id: UUID
    tenant_id: UUID
    endpoint_id: UUID
    event_id: UUID
    kind: str
    token: int
    tries: int
    is_proven: bool
    url: str = field(repr=False)
    sealed: bytes = field(repr=False)
    previous_until: datetime | None
    body: bytes = field(repr=False)


_CLAIM = """
WITH busy AS (
    SELECT endpoint_id, count(*) AS calls FROM webhooks_webhookcall WHERE lease_until > statement_timestamp() GROUP BY endpoint_id
), turn AS MATERIALIZED (
    SELECT e.id, e.is_proven, CASE WHEN e.is_proven THEN %(proven_at_once)s ELSE %(other_at_once)s END - coalesce(b.calls, 0) AS free
    FROM webhooks_webhookendpoint e LEFT JOIN busy b ON b.endpoint_id = e.id CROSS JOIN LATERAL (
        SELECT FROM webhooks_webhookcall WHERE endpoint_id = e.id AND due_at <= statement_timestamp() ORDER BY due_at LIMIT 1) d
    WHERE e.is_on
    FOR NO KEY UPDATE OF e SKIP LOCKED
), found AS MATERIALIZED (
    SELECT c.id, c.due_at, t.is_proven FROM turn t CROSS JOIN LATERAL (
        SELECT id, due_at FROM webhooks_webhookcall
        WHERE endpoint_id = t.id AND due_at <= statement_timestamp() AND (lease_until IS NULL OR lease_until <= statement_timestamp())
        ORDER BY due_at LIMIT greatest(t.free, 0) FOR UPDATE SKIP LOCKED) c
), picked AS MATERIALIZED (
    (SELECT id FROM found WHERE is_proven ORDER BY due_at LIMIT %(proven)s)
    UNION ALL
    (SELECT id FROM found WHERE NOT is_proven ORDER BY random() LIMIT %(others)s)
), leased AS (
    UPDATE webhooks_webhookcall c SET lease_until = statement_timestamp() + %(lease)s, token = c.token + 1
    FROM picked p WHERE c.id = p.id
    RETURNING c.id, c.tenant_id, c.endpoint_id, c.event_id, c.token, c.tries
)
SELECT l.id, l.tenant_id, l.endpoint_id, l.event_id, v.kind, l.token, l.tries, e.is_proven, e.url, e.sealed, e.previous_until, v.body
FROM leased l JOIN webhooks_webhookendpoint e ON e.id = l.endpoint_id JOIN webhooks_webhookevent v ON v.id = l.event_id
"""


def claim(*, proven: int, others: int) -> list[Job]:
    """Due calls: up to `proven` of endpoints whose last answer was a quick yes, up to `others` of all others. One statement."""
    parameters = {
        "proven": max(proven, 0),
        "others": max(others, 0),
        "proven_at_once": AT_ONCE_PROVEN,
        "other_at_once": AT_ONCE_OTHER,
        "lease": LEASE,
    }
    rows = fetch(_CLAIM, parameters)
    return [_job(row) for row in rows]


def is_anything_due() -> bool:
    rows = fetch(
        """SELECT c.id FROM webhooks_webhookendpoint e CROSS JOIN LATERAL (
            SELECT id FROM webhooks_webhookcall
            WHERE endpoint_id = e.id AND due_at <= statement_timestamp()
                AND (lease_until IS NULL OR lease_until <= statement_timestamp())
            ORDER BY due_at LIMIT 1) c
        WHERE e.is_on LIMIT 1""",
        {},
    )
    return bool(rows)


def _job(row: tuple[Any, ...]) -> Job:
    values: tuple[Any, ...] = (*row[:9], bytes(row[9]), row[10], row[11].encode())
    return Job(*values)
