"""How fast an account may be called: shared buckets for the account, for a sender, for a recipient's domain, for a young sender.

An account's rate is the least of its setting `rate`, what the provider reports, and what throttling has left of it (breaking.py).
Everything but critical takes at most BULK_SHARE of it. What does not fit is told how long to wait, one after another, so that it
comes back when there are tokens for it. Redis away: each process takes its share of the rates, by how many there were.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, inf
from typing import Any

from apps.channels import health
from apps.channels.breaking import Record, number
from apps.core import clock
from apps.core.buckets import Bucket, Verdict, most_at_once, take
from apps.core.enums import Category
from apps.core.types import Account

BULK_SHARE = 0.8
DAY = 86_400.0
LONGEST_WAIT = 3_600.0
# of a day's limit at once
WARM_UP_BURST = 1 / 24
ANY_DOMAIN = "*"


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that is about to be sent. `domain`: of the recipient's address, in lower case; empty where it is no mail."""

    category: Category
    sender: str
    domain: str = ""


def admit(account: Account, record: Record, asked: Sequence[Asked]) -> list[float]:
    """For each message the seconds it must wait; 0: it may go now, its tokens are taken."""
    waits = [0.0] * len(asked)
    groups: dict[Asked, list[int]] = {}
    for place, one in enumerate(asked):
        groups.setdefault(_narrowed(account, one), []).append(place)
    for one, places in sorted(groups.items(), key=lambda group: group[0].category != Category.CRITICAL):
        if buckets := list(_buckets(account, record, one, health.now())):
            granted, wait = draw(buckets, len(places))
            wait = max(wait, 0.001)
            for place in places[granted:]:
                waits[place] = min(LONGEST_WAIT, wait)
                wait += 1 / _pace(account, record, one, health.now() + wait)
    return waits


def draw(buckets: Sequence[Bucket], wanted: int) -> tuple[int, float]:
    """As many tokens as there are, up to `wanted` (1 or more), the same from each bucket; and the seconds until there is one more."""
    left = min(wanted, *(most_at_once(bucket) for bucket in buckets))
    while True:
        verdict = take(buckets, left)
        if verdict.is_allowed:
            return left, _until_one(buckets, verdict)
        left = min(left - 1, *(level.remaining for level in verdict.levels))
        if left < 1:
            return 0, _until_one(buckets, verdict)


def _until_one(buckets: Sequence[Bucket], verdict: Verdict) -> float:
    waits = (
        level.reset - (bucket.burst - 1) / bucket.rate for level, bucket in zip(verdict.levels, buckets, strict=True)
    )
    return max(0.0, *waits)


def rate_of(account: Account, record: Record, now: float) -> float:
    """Messages a second; 0: no limit."""
    limits = [limit for limit in (account.rate, record.reported, record.ceiling(now)) if limit > 0]
    return min(limits, default=0.0)


def day_limit(settings: Mapping[str, Any], today: date) -> float | None:
    """Marketing messages that a young sender may send today: `{"from": "2026-11-01", "start": 50, "factor": 1.5}`. None: no limit."""
    plan = settings.get("warm_up")
    problem = warm_up_problem(plan)
    if not plan or problem:
        return None
    days = (today - date.fromisoformat(plan["from"])).days
    return float(plan["start"]) * float(plan.get("factor", 1.5)) ** min(max(days, 0), 60)


def warm_up_problem(plan: Any) -> str:
    """What is wrong with the setting, in a sentence; empty when nothing is."""
    sentence = 'warm_up is {"from": a date, "start": messages on the first day, "factor": from day to day, 1 to 10}.'
    if not plan:
        return ""
    try:
        date.fromisoformat(plan["from"])
        is_right = float(plan["start"]) >= 1 and 1 <= float(plan.get("factor", 1.5)) <= 10
    except (KeyError, TypeError, ValueError):
        return sentence
    return "" if is_right else sentence


def domain_rates_problem(rates: Any) -> str:
    """The same for `domain_rates`."""
    is_right = isinstance(rates, dict) and all(
        isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate <= 1_000_000
        for rate in rates.values()
    )
    return "" if is_right or rates is None else 'domain_rates is {"gmail.com": 20, "*": 50}: messages a second.'


def _narrowed(account: Account, one: Asked) -> Asked:
    """Without what no limit of the account asks for, so that few groups remain."""
    rates = account.settings.get("domain_rates") or {}
    rates = {} if domain_rates_problem(rates) else rates
    sender = one.sender if number(account.settings, "sender_rate") else ""
    return Asked(one.category, sender, one.domain if one.domain in rates or ANY_DOMAIN in rates else "")


def _pace(account: Account, record: Record, one: Asked, at: float) -> float:
    """Messages a second by then: an account that was throttled is called ever faster."""
    return min((bucket.rate for bucket in _buckets(account, record, one, at)), default=inf)


def _buckets(account: Account, record: Record, one: Asked, at: float) -> Iterator[Bucket]:
    name, settings = f"limit:{account.key}", account.settings
    alone = 1 / health.processes()
    if rate := rate_of(account, record, at):
        burst = number(settings, "burst") or rate
        yield _bucket(name, rate, burst, alone)
        if one.category != Category.CRITICAL:
            yield _bucket(f"{name}:bulk", rate * BULK_SHARE, burst * BULK_SHARE, alone)
    if one.sender and (rate := number(settings, "sender_rate")):
        yield _bucket(f"{name}:from:{one.sender}", rate, rate, alone)
    if one.domain:
        rates = settings["domain_rates"]
        rate = float(rates.get(one.domain) or rates[ANY_DOMAIN])
        yield _bucket(f"{name}:to:{one.domain}", rate, rate, alone)
    if one.category == Category.MARKETING and (most := day_limit(settings, clock.now().date())) is not None:
        burst = max(1, int(most * WARM_UP_BURST))
        yield _bucket(f"{name}:warm-up", max(most - burst, 1.0) / DAY, burst, alone)


def _bucket(key: str, rate: float, burst: float, alone: float) -> Bucket:
    return Bucket(key, rate, max(1, ceil(burst)), alone)
