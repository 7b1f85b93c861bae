"""Deliveries in doubt, as work: what is planned for each, and how it ends. A receipt ends it as well (receipts.py).

The work has the delivery's id, like the send that it follows, and the same rules: claimed with a lease, written with its token. Where a
delivery and its work are both written, the delivery is locked first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.enums import DeliveryStatus, DoubtMove, EventKind
from apps.core.rows import atomic, execute, fetch, recordset
from apps.core.types import Work
from apps.ledger.work import CALLING, CLAIMED, READY, fence

POLICY = "policy"
"""The source of events that follow from the rules alone."""


@dataclass(frozen=True, slots=True)
class Planned:
    """`wait` in seconds from now."""

    work: Work
    move: DoubtMove
    wait: float


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A delivery that was in doubt, as it is now; its latest attempt without an answer (`attempt_id` None: it has got one)."""

    status: DeliveryStatus
    endpoint_id: UUID | None
    attempt_id: UUID | None
    account: str
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a doubt ends. `kind`: FOUND (then `provider_message_id` of `attempt_id`), LEFT_IN_DOUBT, or None for what is over already."""

    work: Work
    kind: EventKind | None = None
    source: str = POLICY
    attempt_id: UUID | None = None
    provider_message_id: str = ""


_PLAN = """
INSERT INTO ledger_work_item (id, lane, queue, kind, channel, tenant_id, notification_id, priority, due_at, expires_at,
    lease_token, tries, calls, move)
SELECT i.id, i.lane, i.queue, 'doubt', i.channel, i.tenant_id, i.notification_id, i.priority,
    now() + i.wait * interval '1 second', i.expires_at, i.token + 1, i.tries,
    (SELECT coalesce(max(a.number), 0) FROM ledger_attempt a WHERE a.delivery_id = i.id), i.move
FROM json_to_recordset(%(rows)s) AS i(
    id uuid, lane text, queue text, channel text, tenant_id uuid, notification_id uuid, priority smallint, wait float,
    expires_at timestamptz, token integer, tries smallint, move text)
JOIN ledger_delivery d ON d.id = i.id
WHERE d.id = ANY(%(ids)s) AND d.status = 'unknown'
ON CONFLICT DO NOTHING
"""


def plan_doubts(planned: Sequence[Planned]) -> None:
    """Work for deliveries that have just become unknown, in the transaction that settled them; their call is over."""
    if not planned:
        return
    rows = [
        {
            "id": p.work.id,
            "lane": p.work.lane,
            "queue": p.work.queue,
            "channel": p.work.channel,
            "tenant_id": p.work.tenant_id,
            "notification_id": p.work.notification_id,
            "priority": p.work.priority,
            "wait": p.wait,
            "expires_at": p.work.expires_at,
            "token": p.work.lease_token,
            "tries": p.work.tries,
            "move": p.move,
        }
        for p in planned
    ]
    execute(_PLAN, {"rows": recordset(rows), "ids": [p.work.id for p in planned]})


def doubtful(ids: Sequence[UUID]) -> dict[UUID, Doubtful]:
    """One query."""
    rows = fetch(
        """SELECT d.id, d.status, d.endpoint_id, a.id, coalesce(a.account, ''), a.started_at FROM ledger_delivery d
        LEFT JOIN LATERAL (
            SELECT id, account, started_at FROM ledger_attempt
            WHERE delivery_id = d.id AND kind = 'ambiguous' ORDER BY id DESC LIMIT 1) a ON true
        WHERE d.id = ANY(%(ids)s)""",
        {"ids": list(ids)},
    )
    return {row[0]: Doubtful(DeliveryStatus(row[1]), *row[2:]) for row in rows}


def postpone(planned: Sequence[Planned]) -> None:
    """Gives claimed doubts of one lane back with what is planned now."""
    if planned:
        execute(
            f"""UPDATE ledger_work_item w
            SET phase = {READY}, lease_until = NULL, due_at = now() + i.wait * interval '1 second', move = i.move, expiries = 0
            FROM json_to_recordset(%(rows)s) AS i(id uuid, token integer, wait float, move text)
            WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND w.id = i.id AND w.lease_token = i.token
                AND w.phase = {CLAIMED}""",
            {
                "rows": recordset(
                    {"id": p.work.id, "token": p.work.lease_token, "wait": p.wait, "move": p.move} for p in planned
                ),
                "ids": [p.work.id for p in planned],
                "lane": planned[0].work.lane.value,
            },
        )


def note_missing(works: Sequence[Work], source_of: dict[UUID, str]) -> None:
    """The provider does not have it: a second one is then no duplicate. Claimed doubts of one lane."""
    if works:
        execute(
            """WITH mine AS (
                UPDATE ledger_work_item w SET move = 'missing'
                FROM unnest(%(ids)s::uuid[], %(tokens)s::int[]) AS i(id, token)
                WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND w.id = i.id AND w.lease_token = i.token
                RETURNING w.id, w.tenant_id, w.notification_id)
            INSERT INTO ledger_delivery_event (id, notification_id, delivery_id, tenant_id, kind, at, source)
            SELECT uuidv7(), m.notification_id, m.id, m.tenant_id, 'missing', now(), s.source
            FROM mine m JOIN unnest(%(ids)s::uuid[], %(sources)s::text[]) AS s(id, source) USING (id)""",
            {"lane": works[0].lane.value, "sources": [source_of[w.id] for w in works], **fence(works)},
        )


_END = """
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS r(
        id uuid, token integer, kind text, source text, attempt_id uuid, provider_message_id text)
), gone AS (
    DELETE FROM ledger_work_item w USING input i
    WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND w.id = i.id AND w.lease_token = i.token
    RETURNING w.id, w.tenant_id, w.notification_id
), attempt AS (
    UPDATE ledger_attempt a SET provider_message_id = i.provider_message_id
    FROM input i JOIN gone g USING (id) WHERE a.id = ANY(%(attempts)s) AND a.id = i.attempt_id
), delivery AS (
    UPDATE ledger_delivery d
    SET status = 'sent', reason = '', sent_at = coalesce(d.sent_at, now()), ended_at = NULL,
        provider_message_id = i.provider_message_id
    FROM input i JOIN gone g USING (id)
    WHERE d.id = ANY(%(ids)s) AND d.id = i.id AND i.kind = 'found' AND d.status = 'unknown'
)
INSERT INTO ledger_delivery_event (id, notification_id, delivery_id, tenant_id, kind, at, source)
SELECT uuidv7(), g.notification_id, g.id, g.tenant_id, i.kind, now(), i.source
FROM input i JOIN gone g USING (id) WHERE i.kind <> ''
"""


def end_doubts(endings: Sequence[Ending]) -> None:
    """Of one lane, in one transaction. What was taken over meanwhile is left alone."""
    if not endings:
        return
    rows = [
        {
            "id": e.work.id,
            "token": e.work.lease_token,
            "kind": e.kind or "",
            "source": e.source,
            "attempt_id": e.attempt_id,
            "provider_message_id": e.provider_message_id[:255],
        }
        for e in endings
    ]
    with atomic():
        lock_unknown([e.work.id for e in endings])
        execute(
            _END,
            {
                "rows": recordset(rows),
                "lane": endings[0].work.lane.value,
                "ids": [e.work.id for e in endings],
                "attempts": [e.attempt_id for e in endings if e.provider_message_id],
            },
        )


def lock_unknown(ids: Sequence[UUID]) -> set[UUID]:
    """Those of the deliveries that are in doubt, locked in the caller's transaction."""
    rows = fetch(
        "SELECT id FROM ledger_delivery WHERE id = ANY(%(ids)s) AND status = 'unknown' ORDER BY id FOR UPDATE",
        {"ids": list(ids)},
    )
    return {row[0] for row in rows}


def note_resent(*, lane: str, ids: Sequence[UUID]) -> None:
    """The intent to send once more is written: from now on a duplicate is possible, unless the provider said that it has none."""
    execute(
        """WITH mine AS (
            SELECT id, tenant_id, notification_id, kind, move FROM ledger_work_item WHERE lane = %(lane)s AND id = ANY(%(ids)s)
        ), kept AS (
            UPDATE ledger_work_item w SET kind = 'resend' FROM mine m WHERE w.lane = %(lane)s AND w.id = m.id AND m.kind = 'doubt'
        ), flagged AS (
            UPDATE ledger_delivery d SET duplicate_possible = true FROM mine m
            WHERE d.id = ANY(%(ids)s) AND d.id = m.id AND m.move <> 'missing'
        )
        INSERT INTO ledger_delivery_event (id, notification_id, delivery_id, tenant_id, kind, at, source)
        SELECT uuidv7(), notification_id, id, tenant_id, 'resent', now(), %(source)s FROM mine WHERE kind = 'doubt'""",
        {"lane": lane, "ids": list(ids), "source": POLICY},
    )


def cancel_doubts(*, deliveries: Sequence[UUID]) -> int:
    """What was planned for deliveries whose fate is known now, unless it is being sent right now. They are locked by the caller."""
    return execute(
        f"""DELETE FROM ledger_work_item w USING ledger_delivery d
        WHERE d.id = ANY(%(ids)s) AND w.id = ANY(%(ids)s) AND w.lane = d.category AND w.id = d.id AND w.kind IN ('doubt', 'resend')
            AND w.phase < {CALLING}""",
        {"ids": list(deliveries)},
    )


def shown_moves(places: Sequence[tuple[str, UUID]]) -> dict[UUID, tuple[DoubtMove | None, datetime]]:
    """What is planned for deliveries (category, id), and when; None: it is being done now. One query."""
    if not places:
        return {}
    rows: list[tuple[Any, ...]] = fetch(
        """SELECT w.id, w.kind, w.move, w.phase, w.due_at FROM ledger_work_item w
        JOIN unnest(%(lanes)s::text[], %(ids)s::uuid[]) AS i(lane, id) ON w.lane = i.lane AND w.id = i.id
        WHERE w.kind IN ('doubt', 'resend')""",
        {"lanes": [lane for lane, _ in places], "ids": [id_ for _, id_ in places]},
    )
    return {
        id_: (DoubtMove(move) if phase == READY and kind == "doubt" and move in set(DoubtMove) else None, due_at)
        for id_, kind, move, phase, due_at in rows
    }
