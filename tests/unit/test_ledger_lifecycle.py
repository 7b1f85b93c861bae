"""The status lattice for all pairs, and the derived status of a notification."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from apps.core.enums import DeliveryStatus as D
from apps.core.enums import EventKind
from apps.core.enums import NotificationStatus as N
from apps.ledger.lifecycle import FINAL, advance, may_follow, notification_status

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ALLOWED = {
    D.QUEUED: {
        D.HELD,
        D.SENDING,
        D.SENT,
        D.DELIVERED,
        D.BOUNCED,
        D.FAILED,
        D.UNKNOWN,
        D.SKIPPED,
        D.EXPIRED,
        D.CANCELLED,
    },
    D.HELD: {
        D.MERGED,
        D.SENDING,
        D.SENT,
        D.DELIVERED,
        D.BOUNCED,
        D.FAILED,
        D.UNKNOWN,
        D.SKIPPED,
        D.EXPIRED,
        D.CANCELLED,
    },
    D.SENDING: {D.SENT, D.DELIVERED, D.BOUNCED, D.FAILED, D.UNKNOWN, D.SKIPPED, D.EXPIRED},
    D.SENT: {D.DELIVERED, D.BOUNCED, D.FAILED},
    D.UNKNOWN: {D.SENT, D.DELIVERED, D.BOUNCED, D.FAILED},
    D.DELIVERED: {D.BOUNCED},
    D.SKIPPED: set(),
    D.FAILED: set(),
    D.BOUNCED: set(),
    D.EXPIRED: set(),
    D.CANCELLED: set(),
    D.MERGED: set(),
}


@pytest.mark.parametrize("current", list(D))
@pytest.mark.parametrize("following", list(D))
def test_every_pair(current: D, following: D) -> None:
    assert may_follow(current, following) == (following in ALLOWED[current])
    assert advance(current, following) == (following if following in ALLOWED[current] else current)


def test_no_path_leads_back() -> None:
    def reachable(status: D) -> set[D]:
        found = set(ALLOWED[status])
        for following in ALLOWED[status]:
            found |= reachable(following)
        return found

    assert all(status not in reachable(status) for status in D)


def test_receipts_in_any_order_end_the_same() -> None:
    for events in permutations([D.SENT, D.DELIVERED, D.BOUNCED]):
        status = D.QUEUED
        for event in events:
            status = advance(status, event)
        assert status == D.BOUNCED


def test_final_statuses() -> None:
    assert {D.DELIVERED, D.SKIPPED, D.FAILED, D.BOUNCED, D.EXPIRED, D.CANCELLED, D.MERGED} == FINAL


@pytest.mark.parametrize(
    ("deliveries", "derived"),
    [
        ([D.DELIVERED, D.QUEUED], N.QUEUED),
        ([D.DELIVERED, D.HELD], N.HELD),
        ([D.QUEUED, D.SENDING], N.SENDING),
        ([D.SENT, D.DELIVERED, D.FAILED], N.DELIVERED),
        ([D.SENT, D.SKIPPED], N.SENT),
        ([D.UNKNOWN, D.FAILED], N.UNKNOWN),
        ([D.BOUNCED, D.FAILED], N.BOUNCED),
        ([D.FAILED, D.SKIPPED], N.FAILED),
        ([D.EXPIRED, D.CANCELLED], N.EXPIRED),
        ([D.CANCELLED, D.SKIPPED], N.CANCELLED),
        ([D.SKIPPED, D.SKIPPED], N.SKIPPED),
    ],
)
def test_a_notification_is_what_is_still_to_come_else_the_best_reached(deliveries: list[D], derived: N) -> None:
    assert notification_status(deliveries, set(), None, NOW) == derived


def test_before_routing_it_is_queued_scheduled_cancelled_or_failed() -> None:
    later = NOW + timedelta(hours=1)
    assert notification_status([], set(), None, NOW) == N.QUEUED
    assert notification_status([], set(), later, NOW) == N.SCHEDULED
    assert notification_status([], set(), NOW, NOW) == N.QUEUED
    assert notification_status([], {EventKind.CANCELLED}, later, NOW) == N.CANCELLED
    assert notification_status([], {EventKind.DEAD_LETTERED}, None, NOW) == N.FAILED
