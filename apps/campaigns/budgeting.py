"""What campaigns may still spend: their own budgets, and the tenant's for each channel and day (UTC).

`reserve` is called once for each page, in the transaction that writes it: what it sets aside stands or falls with the page. Two workers
wait for each other on the rows of a limit, so the sum never passes it. A channel without a limit costs no row and no wait.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import accumulate
from typing import Any, Final
from uuid import UUID

from apps.campaigns import money
from apps.campaigns.models import Campaign, Policy, Run, Spending
from apps.core.rows import fetch

_EVER: Final = date(1970, 1, 1)
_LOCK = """
INSERT INTO campaigns_spending AS s (tenant_id, subject_id, channel, day, micros)
SELECT %(tenant)s, w.subject, w.channel, w.day, 0
FROM unnest(%(subjects)s::uuid[], %(channels)s::text[], %(days)s::date[]) AS w (subject, channel, day)
ORDER BY w.subject, w.channel, w.day
ON CONFLICT (tenant_id, subject_id, channel, day) DO UPDATE SET micros = s.micros
RETURNING s.subject_id, s.channel, s.day, s.micros
"""
_SPEND = """
UPDATE campaigns_spending AS s SET micros = s.micros + w.micros
FROM unnest(%(subjects)s::uuid[], %(channels)s::text[], %(days)s::date[], %(micros)s::bigint[]) AS w (subject, channel, day, micros)
WHERE s.tenant_id = %(tenant)s AND s.subject_id = w.subject AND s.channel = w.channel AND s.day = w.day
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """`channel` empty: all of them, over the campaign's whole life."""

    subject_id: UUID
    channel: str
    day: date
    micros: int
    currency: str
    is_own: bool

    @property
    def key(self) -> tuple[UUID, str, date]:
        return self.subject_id, self.channel, self.day

    @property
    def sentence(self) -> str:
        amount = money.words(self.micros, self.currency)
        if not self.channel:
            return f"The campaign's budget of {amount} is used up."
        whose = "The campaign's" if self.is_own else "The"
        return f"{whose} budget for {self.channel} of {self.day.isoformat()}, {amount}, is used up."


@dataclass(frozen=True, slots=True)
class Granted:
    """`allowed`: by channel, how many of the wanted messages, from the first. The rest is withheld with Reason.OVER_BUDGET. `sentence`:
    why there is a rest; the run pauses with it. Empty where everything was allowed."""

    allowed: Mapping[str, int]
    sentence: str = ""


def reserve(*, tenant_id: UUID, run_id: UUID, wanted: Mapping[str, Sequence[int]], now: datetime) -> Granted:
    """`wanted`: by channel, what each message of the page costs at most, in micros (costing.charges), in the page's order.

    One query where no limit is set; three otherwise. Must be called inside a transaction.
    """
    channels = sorted(channel for channel, costs in wanted.items() if any(costs))
    limits = _limits_of_run(tenant_id, run_id, channels, now) if channels else ()
    if not limits:
        return Granted({channel: len(costs) for channel, costs in wanted.items()})
    left = _locked(tenant_id, limits)
    allowed, spent, sentence = {c: len(costs) for c, costs in wanted.items()}, dict.fromkeys(left, 0), ""
    for channel in channels:
        sums = list(accumulate(wanted[channel]))
        mine = [limit for limit in limits if limit.channel in ("", channel)]
        tightest = min(mine, key=lambda limit: left[limit.key], default=None)
        if tightest is None:
            continue
        count = bisect_right(sums, left[tightest.key])
        if count < len(sums):
            sentence = sentence or tightest.sentence
        allowed[channel] = count
        for limit in mine:
            left[limit.key] -= sums[count - 1] if count else 0
            spent[limit.key] += sums[count - 1] if count else 0
    _spend(tenant_id, spent)
    return Granted(allowed, sentence)


def limits_of(*, policy: Policy, campaign: Campaign, channels: Sequence[str], now: datetime) -> tuple[Limit, ...]:
    """Those that hold for these channels today. A campaign's `budget`: {"total": micros, channel: micros a day}."""
    day, budget, found = now.astimezone(UTC).date(), campaign.budget or {}, []
    if (total := budget.get("total")) is not None:
        found.append(Limit(campaign.id, "", _EVER, int(total), policy.currency, True))
    for channel in channels:
        if (cap := budget.get(channel)) is not None:
            found.append(Limit(campaign.id, channel, day, int(cap), policy.currency, True))
        if (cap := (policy.day_budgets or {}).get(channel)) is not None:
            found.append(Limit(campaign.tenant_id, channel, day, int(cap), policy.currency, False))
    return tuple(found)


def spent(tenant_id: UUID, limits: Sequence[Limit]) -> dict[Limit, int]:
    """What was set aside under each of them so far."""
    rows = Spending.objects.of(tenant_id).filter(subject_id__in={limit.subject_id for limit in limits})
    known = {(row.subject_id, row.channel, row.day): row.micros for row in rows.filter(day__in={x.day for x in limits})}
    return {limit: known.get(limit.key, 0) for limit in limits}


def policy_of(tenant_id: UUID) -> Policy:
    """The tenant's, or what holds where nobody has set one (not saved)."""
    found: Policy | None = Policy.objects.of(tenant_id).first()
    return found or Policy(tenant_id=tenant_id)


def _limits_of_run(tenant_id: UUID, run_id: UUID, channels: Sequence[str], now: datetime) -> tuple[Limit, ...]:
    run: Run = (
        Run.objects.of(tenant_id)
        .select_related("campaign")
        .only("campaign__budget", "campaign__tenant_id")
        .get(id=run_id)
    )
    return limits_of(policy=policy_of(tenant_id), campaign=run.campaign, channels=channels, now=now)


def _locked(tenant_id: UUID, limits: Sequence[Limit]) -> dict[tuple[UUID, str, date], int]:
    """What is left of each; the rows are locked in one order."""
    caps = {limit.key: limit.micros for limit in limits}
    rows = fetch(_LOCK, {"tenant": tenant_id, **_columns(caps)})
    return {(subject, channel, day): caps[subject, channel, day] - micros for subject, channel, day, micros in rows}


def _spend(tenant_id: UUID, spent: Mapping[tuple[UUID, str, date], int]) -> None:
    taken = {key: micros for key, micros in spent.items() if micros}
    if taken:
        fetch(_SPEND, {"tenant": tenant_id, **_columns(taken), "micros": list(taken.values())})


def _columns(keys: Mapping[tuple[UUID, str, date], int]) -> dict[str, list[Any]]:
    return {
        "subjects": [subject for subject, _, _ in keys],
        "channels": [channel for _, channel, _ in keys],
        "days": [day for _, _, day in keys],
    }
