"""Fallback chains: which channels go at once, which wait for their turn, and whose turn it is. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core.enums import Channel, DeliveryStatus, Reason
from apps.routing.decisions import Decision, Skip

GAVE_UP = frozenset({DeliveryStatus.FAILED, DeliveryStatus.BOUNCED, DeliveryStatus.SKIPPED})
ENDS_THE_CHAIN = frozenset(
    {
        Reason.EXPIRED,
        Reason.CANCELLED,
        Reason.UNKNOWN_RECIPIENT,
        Reason.RECIPIENT_BLOCKED,
        Reason.NOT_ON_GUEST_LIST,
        Reason.ACTOR_BLOCKED,
        Reason.DUPLICATE,
        Reason.SENT_BEFORE,
        Reason.FREQUENCY_CAP,
        Reason.SUPERSEDED,
        Reason.SEEN_ELSEWHERE,
        Reason.POISONED,
        Reason.ERASED,
    }
)
"""What no other channel would change."""

State = tuple[DeliveryStatus, str]
"""A delivery's status and reason."""


@dataclass(frozen=True, slots=True)
class Way:
    """`at_once`: each is decided for itself. `chain`: in order, until one is not withheld; the rest waits."""

    at_once: tuple[Channel, ...]
    chain: tuple[Channel, ...] = ()


def way(wish: Sequence[Channel], chain: Sequence[Channel]) -> Way:
    """The chain begins with its first channel that is wished for, and goes on with whatever follows there."""
    begin = next((place for place, channel in enumerate(chain) if channel in wish), len(chain))
    return Way(tuple(c for c in wish if c not in chain), tuple(chain[begin:]))


def goes_on(decision: Decision) -> bool:
    """Whether the next channel gets its turn at once."""
    return isinstance(decision, Skip) and decision.reason not in ENDS_THE_CHAIN


def has_given_up(status: DeliveryStatus, reason: str) -> bool:
    return status in GAVE_UP and reason not in ENDS_THE_CHAIN


def next_channel(
    chain: Sequence[Channel],
    tried: Mapping[Channel, Sequence[State]],
    overdue: Channel | None = None,
    unproved: frozenset[DeliveryStatus] = frozenset(),
) -> Channel | None:
    """Whose turn it is: the one after the latest that was tried, once each delivery of that has given up; those before it have handed
    over already. `overdue`: a channel of which those that are `unproved` are waited for no longer. None: nobody's."""
    places = [place for place, channel in enumerate(chain) if channel in tried]
    if not places or places[-1] + 1 >= len(chain):
        return None
    latest = chain[places[-1]]
    forgiven = unproved if overdue == latest else frozenset()
    if all(status in forgiven or has_given_up(status, reason) for status, reason in tried[latest]):
        return chain[places[-1] + 1]
    return None


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery of the channel that is waited for."""

    status: DeliveryStatus
    sent_at: datetime | None


def overdue_at(channel: Sequence[Sent], after: timedelta, now: datetime) -> datetime | None:
    """From when on the channel is waited for no longer. None: there is nothing to wait for: it has arrived, or given up by itself."""
    statuses = {sent.status for sent in channel}
    if DeliveryStatus.DELIVERED in statuses:
        return None
    if statuses & _OPEN:
        return now + after
    times = [sent.sent_at + after for sent in channel if sent.status == DeliveryStatus.SENT and sent.sent_at]
    return max(times) if times else now if DeliveryStatus.UNKNOWN in statuses else None


DOUBTED = frozenset({DeliveryStatus.UNKNOWN})
UNPROVED = DOUBTED | {DeliveryStatus.SENT}
_OPEN = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.HELD, DeliveryStatus.SENDING})


def follows(chain: Sequence[Channel], channel: Channel) -> bool:
    """Whether a channel comes after this one."""
    return channel in chain[:-1]
