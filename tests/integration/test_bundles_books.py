"""Bundles in the books: what waits in one is not lost, what is lost is found; failed, forgotten and old ones."""

from datetime import timedelta

import pytest

from apps.channels.selectors import forget_cached
from apps.core import clock
from apps.dispatch.rescue import rescue
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger import work
from apps.ledger.balance import troubles
from apps.ledger.bundles import prune_bundles
from apps.ledger.models import Bundle, BundleItem, DeadLetter, Delivery, Notification, WorkItem
from apps.ledger.services import erase_recipient, retry_notification
from apps.ledger.timeline import timeline
from tests.integration.bundles_cast import flush, like, liked, summaries
from tests.integration.dispatch_cast import (
    LEASE,
    claimed,
    endpoint,
    lapse_leases,
    left,
    make_due,
    people,
    person,
    route,
    soon,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(rung: list[str]) -> None:
    forget_cached()
    forget_event_types()


def test_the_books_balance_while_it_waits_and_after(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    (first, *_) = liked(rosa, 3)
    route("social")
    later = clock.now() + timedelta(minutes=5)
    assert troubles(now=later) == []
    entry = timeline(tenant_id=tenant(), notification_id=first)[-1]
    flush_at = Bundle.objects.of(tenant()).get().flush_at
    assert (entry.kind, entry.text) == (
        "summary_planned",
        f"Email waits to be summed up until {flush_at:%Y-%m-%d %H:%M:%S} UTC, 3 so far.",
    )
    make_due()
    flush()
    assert troubles(now=later) == []
    (summary,) = summaries()
    Delivery.objects.of(tenant()).update(created_at=soon(-600))
    assert "merged" in [e.kind for e in timeline(tenant_id=tenant(), notification_id=first)]
    assert [e.kind for e in timeline(tenant_id=tenant(), notification_id=summary.id)] == ["accepted", "speaks_for"]
    Notification.objects.of(tenant()).filter(id=summary.id).delete()
    assert [t.code for t in troubles(now=later)] == ["merged_into_nothing"]


def test_a_bundle_without_its_flush_is_an_alarm(rung: list[str]) -> None:
    like()
    rosa, otto = people(2)
    liked(rosa, 3)
    liked(otto, 2)
    route("social")
    WorkItem.objects.of(tenant()).filter(id=Bundle.objects.of(tenant()).get(recipient_id=rosa).id).delete()
    assert [(t.code, len(t.ids)) for t in troubles(now=clock.now() + timedelta(minutes=5))] == [("without_work", 3)]


def test_a_bundle_that_workers_die_on_is_set_aside_item_by_item(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    theirs = liked(rosa, 3)
    route("social")
    make_due()
    for _ in range(4):
        assert claimed("route.social") or work.claim_lone(queue="route.social", lease=LEASE)
        lapse_leases()
        rescue()
        make_due()
    assert states() == [("email", "failed", "poisoned")] * 3
    assert left() == []
    assert set(DeadLetter.objects.of(tenant()).values_list("notification_id", flat=True)) == set(theirs)
    retry_notification(tenant_id=tenant(), notification_id=theirs[0], by="operator")
    assert left() == [("send.social.email", 0)]


def test_a_person_who_is_forgotten_leaves_no_bundle(rung: list[str]) -> None:
    like()
    rosa, otto = people(2)
    liked(rosa, 3)
    liked(otto, 2)
    route("social")
    erase_recipient(tenant(), rosa)
    assert [b.recipient_id for b in Bundle.objects.of(tenant())] == [otto]
    assert BundleItem.objects.of(tenant()).count() == 2
    assert left() == [("route.social", 0)]
    assert [r for _, _, r in states()] == ["grouped"] * 2 + ["unknown_recipient"] * 3


def test_what_was_closed_long_ago_is_pruned(rung: list[str]) -> None:
    like()
    rosa, otto = people(2)
    liked(rosa, 2)
    route("social")
    make_due()
    flush()
    liked(otto, 2)
    route("social")
    assert prune_bundles(30) == 0
    Bundle.objects.of(tenant()).filter(recipient_id=rosa).update(closed_at=soon(-31 * 86_400))
    assert prune_bundles(30) == 1
    assert [b.recipient_id for b in Bundle.objects.of(tenant())] == [otto]
    assert BundleItem.objects.of(tenant()).count() == 2
