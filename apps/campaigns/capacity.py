"""How long a campaign takes: the slowest of what it has to pass. Pure, but for the accounts' rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final
from uuid import UUID

from apps.campaigns import schedule_words
from apps.channels import selectors as accounts
from apps.core.enums import Channel, KeyMode

EXPANDED_PER_SECOND: Final = 10_000
"""People decided on, by one worker of the pool for campaigns (`make bench`, reference machine)."""
SENT_PER_SECOND: Final = 2_500
"""Messages handed over, by one sending worker, to a provider that is never in the way (`make bench`, reference machine)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`per_second` of messages on a channel; `by`: what sets it, in words."""

    channel: str
    messages: int
    per_second: float
    by: str

    @property
    def seconds(self) -> int:
        return ceil(self.messages / self.per_second) if self.messages else 0


@dataclass(frozen=True, slots=True)
class Finish:
    """`starts_at`, `ends_at`: of the first message and about of the last. `warning`: why not everybody gets it; empty: nothing known
    speaks against it."""

    starts_at: datetime
    ends_at: datetime
    paces: tuple[Pace, ...]
    sentence: str
    warning: str = ""


def accounts_pace(tenant_id: UUID, mode: KeyMode, channel: Channel, messages: int) -> Pace:
    """The rates of all accounts of the channel together; the workers', where one account has no limit."""
    found = accounts.accounts_for(tenant_id, mode, channel)
    rates = [account.rate for account in found]
    together = sum(rates)
    if found and all(rates) and together < SENT_PER_SECOND:
        return Pace(channel.value, messages, together, f"the rates of {', '.join(account.key for account in found)}")
    return Pace(channel.value, messages, float(SENT_PER_SECOND), "what one worker sends")


def finish_of(
    *,
    people: int,
    paces: Sequence[Pace],
    starts_at: datetime,
    throttle: int = 0,
    ramp: Sequence[float] = (),
    ramp_minutes: int = 0,
    last_wave: datetime | None = None,
    test: Mapping[str, Any] | None = None,
    expires_after: timedelta | None = None,
) -> Finish:
    """`last_wave`: when the last zone's begins; None: all begin together. An expiry counts from each wave's own beginning."""
    begun = last_wave or starts_at
    waits = timedelta(minutes=ramp_minutes * max(0, len(ramp) - 1))
    if test:
        waits += timedelta(minutes=test.get("wait_minutes", 0))
    limits = [("the workers", ceil(people / EXPANDED_PER_SECOND)), *((pace.by, pace.seconds) for pace in paces)]
    if throttle:
        limits.append((f"the throttle of {throttle:,} people a minute", ceil(people * 60 / throttle)))
    why, seconds = max(limits, key=lambda limit: limit[1])
    lasting = waits + timedelta(seconds=seconds)
    # waves overlap: a throttle and an account's rate hold for all of them together
    ends_at = max(begun + waits, starts_at + lasting)
    sentence = f"About {_span(ends_at - starts_at)} from the first message to the last; {why} set the pace."
    return Finish(starts_at, ends_at, tuple(paces), sentence, _too_late(lasting, expires_after))


def _too_late(lasting: timedelta, expires_after: timedelta | None) -> str:
    if expires_after is None or lasting <= expires_after:
        return ""
    share = 100 * (expires_after / lasting)
    return (
        f"It expires after {_span(expires_after)}, and takes about {_span(lasting)}:"
        f" only about {share:.0f} % of the people would get it."
    )


def _span(length: timedelta) -> str:
    """Whole minutes, rather one too many."""
    minutes = ceil(length / timedelta(minutes=1))
    return schedule_words.span(timedelta(minutes=minutes) if minutes > 1 else length)
