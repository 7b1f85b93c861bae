"""What to do with fires whose time has come, late ones included, by the policy of the schedule. Pure.

A fire is missed when it is later than GRACE, or later than SLACK and another one has come since: nobody was there to fire it. One that is
in time always fires; workers that are behind are no outage.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core.enums import Worded
from apps.schedules.timing import Fire

SLACK = timedelta(minutes=1)
GRACE = timedelta(minutes=15)
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
    late = _Late({Missed.SKIP: 0, Missed.ONCE: 1, Missed.ALL: limit}[policy])
    latest: Fire | None = None
    for number, fire in enumerate(due):
        if fire.at > now:
            break
        if latest is not None:
            late.add(latest)
        if number == MOST_COUNTED:
            return Verdict(None, *late.none())
        latest = fire
        if fire.at >= now - SLACK:
            break
    if latest is not None and latest.at < now - GRACE:
        late.add(latest)
        latest = None
    if policy is Missed.ONCE and latest is not None:
        # it speaks for those before it
        return Verdict(latest, *late.none())
    if not late.kept:
        return None if latest is None and not late.skipped else Verdict(latest, late.skipped, late.first, late.last)
    return Verdict(late.kept[0], late.skipped, late.first, late.last)


class _Late:
    """Missed fires: the last `most` are kept, the others are left out."""

    def __init__(self, most: int) -> None:
        self.kept: deque[Fire] = deque()
        self.skipped = 0
        self.first: Fire | None = None
        self.last: Fire | None = None
        self._most = most

    def add(self, fire: Fire) -> None:
        self.kept.append(fire)
        if len(self.kept) > self._most:
            self._leave_out(self.kept.popleft())

    def none(self) -> tuple[int, Fire | None, Fire | None]:
        """All of them are left out."""
        while self.kept:
            self._leave_out(self.kept.popleft())
        return self.skipped, self.first, self.last

    def _leave_out(self, fire: Fire) -> None:
        self.first, self.last = self.first or fire, fire
        self.skipped += 1
