"""Of a campaign run: what came of it by people's language, clock and hour, by link, and how long it took; and who is behind each number.

`people`: SQL of the app that knows people: recipient_id, user_id, locale, timezone of a tenant's (audience/traits.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from apps.core.enums import MACHINE, Channel, EventKind
from apps.core.enums import DeliveryStatus as D
from apps.core.rows import fetch
from apps.ledger.broadcasts import begin_of
from apps.ledger.tallies import OF_RUN, PEOPLE, RANK_SQL, bounds, roomy

DELAYS: tuple[float, ...] = (1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400)
"""Seconds; what took longer comes after the last one."""
QUARTER = "15 minutes"


class Counts(NamedTuple):
    people: int
    sent: int
    delivered: int
    opened: int
    clicked: int
    unsubscribed: int
    complained: int

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = Counts(0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Trait:
    """People of one language (`zone` None), or of one clock whose message was sent in the quarter of an hour that begins at `at` (None:
    it was not sent)."""

    locale: str | None
    zone: str | None
    at: datetime | None
    counts: Counts


_TRAITS = f"""
SELECT grouping(r.locale) = 0, coalesce(r.locale, ''), coalesce(r.timezone, ''), date_bin('{QUARTER}', p.sent_at, '2000-01-01 00:00Z'),
    count(*), count(*) FILTER (WHERE p.is_sent), count(*) FILTER (WHERE p.is_delivered), count(p.opened_at), count(p.clicked_at),
    count(p.unsubscribed_at), count(p.complained_at)
FROM ({PEOPLE}) p LEFT JOIN ({{people}}) r ON r.recipient_id = p.recipient_id
GROUP BY GROUPING SETS ((r.locale), (r.timezone, date_bin('{QUARTER}', p.sent_at, '2000-01-01 00:00Z')))
"""


def traits(*, tenant_id: UUID, stamp: int, people: str) -> list[Trait]:
    """One query."""
    rows = roomy(_TRAITS.format(people=people), bounds(tenant_id, stamp))
    return [
        Trait(locale, None, None, Counts(*counts)) if is_locale else Trait(None, zone, at, Counts(*counts))
        for is_locale, locale, zone, at, *counts in rows
    ]


def delays(*, tenant_id: UUID, stamp: int) -> dict[int, int]:
    """Deliveries whose arrival was proved, by the place in DELAYS of the least that they took no longer than; len(DELAYS): longer."""
    rows = roomy(
        f"""SELECT width_bucket(extract(epoch FROM d.delivered_at - d.created_at)::float8, %(delays)s::float8[]), count(*)
        FROM ledger_delivery d WHERE {OF_RUN} AND d.delivered_at IS NOT NULL GROUP BY 1""",
        {**bounds(tenant_id, stamp), "delays": [float(one) for one in DELAYS]},
    )
    return dict(rows)


@dataclass(frozen=True, slots=True)
class Doing:
    """Deliveries that were opened, or of which a link was followed. `link`: its number; `target`: where it leads (one of them, where people
    are led to different places)."""

    kind: str
    is_machine: bool
    link: str
    target: str
    count: int


def doings(*, tenant_id: UUID, stamp: int) -> list[Doing]:
    """From the events of the run: a range of their index."""
    rows = roomy(
        f"""SELECT e.kind, e.code = %(machine)s, split_part(e.detail, ' ', 1),
            min(split_part(e.detail, ' ', 2)), count(DISTINCT e.delivery_id)
        FROM ledger_delivery_event e JOIN ledger_delivery d ON d.id = e.delivery_id
        WHERE e.id >= %(begin)s AND e.notification_id BETWEEN %(begin)s AND %(end)s AND e.kind = ANY(%(kinds)s) AND {OF_RUN}
        GROUP BY 1, 2, 3""",
        {**bounds(tenant_id, stamp), "machine": MACHINE, "kinds": [EventKind.OPENED.value, EventKind.CLICKED.value]},
    )
    return [Doing(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Met:
    """Somebody whom a run met, by the delivery that stands for what was asked."""

    id: UUID
    notification_id: UUID
    recipient_id: UUID
    endpoint_id: UUID | None
    channel: Channel
    variant: int
    status: D
    reason: str
    account: str
    place: str
    at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    complained_at: datetime | None
    unsubscribed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is looked for. `statuses`, `reason`: of what became of them; `doing`: a column that tells what they did (`opened_at`)."""

    statuses: Sequence[D] = ()
    reason: str | None = None
    doing: str = ""
    variant: int | None = None
    channel: Channel | None = None


DOINGS = frozenset({"sent_at", "delivered_at", "opened_at", "clicked_at", "complained_at", "unsubscribed_at"})
_MET = """d.id, d.notification_id, d.recipient_id, d.endpoint_id, d.channel, d.variant, d.status, d.reason, d.account, d.place,
    d.created_at, d.sent_at, d.delivered_at, coalesce(d.opened_at, d.read_at), d.clicked_at, d.complained_at, d.unsubscribed_at"""
_IS_SENT = "({0}.sent_at IS NOT NULL OR {0}.status IN ('sent', 'delivered', 'bounced'))"
_DID = {
    "sent_at": _IS_SENT,
    "delivered_at": "({0}.status = 'delivered')",
    "opened_at": "({0}.opened_at IS NOT NULL OR {0}.read_at IS NOT NULL)",
    **{name: "({0}." + name + " IS NOT NULL)" for name in ("clicked_at", "complained_at", "unsubscribed_at")},
}


@dataclass(frozen=True, slots=True)
class Page:
    """`next_after`: where the next one begins; None at the end. `is_cut`: it stopped looking after LOOKED_AT rows."""

    rows: tuple[Met, ...]
    next_after: UUID | None
    is_cut: bool


LOOKED_AT = 50_000
_WHOLE = 1 << 76


def who(*, tenant_id: UUID, stamp: int, wanted: Wanted, after: UUID | None, size: int, total: int) -> Page:
    """In the order of their ids, each person once. `total`: messages of the run, about; LOOKED_AT of them, about, are looked at, at most.
    One query."""
    parameters = {**bounds(tenant_id, stamp), "size": size + 1}
    if after is not None:
        parameters["begin"] = UUID(int=after.int + 1)
    ends = _cut(stamp, after, total)
    if ends is not None:
        parameters["end"] = ends
    conditions, more = _conditions(wanted)
    rows = fetch(
        f"SELECT {_MET} FROM ledger_delivery d WHERE {OF_RUN} AND {conditions} ORDER BY d.id LIMIT %(size)s",
        parameters | more,
    )
    found = tuple(_met(row) for row in rows[:size])
    if len(rows) > size:
        return Page(found, found[-1].id, False)
    return Page(found, ends, ends is not None)


def _cut(stamp: int, after: UUID | None, total: int) -> UUID | None:
    """The id below which about LOOKED_AT of the run's follow: what comes after the stamp and the version is a hash, so they lie evenly.
    None: there are no more than that."""
    place = after.int % _WHOLE if after is not None else 0
    place += _WHOLE * LOOKED_AT // max(total, 1)
    return None if place >= _WHOLE else UUID(int=begin_of(stamp).int + (8 << 76) + place)


def how_many(*, tenant_id: UUID, stamp: int) -> int:
    """Deliveries of a run: what `everybody` gives. One query."""
    return int(fetch(f"SELECT count(*) FROM ledger_delivery d WHERE {OF_RUN}", bounds(tenant_id, stamp))[0][0])


def everybody(*, tenant_id: UUID, stamp: int, size: int) -> Iterator[list[Met]]:
    """All deliveries of a run, in pages: no statement and no transaction stays open between two."""
    parameters = {**bounds(tenant_id, stamp), "size": size}
    while True:
        sql = f"SELECT {_MET} FROM ledger_delivery d WHERE {OF_RUN} ORDER BY d.id LIMIT %(size)s"
        found = [_met(row) for row in fetch(sql, parameters)]
        if found:
            yield found
        if len(found) < size:
            return
        parameters["begin"] = UUID(int=found[-1].id.int + 1)


def _conditions(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {}
    said = ["true"]
    if wanted.variant is not None:
        said.append("d.variant = %(variant)s")
        parameters["variant"] = wanted.variant
    if wanted.channel is not None:
        said.append("d.channel = %(channel)s")
        parameters["channel"] = wanted.channel.value
    if wanted.doing:
        did = _DID[wanted.doing]
        said.append(did.format("d"))
        said.append(_no_other(f"{did.format('o')} AND o.id < d.id"))
    if wanted.statuses:
        said.append("d.status = ANY(%(statuses)s)")
        said.append(_no_other(f"({_fate('o')}, o.id) < ({_fate('d')}, d.id)"))
        parameters["statuses"] = [status.value for status in wanted.statuses]
    if wanted.reason is not None:
        said.append("d.reason = %(reason)s")
        parameters["reason"] = wanted.reason
    if not wanted.doing and not wanted.statuses:
        said.append(_no_other("o.id < d.id"))
    return " AND ".join(said), parameters


def _fate(alias: str) -> str:
    return f'{RANK_SQL.replace("d.status", f"{alias}.status")} || {alias}.reason COLLATE "C"'


def _no_other(condition: str) -> str:
    """Asked of each one that is left, not of all at once: OFFSET 0 keeps the planner from it."""
    return f"NOT EXISTS (SELECT FROM ledger_delivery o WHERE o.notification_id = d.notification_id AND {condition} OFFSET 0)"


def _met(row: tuple[Any, ...]) -> Met:
    id_, notification, recipient, endpoint, channel, variant, status, *rest = row
    return Met(id_, notification, recipient, endpoint, Channel(channel), variant, D(status), *rest)
