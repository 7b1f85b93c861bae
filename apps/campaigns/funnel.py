"""How many of those who are meant are reached, and what becomes of the others: counted for everybody at once.

    match -> has an address -> allowed by preferences -> not suppressed -> under frequency caps (an estimate)

Each number is a part of the one before. `sample` shows some of the people with the words of the brain itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audience.segments.asking import ALONE, TookTooLong, ask, ask_within
from apps.audience.segments.compiling import Condition
from apps.audience.segments.counting import Count, count, rounded
from apps.audience.segments.pages import page_of
from apps.audience.segments.reach import Funnel, Reach
from apps.core.enums import Category, Channel
from apps.ledger.spending import spending
from apps.preferences.choosing import rules_of
from apps.preferences.reaching import Reaching, reaching
from apps.routing import caps

WITHIN_MS = 8_000
SAMPLED = 20_000
MOST_NAMED = 10
_STEPS = ("has_address", "allowed", "not_suppressed", "under_caps")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one person gets on each channel: the names of the steps that hold."""

    recipient_id: UUID
    is_blocked: bool
    steps: Mapping[Channel, tuple[str, ...]]

    def is_reached(self, channel: Channel) -> bool:
        return "not_suppressed" in self.steps[channel]


def funnel(
    tenant_id: UUID,
    condition: Condition,
    *,
    channels: Sequence[Channel],
    category: Category,
    event_type: str = "",
    now: datetime,
    within_ms: int = WITHIN_MS,
) -> Funnel:
    """Two questions, and two more for a sample where the first takes longer than `within_ms`."""
    plan = _plan(tenant_id, channels, category, event_type, now)
    parameters = {"tenant": tenant_id, "among": None, **plan.parameters, **condition.parameters}
    where = f"r.tenant_id = %(tenant)s AND {condition.sql}"
    try:
        numbers = ask_within(plan.counting(where), parameters, within_ms, settings=ALONE)[0]
        places = ask_within(_PLACES.format(where=where), parameters, within_ms)
        return _funnel(channels, numbers, places, 1.0, True)
    except TookTooLong:
        pass
    whole = count(tenant_id, condition, within_ms=within_ms)
    some = _some(tenant_id, condition, whole)
    here, theirs = "r.id = ANY(%(among)s::uuid[])", {**parameters, "among": some}
    numbers, places = ask(plan.counting(here), theirs)[0], ask(_PLACES.format(where=here), theirs)
    is_exact = whole.is_exact and len(some) == whole.number
    return _funnel(channels, numbers, places, whole.number / max(1, len(some)), is_exact)


def standings(
    tenant_id: UUID,
    recipient_ids: Sequence[UUID],
    *,
    channels: Sequence[Channel],
    category: Category,
    event_type: str = "",
    now: datetime,
) -> list[Standing]:
    """The same for people by name. One question."""
    plan = _plan(tenant_id, channels, category, event_type, now)
    parameters = {"tenant": tenant_id, "among": list(recipient_ids), **plan.parameters}
    return [_standing(channels, row) for row in ask(plan.each(), parameters)]


@dataclass(frozen=True, slots=True)
class _Plan:
    """`steps`: by channel, the conditions of _STEPS, each with those before it."""

    joins: str
    steps: Mapping[Channel, tuple[str, ...]]
    parameters: Mapping[str, Any]

    def counting(self, where: str) -> str:
        columns = [f"count(*) FILTER (WHERE {step})" for steps in self.steps.values() for step in steps]
        reached = " OR ".join(steps[2] for steps in self.steps.values()) or "FALSE"
        return (
            f"SELECT count(*), count(*) FILTER (WHERE {reached}), {', '.join(columns) or 'NULL'}"
            f" FROM audience_recipient r {self.joins} WHERE {where}"
        )

    def each(self) -> str:
        columns = [step for steps in self.steps.values() for step in steps]
        return (
            f"SELECT r.id, r.blocked_at IS NOT NULL, {', '.join(columns) or 'NULL'} FROM audience_recipient r {self.joins}"
            " WHERE r.tenant_id = %(tenant)s AND r.id = ANY(%(among)s::uuid[]) ORDER BY r.id"
        )


# the ten most frequent of each; counted together first, for only that is shared among workers
_PLACES = f"""
SELECT is_zone, name, number FROM (
    SELECT is_zone, name, number, row_number() OVER (PARTITION BY is_zone ORDER BY number DESC, name) AS place
    FROM (
        SELECT grouping(locale) = 1 AS is_zone, CASE WHEN grouping(locale) = 1 THEN timezone ELSE locale END AS name,
            sum(people)::bigint AS number
        FROM (SELECT r.timezone, r.locale, count(*) AS people FROM audience_recipient r WHERE {{where}} GROUP BY 1, 2) pairs
        GROUP BY GROUPING SETS ((timezone), (locale))) grouped) ranked
WHERE place <= {MOST_NAMED} ORDER BY is_zone, place
"""


def _plan(tenant_id: UUID, channels: Sequence[Channel], category: Category, event_type: str, now: datetime) -> _Plan:
    rules = rules_of([tenant_id])[tenant_id]
    reach = reaching(
        tenant_id=tenant_id,
        channels=channels,
        event_type=event_type,
        category=category,
        defaults=rules.defaults,
        now=now,
    )
    by_channel = {c: caps.counting(rules.caps, event_type, category, c) for c in channels}
    counted = {cap.id: cap for found in by_channel.values() for cap in found}
    spent = spending(tenant_id, [(cap, caps.begins(cap, "UTC", now)) for cap in counted.values()])
    full = {c: [spent.is_full[cap.id] for cap in found] for c, found in by_channel.items()}
    return _Plan(
        joins=reach.joins + spent.join,
        steps={c: _steps(reach, c, full[c]) for c in channels},
        parameters={**reach.parameters, **spent.parameters},
    )


def _steps(reach: Reaching, channel: Channel, full: Sequence[str]) -> tuple[str, ...]:
    has_address = reach.has_address[channel]
    allowed = f"{has_address} AND r.blocked_at IS NULL AND {reach.is_allowed[channel]}"
    clear = f"{allowed} AND {reach.is_clear[channel]}"
    return has_address, f"({allowed})", f"({clear})", f"({' AND '.join([clear, *(f'NOT {one}' for one in full)])})"


def _some(tenant_id: UUID, condition: Condition, whole: Count) -> list[UUID]:
    """All of them when they are few, else those on some pages of the table."""
    if whole.number <= SAMPLED:
        return page_of(tenant_id, condition, size=SAMPLED)
    sql = f"""SELECT r.id FROM audience_recipient r TABLESAMPLE SYSTEM (%(share)s)
        WHERE r.tenant_id = %(tenant)s AND {condition.sql} ORDER BY r.id"""
    share = min(100.0, 100.0 * SAMPLED / max(1.0, _rows()))
    some = [id_ for (id_,) in ask(sql, {"tenant": tenant_id, "share": share, **condition.parameters})]
    return some or page_of(tenant_id, condition, size=SAMPLED)


def _rows() -> float:
    return float(
        ask("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'audience_recipient'::regclass", {})[0][0]
    )


def _funnel(
    channels: Sequence[Channel],
    numbers: tuple[Any, ...],
    places: Sequence[tuple[Any, ...]],
    scale: float,
    is_exact: bool,
) -> Funnel:
    def scaled(number: int) -> int:
        return number if is_exact else rounded(number * scale)

    matched, reached, *steps = numbers
    width = len(_STEPS)
    return Funnel(
        matched=scaled(matched),
        reached=scaled(reached),
        channels=tuple(
            Reach(channel, *(scaled(number) for number in steps[place * width : (place + 1) * width]))
            for place, channel in enumerate(channels)
        ),
        zones=tuple((name, scaled(number)) for is_zone, name, number in places if is_zone),
        locales=tuple((name, scaled(number)) for is_zone, name, number in places if not is_zone),
        is_exact=is_exact,
    )


def _standing(channels: Sequence[Channel], row: tuple[Any, ...]) -> Standing:
    id_, is_blocked, *flags = row
    width = len(_STEPS)
    steps = {
        channel: tuple(
            name for name, holds in zip(_STEPS, flags[place * width : (place + 1) * width], strict=True) if holds
        )
        for place, channel in enumerate(channels)
    }
    return Standing(id_, is_blocked, steps)
