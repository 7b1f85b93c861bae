"""Which variant is better, and whether that is known yet. Pure.

Each variant's rate is unknown between 0 and 1; before anything was seen every rate is as likely as any other (a beta distribution of 1, 1),
and what was seen narrows it. The probability to be the best is the integral over what one rate may be, times the chance that all others
are lower. The winner is chosen by itself only where that is at least 95 in 100.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import ceil, exp, lgamma, log, log1p, sqrt
from typing import Final

from apps.campaigns.intervals import Interval, wilson

SURE: Final = 0.95
STEPS: Final = 2_000
_FAR: Final = 9.0
"""Standard deviations; what is further out is nothing."""
_ALPHA_BETA: Final = 1.96 + 0.8416
"""A difference found nineteen times in twenty where there is none, and four times in five where there is one."""


class Metric(StrEnum):
    """OPENED: by people; what machines open does not count. DELIVERED: and nobody opted out because of it."""

    OPENED = "opened"
    CLICKED = "clicked"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one variant: people it was sent to, and what they did. `opened`, `clicked`: not those of machines."""

    position: int
    sent: int
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0

    def successes(self, metric: Metric) -> int:
        found = {
            Metric.OPENED: self.opened,
            Metric.CLICKED: self.clicked,
            Metric.DELIVERED: self.delivered - self.unsubscribed,
        }[metric]
        return max(0, min(self.sent, found))


@dataclass(frozen=True, slots=True)
class Standing:
    """`rate` of `sent`, with the interval that it is in nineteen times in twenty; `best`: the probability that no other is better."""

    position: int
    sent: int
    successes: int
    rate: float
    interval: Interval
    best: float

    @property
    def shown_rate(self) -> str:
        return f"{100 * self.rate:.1f} %"

    @property
    def shown_interval(self) -> str:
        return f"{100 * self.interval.low:.1f} to {100 * self.interval.high:.1f} %"

    @property
    def shown_best(self) -> str:
        return _percent(self.best)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`winner`: a position; None: not known. `sentence`: for people."""

    standings: tuple[Standing, ...]
    winner: int | None
    sentence: str


def judge(seen: Sequence[Seen], metric: Metric, names: Sequence[str] = ()) -> Verdict:
    """`names`: by position; letters where there are none."""
    counts = [(one.successes(metric), one.sent) for one in seen]
    chances = best_of(counts)
    standings = tuple(
        Standing(one.position, one.sent, hits, hits / of if of else 0.0, wilson(hits, of), chance)
        for one, (hits, of), chance in zip(seen, counts, chances, strict=True)
    )
    first = max(standings, key=lambda standing: standing.best, default=None)
    if first is None or not any(one.sent for one in seen):
        return Verdict(standings, None, "Nobody has got it yet.")
    name = names[first.position] if first.position < len(names) else chr(65 + first.position)
    if len(standings) > 1 and first.best < SURE:
        return Verdict(
            standings,
            None,
            f"No clear winner: {name} is ahead with {first.shown_rate} {metric.value}, and that is more than chance only with"
            f" a probability of {_percent(first.best)}; {100 * SURE:.0f} % are asked for.",
        )
    return Verdict(
        standings,
        first.position,
        f"{name} wins: {first.shown_rate} {metric.value}, and with a probability of {_percent(first.best)} no other is better.",
    )


def best_of(counts: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    """(successes, of) each: the probabilities to be the best, which add up to 1. The same input gives the same answer."""
    if len(counts) <= 1:
        return (1.0,) * len(counts)
    shapes = [(hits + 1, of - hits + 1) for hits, of in counts]
    low, high = _span(shapes)
    width = (high - low) / STEPS
    # the cumulative share at the middle of each step: half of the step's own, and all before
    densities = [_densities(a, b, low, width) for a, b in shapes]
    below: list[list[float]] = []
    for density in densities:
        reached, column = 0.0, []
        for mass in density:
            column.append(reached + mass / 2)
            reached += mass
        below.append(column)
    found = [0.0] * len(counts)
    for place in range(len(counts)):
        for step in range(STEPS):
            chance = densities[place][step]
            if chance:
                for other in range(len(counts)):
                    if other != place:
                        chance *= below[other][step]
                found[place] += chance
    total = sum(found) or 1.0
    return tuple(one / total for one in found)


def enough_for(rate: float, *, lift: float = 0.1, share: float = 1.0) -> int:
    """People for each variant, so that a difference of `lift` (0.1: a tenth more) of that rate shows: a hint, not a rule. `share`: of
    the people a variant is tried on."""
    better = min(0.999, rate * (1 + lift))
    rate = min(max(rate, 0.0005), 0.998)
    if better <= rate:
        return 0
    spread = rate * (1 - rate) + better * (1 - better)
    return ceil(_ALPHA_BETA**2 * spread / (better - rate) ** 2 / share)


def _percent(chance: float) -> str:
    """Never 100 %: nothing is known for sure."""
    return "over 99.9 %" if chance > 0.999 else f"{100 * chance:.1f} %"


def _span(shapes: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Where all of the distributions are, but for nothing."""
    lows, highs = [], []
    for a, b in shapes:
        mean, spread = a / (a + b), sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
        lows.append(mean - _FAR * spread)
        highs.append(mean + _FAR * spread)
    return max(0.0, min(lows)), min(1.0, max(highs))


@lru_cache(maxsize=64)
def _densities(a: int, b: int, low: float, width: float) -> tuple[float, ...]:
    """Of each step, adding up to 1."""
    scale = lgamma(a + b) - lgamma(a) - lgamma(b)
    found = []
    for step in range(STEPS):
        x = low + (step + 0.5) * width
        found.append(exp(scale + (a - 1) * log(x) + (b - 1) * log1p(-x)) if 0.0 < x < 1.0 else 0.0)
    total = sum(found) or 1.0
    return tuple(one / total for one in found)
