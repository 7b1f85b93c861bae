"""Which status may follow which. Pure: statuses only advance, so events may come late, twice and in any order.

queued -> held -> sending -> sent -> delivered -> bounced
unknown may be lifted by proof; skipped, failed, expired, cancelled and merged are final (an operator's retry opens a new try).
"""

from collections.abc import Collection
from datetime import datetime

from apps.core.enums import DeliveryStatus as D
from apps.core.enums import EventKind, Worded
from apps.core.enums import NotificationStatus as N

WAITING = frozenset({D.QUEUED, D.HELD})
OPEN = WAITING | {D.SENDING}
FINAL = frozenset(D) - OPEN - {D.SENT, D.UNKNOWN}
SETTLED = FINAL | {D.SENT}
"""Nothing is left to be sent."""
RETRYABLE = frozenset({D.FAILED, D.UNKNOWN, D.BOUNCED, D.EXPIRED})

BEFORE: dict[D, frozenset[D]] = {
    D.QUEUED: frozenset(),
    D.HELD: frozenset({D.QUEUED}),
    D.SENDING: WAITING,
    D.SENT: OPEN | {D.UNKNOWN},
    D.DELIVERED: OPEN | {D.SENT, D.UNKNOWN},
    D.BOUNCED: OPEN | {D.SENT, D.UNKNOWN, D.DELIVERED},
    D.FAILED: OPEN | {D.SENT, D.UNKNOWN},
    D.UNKNOWN: OPEN,
    D.SKIPPED: OPEN,
    D.EXPIRED: OPEN,
    D.CANCELLED: WAITING,
    D.MERGED: frozenset({D.HELD}),
}

AFTER_EVENT: dict[EventKind, D] = {
    EventKind.SENT: D.SENT,
    EventKind.DEFERRED: D.SENT,
    EventKind.DELIVERED: D.DELIVERED,
    EventKind.BOUNCED: D.BOUNCED,
    EventKind.FAILED: D.FAILED,
    EventKind.OPENED: D.DELIVERED,
    EventKind.CLICKED: D.DELIVERED,
}

ENGAGEMENT: dict[EventKind, str] = {
    EventKind.OPENED: "opened_at",
    EventKind.CLICKED: "clicked_at",
    EventKind.SEEN: "seen_at",
    EventKind.READ: "read_at",
    EventKind.COMPLAINED: "complained_at",
    EventKind.OPTED_OUT: "unsubscribed_at",
}


def may_follow(current: D, following: D) -> bool:
    return current in BEFORE[following]


def advance(current: D, following: D) -> D:
    """The status after an event that asks for `following`: unchanged when that would be a step back."""
    return following if may_follow(current, following) else current


_BEST_FIRST: tuple[tuple[D, Worded], ...] = (
    (D.SENDING, N.SENDING),
    (D.QUEUED, N.QUEUED),
    (D.HELD, N.HELD),
    (D.DELIVERED, N.DELIVERED),
    (D.SENT, N.SENT),
    (D.UNKNOWN, N.UNKNOWN),
    (D.MERGED, N.MERGED),
    (D.BOUNCED, N.BOUNCED),
    (D.FAILED, N.FAILED),
    (D.EXPIRED, N.EXPIRED),
    (D.CANCELLED, N.CANCELLED),
    (D.SKIPPED, N.SKIPPED),
)


BEST_FIRST: tuple[D, ...] = tuple(status for status, _ in _BEST_FIRST)
"""Of the deliveries of a notification, the first of these is what became of it."""


def notification_status(
    deliveries: Collection[D], events: Collection[EventKind], due_at: datetime | None, now: datetime
) -> N:
    """Derived: open work first (something is still to come), then the best that any channel reached.

    Without deliveries: `events` of the notification itself (cancelled, given up, set aside), else scheduled or queued.
    """
    for status, derived in _BEST_FIRST:
        if status in deliveries:
            return N(derived)
    if EventKind.CANCELLED in events:
        return N.CANCELLED
    if EventKind.DEAD_LETTERED in events or EventKind.GIVEN_UP in events:
        return N.FAILED
    return N.SCHEDULED if due_at is not None and due_at > now else N.QUEUED
