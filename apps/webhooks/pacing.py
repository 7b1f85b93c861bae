"""How often, how many at once, for how long: the numbers, and what follows from them. Pure."""

from datetime import datetime, timedelta

QUEUE = "webhooks"
# the schedule of Standard Webhooks, in seconds after each failure: ten tries in three days and a bit
WAITS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# a try comes up to a tenth later than planned, so that what failed together does not come back together
JITTER = 0.1
LONGEST_WAIT = 86_400.0
OFF_AFTER = timedelta(days=5)
GONE = 410

CONNECT_SECONDS, TOTAL_SECONDS = 3.0, 15.0
ANSWER_BYTES = 16 * 1024
# longer than any call can take, with the time to write down how it went
LEASE = timedelta(seconds=45)

# calls at a time of one process: for endpoints whose last answer was a quick yes, and for all others
PROVEN_SLOTS, OTHER_SLOTS = 16, 48
# of one endpoint, whatever the number of processes
AT_ONCE_PROVEN, AT_ONCE_OTHER = 8, 1
QUICK_SECONDS, SLOW_SECONDS = 2.0, 5.0

KEPT = timedelta(days=30)


def wait_after(tries: int, asked: float | None, chance: float) -> float | None:
    """Seconds until the next try after `tries` failures; None: it was the last. `asked`: what Retry-After said; `chance`: 0 to 1."""
    if tries > len(WAITS):
        return None
    planned = WAITS[tries - 1] * (1 + JITTER * chance)
    return min(max(planned, asked or 0.0), LONGEST_WAIT * (1 + JITTER))


def is_quick(is_success: bool, seconds: float, was_quick: bool) -> bool:
    """Whether an endpoint counts as proven after this answer. Between quick and slow it stays what it was."""
    if not is_success or seconds > SLOW_SECONDS:
        return False
    return seconds <= QUICK_SECONDS or was_quick


def is_hopeless(failing_since: datetime | None, now: datetime) -> bool:
    return failing_since is not None and now - failing_since >= OFF_AFTER
