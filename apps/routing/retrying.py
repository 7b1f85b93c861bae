"""What follows a provider's answer, and when: pure functions of the outcome, the work so far and a random number.

The schedule is data. Default: 6 attempts in about 20 minutes; critical tries fast and gives up sooner.
"""

from datetime import timedelta

import msgspec
from msgspec.structs import replace

from apps.core.enums import Category, Channel, DeliveryStatus, OutcomeKind, Reason
from apps.core.types import Outcome

SCHEDULE: dict[tuple[Category | None, Channel | None], tuple[int, ...]] = {
    (None, None): (5, 25, 120, 350, 700),
    (Category.CRITICAL, None): (1, 3, 10, 30, 90),
    (Category.CRITICAL, Channel.EMAIL): (2, 10, 60, 240, 600),
    (Category.MARKETING, None): (30, 300, 1200),
}
"""Seconds between attempts by (lane, channel); the most specific entry counts. n delays are n + 1 attempts."""

DOWN_FIRST, DOWN_MOST = 1.0, 60.0
THROTTLED_FIRST, THROTTLED_MOST = 1.0, 300.0
JITTER = 0.2
# a longer pause than this is not waited for where another account is at hand
WORTH_WAITING = 10.0
GIVE_UP_AFTER = timedelta(hours=24)


class Progress(msgspec.Struct, frozen=True):
    """`tries`: attempts burned before this one; `calls`: calls made before it; `age`: since the work was first due. `has_other`: another
    account could take it now. `is_soft`: what is misconfigured concerns this message's country or sender, not the account."""

    lane: Category
    channel: Channel
    tries: int
    calls: int
    age: timedelta
    has_other: bool = False
    is_soft: bool = False


class Step(msgspec.Struct, frozen=True):
    """`status`: what the delivery becomes (None: stays). `again_in`: when the work is due again (None: it is over)."""

    status: DeliveryStatus | None
    reason: Reason | None = None
    again_in: timedelta | None = None
    is_burned: bool = False
    is_dead: bool = False
    retires_endpoint: bool = False
    suppresses: bool = False
    switches_account_off: bool = False


def delays(lane: Category, channel: Channel) -> tuple[int, ...]:
    for key in ((lane, channel), (lane, None), (None, channel), (None, None)):
        if key in SCHEDULE:
            return SCHEDULE[key]
    raise KeyError((lane, channel))


def retry_budget() -> timedelta:
    """The longest time that retries of one delivery may take: idempotency keys must live longer."""
    return max(GIVE_UP_AFTER, *(timedelta(seconds=sum(d) * (1 + JITTER)) for d in SCHEDULE.values()))


def next_step(outcome: Outcome, progress: Progress, chance: float) -> Step:
    """`chance`: a random number in [0, 1), for jitter."""
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return Step(DeliveryStatus.SENT)
        case OutcomeKind.INVALID_ADDRESS:
            return Step(DeliveryStatus.FAILED, Reason.INVALID_ADDRESS, retires_endpoint=True)
        case OutcomeKind.OPTED_OUT:
            return Step(DeliveryStatus.FAILED, Reason.OPTED_OUT, suppresses=True)
        case OutcomeKind.REJECTED:
            return Step(DeliveryStatus.FAILED, Reason.REJECTED, is_dead=True)
        case OutcomeKind.AMBIGUOUS:
            return Step(DeliveryStatus.UNKNOWN, Reason.IN_DOUBT)
        case OutcomeKind.TRANSIENT:
            return _burn(progress, chance)
        case OutcomeKind.THROTTLED:
            least = outcome.retry_after or 0.0
            if progress.has_other and (progress.lane == Category.CRITICAL or least > WORTH_WAITING):
                return _move_on(progress)
            return _wait(progress, max(least, _doubling(progress, THROTTLED_FIRST, THROTTLED_MOST)), chance)
        case OutcomeKind.PROVIDER_DOWN if progress.has_other:
            return _move_on(progress)
        case OutcomeKind.PROVIDER_DOWN:
            return _wait(progress, _doubling(progress, DOWN_FIRST, DOWN_MOST), chance)
        case OutcomeKind.MISCONFIGURED:
            return _after_misconfigured(progress, chance)


def _after_misconfigured(progress: Progress, chance: float) -> Step:
    if progress.is_soft and not progress.has_other:
        return Step(DeliveryStatus.FAILED, Reason.MISCONFIGURED, is_dead=True)
    step = _move_on(progress) if progress.has_other else _wait(progress, DOWN_MOST, chance)
    return replace(step, switches_account_off=not progress.is_soft)


def _move_on(progress: Progress) -> Step:
    """To the next account, at once and unburned."""
    return _wait(progress, 0.0, 0.0)


def _burn(progress: Progress, chance: float) -> Step:
    planned = delays(progress.lane, progress.channel)
    if progress.tries >= len(planned):
        return Step(DeliveryStatus.FAILED, Reason.RETRIES_EXHAUSTED, is_dead=True)
    delay = planned[progress.tries] * (1 + JITTER * (2 * chance - 1))
    return Step(None, again_in=timedelta(seconds=delay), is_burned=True)


def _wait(progress: Progress, seconds: float, chance: float) -> Step:
    if progress.age >= GIVE_UP_AFTER:
        return Step(DeliveryStatus.FAILED, Reason.RETRIES_EXHAUSTED, is_dead=True)
    return Step(None, again_in=timedelta(seconds=seconds * (1 + JITTER * chance)))


def _doubling(progress: Progress, first: float, most: float) -> float:
    unburned = progress.calls - progress.tries
    return float(min(most, first * 2 ** min(unburned, 20)))
