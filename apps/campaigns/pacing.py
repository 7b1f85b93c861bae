"""How fast a run goes, and when it will have ended. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

WINDOW: Final = 60.0
STALE: Final = 90.0
Sample = Sequence[float]
"""Epoch seconds, people read, people whose messages have ended."""


@dataclass(frozen=True, slots=True)
class Left:
    """People of a wave that are not read yet. `due_at` None: nobody knows when their turn comes."""

    people: int
    due_at: datetime | None


def rate(samples: Sequence[Sample], now: datetime) -> float:
    """People whose messages ended, a second: over the last WINDOW seconds of the samples. 0 while nobody counts."""
    if len(samples) < 2 or now.timestamp() - samples[-1][0] > STALE:
        return 0.0
    last = samples[-1]
    first = next(one for one in samples if last[0] - one[0] <= WINDOW)
    if first is last:
        first = samples[-2]
    seconds = last[0] - first[0]
    return max(0.0, (last[2] - first[2]) / seconds) if seconds > 0 else 0.0


def ends_at(left: Iterable[Left], open_people: int, speed: float, now: datetime) -> datetime | None:
    """When the last message will have ended at that speed (people a second): what is due goes one after another, a wave to come begins when
    it is due. None: nobody knows."""
    waiting = sorted(
        (one for one in left if one.people), key=lambda one: one.due_at or datetime.max.replace(tzinfo=UTC)
    )
    if any(one.due_at is None for one in waiting) or ((waiting or open_people) and speed <= 0):
        return None
    at = now + timedelta(seconds=open_people / speed) if open_people else now
    for one in waiting:
        assert one.due_at is not None
        at = max(at, one.due_at) + timedelta(seconds=one.people / speed)
    return at


def sparkline(samples: Sequence[Sample], bars: int = 30) -> list[float]:
    """People a second between the samples, the newest last, in percent of the fastest."""
    speeds = [
        max(0.0, (after[2] - before[2]) / (after[0] - before[0]))
        for before, after in pairwise(samples)
        if after[0] > before[0]
    ][-bars:]
    fastest = max(speeds, default=0.0)
    return [100 * speed / fastest for speed in speeds] if fastest else []


def duration(span: timedelta) -> str:
    """`40 s`, `3 min`, `1 h 37 min`, `2 d 4 h`."""
    seconds = max(0, round(span.total_seconds()))
    for size, unit, smaller, name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min")):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{round(seconds / 60)} min" if seconds >= 90 else f"{seconds} s"
