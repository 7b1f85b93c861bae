"""Of a campaign run: how many of its deliveries stand where, and what became of its people. Each is one range scan of the primary key:
all ids of a run begin with its stamp, and of what else was made in that millisecond nothing has a variant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core.enums import Category, Channel
from apps.core.enums import DeliveryStatus as D
from apps.core.rows import atomic, fetch, recordset
from apps.ledger.broadcasts import begin_of, end_of
from apps.ledger.lifecycle import BEST_FIRST

ROOM = "SELECT set_config('work_mem', '96MB', true), set_config('statement_timeout', '180s', true)"
"""For what reads a run's people: a million of them take so much, and ten millions so long."""
OF_RUN = "d.id BETWEEN %(begin)s AND %(end)s AND d.tenant_id = %(tenant)s AND d.variant IS NOT NULL"
_EVER = timedelta(days=36_500)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
RANK = {status: _LETTERS[place] for place, status in enumerate(BEST_FIRST)}
RANK_SQL = "CASE d.status {} END".format(" ".join(f"WHEN '{s}' THEN '{letter}'" for s, letter in RANK.items()))
"""Of the deliveries of a person that with the first letter is what became of them."""
_IS_SENT = "(d.sent_at IS NOT NULL OR d.status IN ('sent', 'delivered', 'bounced'))"
_OF_RANK = {letter: status for status, letter in RANK.items()}


@dataclass(frozen=True, slots=True)
class Stage:
    """Deliveries that have the same of everything. `is_fresh`: sent, or ended, since the moment asked about; `is_overdue`: sent so long
    ago that a receipt should have come; whether one came, the status says."""

    variant: int
    channel: Channel
    status: D
    reason: str
    is_fresh: bool
    is_overdue: bool
    account: str
    count: int
    sent: int
    opened: int
    clicked: int
    complained: int
    unsubscribed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """People of a variant whose best delivery has that status and reason; the other counts are of any of their deliveries."""

    variant: int
    status: D
    reason: str
    count: int
    sent: int
    delivered: int
    opened: int
    clicked: int
    complained: int
    unsubscribed: int


_STAGES = f"""
SELECT d.variant, d.channel, d.status, d.reason,
    coalesce(coalesce(d.sent_at, d.ended_at) >= %(since)s, false) AS is_fresh,
    coalesce(d.sent_at < %(now)s - p.seconds * interval '1 second', false) AS is_overdue,
    d.account, count(*), count(*) FILTER (WHERE {_IS_SENT}), count(coalesce(d.opened_at, d.read_at)), count(d.clicked_at),
    count(d.complained_at), count(d.unsubscribed_at)
FROM ledger_delivery d LEFT JOIN json_to_recordset(%(patience)s) AS p(account text, seconds float) ON p.account = d.account
WHERE {OF_RUN}
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

PEOPLE = f"""
SELECT d.notification_id, d.recipient_id, min(d.variant) AS variant, min({RANK_SQL} || d.reason COLLATE "C") AS fate,
    bool_or({_IS_SENT}) AS is_sent, bool_or(d.status = 'delivered') AS is_delivered, min(d.sent_at) AS sent_at,
    min(coalesce(d.opened_at, d.read_at)) AS opened_at,
    min(d.clicked_at) AS clicked_at, min(d.complained_at) AS complained_at, min(d.unsubscribed_at) AS unsubscribed_at
FROM ledger_delivery d WHERE {OF_RUN}
GROUP BY d.notification_id, d.recipient_id
"""
"""A row for each person of a run who has a delivery."""

_OUTCOMES = f"""
SELECT variant, left(fate, 1), substr(fate, 2), count(*), count(*) FILTER (WHERE is_sent),
    count(*) FILTER (WHERE is_delivered), count(opened_at), count(clicked_at), count(complained_at), count(unsubscribed_at)
FROM ({PEOPLE}) p GROUP BY 1, 2, 3
"""


def bounds(tenant_id: UUID, stamp: int) -> dict[str, Any]:
    """The parameters of OF_RUN and PEOPLE."""
    return {"begin": begin_of(stamp), "end": end_of(stamp), "tenant": tenant_id}


def roomy(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """One statement, with room and time."""
    with atomic():
        fetch(ROOM, {})
        return fetch(sql, parameters)


def stages(
    *, tenant_id: UUID, stamp: int, since: datetime | None, patience: Mapping[str, float], now: datetime
) -> list[Stage]:
    """`since` None: everything is fresh. `patience`: by account, seconds to wait for a receipt; what others carried is never overdue."""
    rows = fetch(
        _STAGES,
        {
            **bounds(tenant_id, stamp),
            "since": since or now - _EVER,
            "patience": recordset({"account": account, "seconds": seconds} for account, seconds in patience.items()),
            "now": now,
        },
    )
    return [Stage(v, Channel(c), D(s), *rest) for v, c, s, *rest in rows]


def begin_of_time(now: datetime) -> datetime:
    return now - timedelta(days=36_500)


def outcomes(*, tenant_id: UUID, stamp: int, of: Sequence[Stage] = ()) -> list[Outcome]:
    """`of`: the stages, where they are known: who has one delivery at most needs not be asked about twice."""
    if of and len(channels := {stage.channel for stage in of}) == 1 and Channel.PUSH not in channels:
        return _alone(of)
    rows = roomy(_OUTCOMES, bounds(tenant_id, stamp))
    return [Outcome(variant, _OF_RANK[letter], *rest) for variant, letter, *rest in rows]


def _alone(stages: Sequence[Stage]) -> list[Outcome]:
    """One delivery a person: what became of it is what became of them."""
    found: dict[tuple[int, D, str], list[int]] = {}
    for s in stages:
        delivered = s.count if s.status == D.DELIVERED else 0
        counts = [s.count, s.sent, delivered, s.opened, s.clicked, s.complained, s.unsubscribed]
        known = found.setdefault((s.variant, s.status, s.reason), [0] * len(counts))
        known[:] = [a + b for a, b in zip(known, counts, strict=True)]
    return [Outcome(*key, *counts) for key, counts in sorted(found.items())]


def open_work(*, tenant_id: UUID, stamp: int, lane: Category) -> bool:
    """Whether anything of the run is left to be done: decided, sent, proved, tried elsewhere. One probe of an index."""
    rows = fetch(
        """SELECT 1 FROM ledger_work_item
        WHERE lane = %(lane)s AND id BETWEEN %(begin)s AND %(end)s AND tenant_id = %(tenant)s LIMIT 1""",
        {**bounds(tenant_id, stamp), "lane": lane.value},
    )
    return bool(rows)
