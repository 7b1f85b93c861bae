"""What a campaign will cost, and what it did cost. Amounts are micros: millionths of the currency of the tenant's policy.

Before: people x parts x price by country and account, as a span: people who choose otherwise meanwhile are not in it. After: the parts
that providers took, from the ledger, times the price that held when each was sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from math import ceil
from typing import Any
from uuid import UUID

from apps.audience.places import reachable_by_place
from apps.audience.segments.compiling import Condition
from apps.audience.segments.counting import Count, count
from apps.audience.segments.reach import Funnel
from apps.campaigns import money
from apps.campaigns.budgeting import policy_of
from apps.campaigns.funnel import funnel
from apps.campaigns.measuring import Parts, parts_of_texts
from apps.campaigns.models import Run
from apps.campaigns.people import condition_of_audience
from apps.channels import selectors as accounts
from apps.channels.prices import Rate, Tariff, tariff
from apps.core.enums import Category, Channel, KeyMode
from apps.core.types import Account
from apps.ledger.units import Units, units_between, units_of_notification, units_of_run

WITHIN_MS = 4_000
_ONE = Parts()


@dataclass(frozen=True, slots=True)
class Line:
    """`messages` on a channel to a place. `each`: what one costs at most, on average of the texts."""

    channel: str
    place: str
    messages: int
    low: int
    high: int
    each: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """`people`: whom the audience describes. `unpriced`: channels with messages whose price nobody has said. `is_exact`: the people were
    counted, not guessed. `parts`: of an SMS."""

    people: int
    low: int
    high: int
    currency: str
    lines: tuple[Line, ...]
    unpriced: tuple[str, ...] = ()
    is_exact: bool = True
    parts: Parts = _ONE

    @property
    def text(self) -> str:
        return money.span(self.low, self.high, self.currency)

    @property
    def by_channel(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for line in self.lines:
            low, high = found.get(line.channel, (0, 0))
            found[line.channel] = low + line.low, high + line.high
        return found

    def as_json(self) -> dict[str, Any]:
        """What `Run.estimate` holds."""
        return asdict(self)


def estimate(
    *,
    tenant_id: UUID,
    campaign_id: UUID,
    definition: Mapping[str, Any],
    currency: str,
    now: datetime,
    within_ms: int = WITHIN_MS,
    people: Count | None = None,
) -> Estimate:
    """`definition`: definitions.snapshot. `people`: where they were counted already. What has no price is not looked at any closer."""
    condition = condition_of_audience(tenant_id, definition["audience"] or {}, now)
    if condition is None:
        return Estimate(0, 0, 0, currency, ())
    channels = [Channel(channel) for channel in definition["channels"]]
    prices = tariff(tenant_id, currency)
    is_billed = definition["mode"] != KeyMode.TEST
    priced = [channel for channel in channels if is_billed and prices.has_prices(channel, now)]
    unpriced = tuple(c.value for c in (Channel.SMS,) if is_billed and c in channels and c not in priced)
    people = people or count(tenant_id, condition, within_ms=within_ms)
    if not priced:
        return Estimate(people.number, 0, 0, currency, (), unpriced, people.is_exact)
    messages, is_exact = _messages(tenant_id, condition, definition, priced, now, within_ms)
    parts = _ONE
    if Channel.SMS in priced:
        parts = parts_of_texts(
            tenant_id=tenant_id,
            campaign_id=campaign_id,
            definition=definition,
            condition=condition,
            people=people.number,
        )
    by_channel = {c: accounts.accounts_for(tenant_id, KeyMode(definition["mode"]), c) for c in priced}
    lines, open_ = priced_lines(messages, {Channel.SMS: parts}, prices, by_channel, now)
    low, high = sum(line.low for line in lines), sum(line.high for line in lines)
    lacking = tuple(dict.fromkeys((*unpriced, *open_)))
    return Estimate(people.number, low, high, currency, lines, lacking, is_exact and people.is_exact, parts)


def estimate_of_run(run: Run, now: datetime) -> dict[str, Any]:
    """What `Run.estimate` holds, once its audience is counted: what budgets reserve by (charges), and the cost is measured against."""
    found = estimate(
        tenant_id=run.tenant_id,
        campaign_id=run.campaign_id,
        definition=run.definition,
        currency=policy_of(run.tenant_id).currency,
        now=now,
        people=Count(run.audience_size or 0, True),
    )
    return found.as_json()


def priced_lines(
    messages: Mapping[tuple[Channel, str], int],
    parts: Mapping[Channel, Parts],
    prices: Tariff,
    by_channel: Mapping[Channel, Sequence[Account]],
    now: datetime,
) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """With the channels of which something has no price. Pure. Of several accounts the cheapest and the dearest make the span."""
    lines, unpriced = [], []
    for (channel, place), number in sorted(messages.items(), key=lambda item: (item[0][0].value, -item[1], item[0][1])):
        rates = [
            prices.rate(channel, at=now, provider=account.provider, account=account.key, place=place)
            for account in by_channel.get(channel, ())
        ] or [prices.rate(channel, at=now, place=place)]
        known = [rate for rate in rates if rate is not None]
        if len(known) < len(rates):
            unpriced.append(channel.value)
        length = parts.get(channel, _ONE)
        low = min((rate.low for rate in known), default=0)
        high = max((rate.high for rate in known), default=0)
        each = ceil(high * length.high)
        lines.append(Line(channel.value, place, number, round(number * low * length.low), number * each, each))
    return tuple(lines), tuple(dict.fromkeys(unpriced))


def charges(estimate: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Of `Run.estimate`: what a message costs at most, by channel and place; `(channel, "")`: anywhere else, the dearest. Micros."""
    found: dict[tuple[str, str], int] = {}
    for line in estimate.get("lines") or ():
        found[line["channel"], line["place"]] = line["each"]
        found[line["channel"], ""] = max(found.get((line["channel"], ""), 0), line["each"])
    return found


def _messages(
    tenant_id: UUID,
    condition: Condition,
    definition: Mapping[str, Any],
    priced: Sequence[Channel],
    now: datetime,
    within_ms: int,
) -> tuple[dict[tuple[Channel, str], int], bool]:
    """By channel and place, less whom preferences, suppressions, caps and the holdout leave out."""
    places, is_exact = reachable_by_place(tenant_id, condition, priced, within_ms=within_ms)
    reached = funnel(
        tenant_id,
        condition,
        channels=priced,
        category=Category(definition["category"]),
        event_type=definition.get("event_type", ""),
        now=now,
        within_ms=within_ms,
    )
    shares, told = _shares(reached), 1 - (definition.get("holdout") or 0) / 100
    if Channel.IN_APP in priced:
        places[Channel.IN_APP, ""] = reached.matched
    found = {key: round(number * shares[key[0]] * told) for key, number in places.items()}
    return {key: number for key, number in found.items() if number}, is_exact and reached.is_exact


def _shares(reached: Funnel) -> dict[Channel, float]:
    return {one.channel: one.under_caps / one.has_address if one.has_address else 0.0 for one in reached.channels}


@dataclass(frozen=True, slots=True)
class CostLine:
    """What providers took by way of an account. `run_id`: of a campaign; None: of none."""

    channel: str
    account: str
    place: str
    run_id: UUID | None
    messages: int
    parts: int
    low: int
    high: int
    is_priced: bool


@dataclass(frozen=True, slots=True)
class Cost:
    currency: str
    lines: tuple[CostLine, ...]

    @property
    def low(self) -> int:
        return sum(line.low for line in self.lines)

    @property
    def high(self) -> int:
        return sum(line.high for line in self.lines)

    @property
    def text(self) -> str:
        return money.span(self.low, self.high, self.currency)


def actual(run: Run, *, currency: str) -> Cost:
    """Of a run so far. Two queries, one of them over the run's deliveries."""
    prices = tariff(run.tenant_id, currency)
    changes = prices.changes
    found = units_of_run(tenant_id=run.tenant_id, run_id=run.id, stamp=run.stamp, changes=changes)
    return priced_units(found, prices)


def spent_between(*, tenant_id: UUID, first: datetime, last: datetime, currency: str) -> Cost:
    """Of everything the tenant sent in [first, last), campaigns or not."""
    prices = tariff(tenant_id, currency)
    found = units_between(tenant_id=tenant_id, first=first, last=last, changes=prices.changes)
    return priced_units(found, prices)


def of_notification(*, tenant_id: UUID, notification_id: UUID, currency: str) -> Cost:
    prices = tariff(tenant_id, currency)
    found = units_of_notification(tenant_id=tenant_id, notification_id=notification_id, changes=prices.changes)
    return priced_units(found, prices)


def together(costs: Sequence[Cost], currency: str) -> Cost:
    return Cost(currency, tuple(line for cost in costs for line in cost.lines))


def priced_units(units: Iterable[Units], prices: Tariff) -> Cost:
    """Parts times the price of their time. In order of what they cost most."""
    lines, changes = [], prices.changes
    for unit in units:
        rate = _rate_of(unit, prices, changes)
        low, high = (rate.low * unit.parts, rate.high * unit.parts) if rate else (0, 0)
        where = unit.channel, unit.account, unit.place, unit.broadcast_id
        lines.append(CostLine(*where, unit.messages, unit.parts, low, high, rate is not None))
    return Cost(prices.currency, tuple(sorted(lines, key=lambda x: (-x.high, x.channel, x.account, x.place))))


def _rate_of(unit: Units, prices: Tariff, changes: Sequence[datetime]) -> Rate | None:
    if not unit.period:
        return None
    account = accounts.account_by_key(unit.account)
    return prices.rate(
        unit.channel,
        at=changes[unit.period - 1],
        provider=account.provider if account else "",
        account=unit.account,
        place=unit.place,
    )
