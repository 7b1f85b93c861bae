"""The list of deliveries in doubt, newest first: since when, through whom, and what is planned."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core import ids
from apps.core.enums import Category, Channel, DoubtMove
from apps.core.rows import fetch
from apps.core.tenant_scope import seen_sql
from apps.ledger.doubts import shown_moves

DOING = "It is being done right now."
NOTHING = "Nothing more is planned; a receipt may still settle it."


@dataclass(frozen=True, slots=True)
class InDoubt:
    """`account`: of its latest attempt. `move`: what is planned at `due_at`; None with a time: it is being done; without: nothing is."""

    id: UUID
    notification_id: UUID
    recipient_id: UUID
    channel: Channel
    category: Category
    account: str
    duplicate_possible: bool
    since: datetime
    move: DoubtMove | None
    due_at: datetime | None

    @property
    def next_text(self) -> str:
        if self.move:
            return self.move.sentence
        return DOING if self.due_at else NOTHING


# the literal lets the planner use the index of what is in doubt
_PAGE = """
SELECT id, notification_id, recipient_id, channel, category, account, duplicate_possible, coalesce(ended_at, created_at)
FROM ledger_delivery WHERE reason = 'in_doubt' AND tenant_id = %(tenant)s AND id < %(before)s
    AND (%(channel)s = '' OR channel = %(channel)s) AND (%(category)s = '' OR category = %(category)s)
    AND (%(account)s = '' OR account = %(account)s)
ORDER BY id DESC LIMIT %(limit)s
"""
_LAST = UUID(int=(1 << 128) - 1)


def in_doubt(
    *,
    tenant_id: UUID,
    before: UUID | None,
    limit: int,
    channel: Channel | None = None,
    category: Category | None = None,
    account: str = "",
) -> list[InDoubt]:
    """Two queries."""
    rows = fetch(
        _PAGE,
        {
            "tenant": tenant_id,
            "before": before or _LAST,
            "limit": limit,
            "channel": channel or "",
            "category": category or "",
            "account": account,
        },
    )
    moves = shown_moves([(row[4], row[0]) for row in rows])
    return [
        InDoubt(id_, n, person, Channel(by), Category(lane), via, twice, since, *moves.get(id_, (None, None)))
        for id_, n, person, by, lane, via, twice, since in rows
    ]


def count_in_doubt(*, since: datetime, most: int) -> int:
    """Of the tenants that are seen, of notifications accepted since then; counting stops at `most`."""
    seen, of = seen_sql()
    rows = fetch(
        f"""SELECT count(*) FROM (
            SELECT FROM ledger_delivery WHERE reason = 'in_doubt' AND id >= %(since)s AND {seen} LIMIT %(most)s) found""",
        {"since": ids.bound(since), "most": most, **of},
    )
    return int(rows[0][0])
