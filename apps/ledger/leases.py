"""Leases: what one claim took, together, until all of it is done or its time is over.

An index of leases on the items would cost every claim and every call their place on the page (PostgreSQL's HOT updates). So each claim
notes its items in a row of its own, which says when to see whether they are done.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from apps.core.arrays import uuids
from apps.core.enums import Category
from apps.core.rows import UNHURRIED, execute, fetch
from apps.core.types import Work
from apps.ledger.work import CALLING, CLAIMED, COLUMNS, READY, of_lane, to_work

MOST = 20
"""Leases looked at together: up to as many batches."""

_OVER = """SELECT lane, id, items FROM ledger_lease WHERE look_at < now() ORDER BY look_at LIMIT %(most)s FOR UPDATE SKIP LOCKED"""

# what is written by somebody else at this moment is passed over: its lease stays, and is looked at again
_LAPSE = f"""
UPDATE {{items}} w
SET phase = CASE WHEN w.phase = {CLAIMED} THEN {READY} ELSE w.phase END, lease_until = NULL, lease_token = w.lease_token + 1,
    expiries = w.expiries + 1
WHERE w.lane = %(lane)s AND w.id = ANY(ARRAY(
    SELECT id FROM {{items}}
    WHERE lane = %(lane)s AND id = ANY(%(items)s) AND phase > {READY} AND lease_until < now() FOR UPDATE SKIP LOCKED))
RETURNING {COLUMNS}, w.attempt_id, coalesce((SELECT account FROM ledger_attempt a WHERE a.id = w.attempt_id), ''), w.phase"""

_LEASED = (
    """SELECT {what} FROM {{items}} w WHERE w.lane = %(lane)s AND w.id = ANY(l.items) AND w.lease_until IS NOT NULL"""
)
_CLOSE = f"DELETE FROM ledger_lease l WHERE l.id = ANY(%(leases)s) AND NOT EXISTS ({_LEASED.format(what='')})"
_PUT_OFF = f"""
UPDATE ledger_lease l SET look_at = greatest(({_LEASED.format(what="min(w.lease_until)")}), now() + interval '1 second')
WHERE l.id = ANY(%(leases)s)"""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A lease that ran out. `was_calling`: a provider may have been called, through `account`."""

    work: Work
    attempt_id: UUID | None
    account: str
    was_calling: bool


def close(works: Sequence[Work]) -> None:
    """Of one lane, after their batch: its lease ends, unless something of it is still leased."""
    if works:
        parameters = {"lane": works[0].lane.value, "leases": uuids({work.lease_id for work in works})}
        execute(of_lane(f"{_CLOSE} AND {UNHURRIED}", works[0].lane), parameters)


def lapse() -> list[Lapsed]:
    """Items whose lease ran out, some at a time, none when there are no more: claimed ones go back to ready, marked; calling ones and
    those set aside after their third lone expiry are returned locked in the caller's transaction, for it to settle."""
    lapsed: list[Lapsed] = []
    while not lapsed and (over := fetch(_OVER, {"most": MOST})):
        for name, leases in groupby(sorted(over), key=lambda row: row[0]):
            theirs = list(leases)
            lapsed += _lapse(Category(name), [id_ for _, _, items in theirs for id_ in items])
            parameters = {"lane": name, "leases": uuids(id_ for _, id_, _ in theirs)}
            for statement in (_CLOSE, _PUT_OFF):
                execute(of_lane(statement, Category(name)), parameters)
    return lapsed


def _lapse(lane: Category, items: Collection[UUID]) -> list[Lapsed]:
    rows = fetch(of_lane(_LAPSE, lane), {"lane": lane.value, "items": uuids(items)})
    return [Lapsed(to_work(row[:-3]), row[-3], row[-2], row[-1] == CALLING) for row in rows]
