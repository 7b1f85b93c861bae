"""What to do with fires whose time has come, late ones included, by the policy of the schedule. Pure.

A fire is missed when it is later than GRACE: nobody was there to fire it. One that is in time always fires.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core.enums import Worded
from apps.schedules.timing import Fire

GRACE = timedelta(seconds=60)
MOST_COUNTED = 10_000
MOST_MADE_UP = 100


class Missed(Worded):
    SKIP = "skip", "Leave them out; go on with the next."
    ONCE = "once", "Fire once for all of them together."
    ALL = "all", "Fire the latest of them, oldest first, up to the limit; leave out the rest."


@dataclass(frozen=True, slots=True)
class Verdict:
    """`skipped`: how many are left out, from `first` to `last`; `fire`: the one to fire now; None: none, go on after `last`."""

    fire: Fire | None
    skipped: int = 0
    first: Fire | None = None
    last: Fire | None = None


def judge(due: Iterable[Fire], now: datetime, policy: Missed, limit: int) -> Verdict | None:
    """`due`: in order, may be endless; what is later than `now` is not looked at. None: nothing is due.

    One fire at a time: whatever else is due comes with the next look. More than MOST_COUNTED: so many are left out, and the rest is looked
    at next time."""
    keep = {Missed.SKIP: 0, Missed.ONCE: 1, Missed.ALL: limit}[policy]
    tail: deque[Fire] = deque()
    skipped, first, last = 0, None, None
    in_time = None
    for number, fire in enumerate(due):
        if fire.at > now:
            break
        if number == MOST_COUNTED:
            return Verdict(None, skipped + len(tail), first or tail[0], tail[-1] if tail else last)
        if fire.at >= now - GRACE:
            in_time = fire
            break
        tail.append(fire)
        if len(tail) > keep:
            last = tail.popleft()
            first = first or last
            skipped += 1
    if policy is Missed.ONCE and in_time is not None and tail:
        # it speaks for those before it
        last = tail.popleft()
        first = first or last
        skipped += 1
    chosen = tail[0] if tail else in_time
    if chosen is None and not skipped:
        return None
    return Verdict(chosen, skipped, first, last)
