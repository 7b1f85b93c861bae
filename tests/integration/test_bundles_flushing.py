"""A bundle that is flushed: every item ends in one summary or with its own reason, nothing twice and nothing lost."""

from time import monotonic

import pytest

from apps.channels.selectors import forget_cached
from apps.core import clock, ids
from apps.core.enums import Channel, Priority
from apps.dispatch import draining, flushing
from apps.dispatch.flushing import flush_bundles
from apps.dispatch.rescue import rescue
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger import flushing as ledger_flushing
from apps.ledger import work
from apps.ledger.models import Bundle, Delivery, Notification, WorkItem
from apps.ledger.services import cancel_notification
from apps.preferences.models import Preference
from tests.integration.bundles_cast import deliver, fates, flush, like, liked, statements, summaries, told, wants_digest
from tests.integration.dispatch_cast import (
    LEASE,
    Carrier,
    claimed,
    counts,
    endpoint,
    lapse_leases,
    left,
    make_due,
    notify,
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


def test_a_group_becomes_one_summary(carrier: Carrier, rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    theirs = liked(rosa, 3)
    route("social")
    make_due()
    assert flush() == 1
    (summary,) = summaries()
    assert fates() == dict.fromkeys(theirs, ("merged", "grouped", summary.id))
    assert (summary.recipient_id, summary.channels, summary.category, summary.mode, summary.event_type) == (
        *(rosa, ["email"], "social", "test", "post.liked"),
    )
    assert abs((clock.now() - ids.time_of(summary.id)).total_seconds()) < 10
    bundle = Bundle.objects.of(tenant()).get()
    assert (bundle.summary_id, bundle.closed_at is not None) == (summary.id, True)
    assert left() == [("route.social", 0)]
    assert rung == ["route.social"]
    digest = told()
    assert (digest.total, [i.actor_id for i in digest.items], digest.group) == (
        3,
        ["a0", "a1", "a2"],
        "post.liked/post1",
    )
    assert deliver() == 1
    assert states().count(("email", "sent", "")) == 1
    assert len(carrier.messages) == 1
    assert "Actor 0" in carrier.messages[0].content["subject"]
    assert left() == []


def test_one_alone_goes_out_as_it_is(carrier: Carrier, rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    devices = [endpoint(rosa, Channel.PUSH, f"token-{n}", platform="ios") for n in range(2)]
    (n,) = liked(rosa, channels=[Channel.EMAIL, Channel.PUSH])
    route("social")
    make_due()
    assert flush() == 2
    assert summaries() == []
    assert left() == [("send.social.email", 0), ("send.social.push", 0), ("send.social.push", 0)]
    assert {d.endpoint_id for d in Delivery.objects.of(tenant()).filter(channel="push")} == set(devices)
    assert deliver() == 1
    assert carrier.messages[0].content["text"].startswith("Actor 0 likes it.")
    assert deliver(channel=Channel.PUSH) == 2
    assert {(d.notification_id, d.status) for d in Delivery.objects.of(tenant())} == {(n, "sent")}


def test_each_item_is_judged_again(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    wanted = liked(rosa, 2)
    (expired,) = liked(rosa, first=2, expires_at=soon(3600))
    (cancelled,) = liked(rosa, first=3)
    (read,) = liked(rosa, first=4, channels=[Channel.EMAIL, Channel.IN_APP])
    route("social")
    cancel_notification(tenant_id=tenant(), notification_id=cancelled, by="api")
    Notification.objects.of(tenant()).filter(id=expired).update(expires_at=soon(-1))
    Delivery.objects.of(tenant()).filter(notification_id=read, channel="in_app").update(read_at=clock.now())
    make_due()
    flush()
    summary = summaries()[0]
    found = {
        d.notification_id: (d.status, d.reason, d.merged_into)
        for d in Delivery.objects.of(tenant())
        if d.channel == "email"
    }
    assert found == {
        **dict.fromkeys(wanted, ("merged", "grouped", summary.id)),
        expired: ("expired", "expired", None),
        cancelled: ("cancelled", "cancelled", None),
        read: ("skipped", "seen_elsewhere", None),
    }
    assert (told().total, [i.actor_id for i in told().items]) == (2, ["a0", "a1"])


def test_nothing_wanted_is_no_summary(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    liked(rosa, 3)
    route("social")
    Preference.objects.create(tenant_id=tenant(), recipient_id=rosa, topic="post.*", channel="email", is_on=False)
    make_due()
    flush()
    assert states() == [("email", "skipped", "topic_off")] * 3
    assert summaries() == [] and left() == []
    bundle = Bundle.objects.of(tenant()).get()
    assert bundle.closed_at is not None and bundle.summary_id is None


def test_what_comes_after_it_opens_the_next(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    liked(rosa, 2)
    route("social")
    make_due()
    flush()
    liked(rosa, 2, first=2)
    route("social")
    assert Bundle.objects.of(tenant()).count() == 2
    assert Bundle.objects.of(tenant()).get(closed_at=None).count == 2


def test_a_summary_is_never_bundled_again(carrier: Carrier, rung: list[str]) -> None:
    rosa = person()
    endpoint(rosa)
    like(dedup_window_seconds=600, dedup_by="object", group_most=2)
    wants_digest(rosa)
    liked(rosa, 3)
    route("social")
    bundle = Bundle.objects.of(tenant()).get()
    assert (bundle.kind, bundle.key) == ("digest", "daily")
    Bundle.objects.of(tenant()).update(flush_at=soon(-100_000), opened_at=soon(-200_000))
    make_due()
    flush()
    assert deliver() == 1
    assert Bundle.objects.of(tenant()).count() == 1
    assert told().frequency == "daily"
    assert len(carrier.messages) == 1


def test_a_digest_waits_on_when_its_hour_has_moved(rung: list[str]) -> None:
    rosa = person()
    endpoint(rosa)
    wants_digest(rosa, "weekly")
    notify([rosa])
    route()
    planned = Bundle.objects.of(tenant()).get().flush_at
    make_due()
    assert flush("transactional") == 1
    assert summaries() == []
    bundle = Bundle.objects.of(tenant()).get()
    assert (bundle.flush_at, bundle.closed_at) == (planned, None)
    assert left() == [("route.transactional", 0)]
    assert states() == [("email", "held", "in_digest")]


def test_two_who_flush_the_same_bundle_make_one_summary(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    liked(rosa, 3)
    route("social")
    make_due()
    slow = claimed("route.social")
    lapse_leases()
    rescue()
    make_due()
    quick = work.claim_lone(queue="route.social", lease=LEASE)
    untouched = counts()
    flush_bundles(slow, monotonic() + 60)
    assert (counts(), summaries()) == (untouched, [])
    flush_bundles(quick, monotonic() + 60)
    before = counts()
    flush_bundles(slow, monotonic() + 60)
    assert counts() == before
    assert len(summaries()) == 1


@pytest.mark.parametrize("count", [1, 20])
def test_a_flush_takes_a_fixed_number_of_statements(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    like()
    for recipient in people(count):
        liked(recipient, 2)
    route("social")
    make_due()
    with statements(monkeypatch) as seen:
        assert flush() == count
    assert len(summaries()) == count
    assert len(seen) == 15, [text.split()[:6] for text in seen]


def test_big_ones_are_flushed_one_after_another_and_the_rest_is_given_back(
    monkeypatch: pytest.MonkeyPatch, rung: list[str]
) -> None:
    like()
    for recipient in people(4):
        liked(recipient, 2)
    route("social")
    make_due()
    works = claimed("route.social")
    monkeypatch.setattr(flushing, "MOST_AT_ONCE", 4)
    clock_says = iter([0.0, 2.0])
    monkeypatch.setattr(flushing, "monotonic", lambda: next(clock_says))
    flush_bundles(works, 1.0)
    assert len(summaries()) == 2
    assert sorted(WorkItem.objects.of(tenant()).values_list("kind", "phase")) == [
        ("flush", 0),
        ("flush", 0),
        ("route", 0),
        ("route", 0),
    ]
    assert Bundle.objects.of(tenant()).filter(closed_at=None).count() == 2


def test_a_flush_that_fails_comes_back_alone(monkeypatch: pytest.MonkeyPatch, rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    liked(rosa, 2)
    route("social")
    make_due()
    before = counts()

    def fail(summaries: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(ledger_flushing, "write_summaries", fail)
        draining._work_on("route.social", claimed("route.social"), monotonic() + 60, draining._ring_for)
    assert counts() == before
    assert [(w.kind, w.phase, w.expiries) for w in WorkItem.objects.of(tenant())] == [("flush", 0, 1)]
    make_due()
    again = work.claim_lone(queue="route.social", lease=LEASE)
    draining._work_on("route.social", again, monotonic() + 60, draining._ring_for)
    assert len(summaries()) == 1


def test_the_summary_keeps_the_best_priority_and_the_latest_expiry(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    latest = soon(7200)
    liked(rosa, 1, priority=Priority.LOW, expires_at=soon(3600))
    liked(rosa, 1, first=1, priority=Priority.HIGH, expires_at=latest)
    route("social")
    make_due()
    flush()
    (summary,) = summaries()
    assert (summary.priority, summary.expires_at) == (0, latest)
    assert WorkItem.objects.of(tenant()).get().expires_at == latest
    liked(rosa, 1, first=2, expires_at=soon(3600))
    liked(rosa, 1, first=3)
    route("social")
    make_due()
    flush()
    assert summaries()[1].expires_at is None
