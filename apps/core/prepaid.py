"""Rate limits for callers that ask all the time: a process that was asked a moment ago takes a small share of the burst at once
(buckets.py) and gives it out itself. It never gives out more than was taken; what it has not given out when the time is over
is lost, at most SHARE of a burst every KEPT_SECONDS.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from time import monotonic

from apps.core import buckets
from apps.core.buckets import Bucket, Verdict

SHARE = 1 / 200
MOST = 50
KEPT_SECONDS = 0.2
BUSY_SECONDS = 0.05
MOST_KEPT = 1_000


@dataclass(slots=True)
class _Kept:
    asked_at: float
    until: float
    left: int
    verdict: Verdict


_kept: dict[str, _Kept] = {}
_lock = Lock()


def take(asked: Sequence[Bucket], cost: int) -> Verdict:
    """As buckets.take."""
    now = monotonic()
    ahead = min(MOST, int(min(bucket.burst for bucket in asked) * SHARE))
    name = asked[0].key
    with _lock:
        kept = _kept.get(name)
        if kept is not None and kept.left >= cost and now < kept.until:
            kept.left -= cost
            return _with(kept.verdict, kept.left)
    is_busy = kept is not None and now - kept.asked_at < BUSY_SECONDS and ahead > cost
    verdict = buckets.take(asked, cost + ahead) if is_busy else buckets.take(asked, cost)
    if is_busy and not verdict.is_allowed:
        is_busy, verdict = False, buckets.take(asked, cost)
    with _lock:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        others = _kept.get(name)
        left = others.left if others is not None and now < others.until else 0
        left += ahead if is_busy else 0
        _kept[name] = _Kept(now, now + KEPT_SECONDS, left, verdict)
    return _with(verdict, left) if left else verdict


def _with(verdict: Verdict, left: int) -> Verdict:
    """What is left is what the bucket has and what was taken ahead."""
    return replace(verdict, levels=tuple(replace(level, remaining=level.remaining + left) for level in verdict.levels))
