"""Runs are counted from the ledger: exactly, each in one scan, and nobody else's messages among them."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from apps.audience.models import Recipient
from apps.campaigns import settling, slicing, tallying
from apps.campaigns.models import Meter, Run, Slice, Tally
from apps.core import clock
from apps.ledger.models import Delivery, WorkItem
from tests.integration import campaigns_live_cast as cast
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db


def tallies(run: Run) -> Counter[tuple[int, str, str, str]]:
    rows = Tally.objects.of(run.tenant_id).filter(run_id=run.id)
    return Counter({tuple(row): n for *row, n in rows.values_list("variant", "channel", "status", "reason", "count")})


def slices(run: Run, dimension: str, *fields: str) -> dict[str, Any]:
    rows = Slice.objects.of(run.tenant_id).filter(run_id=run.id, dimension=dimension)
    return {value: tuple(rest) for value, *rest in rows.values_list("value", *fields)}


def count(run: Run) -> tallying.Counted:
    cast.make_due(run)
    found = tallying.tally_run(run.id, clock.now())
    assert found is not None
    return found


def test_deliveries_are_counted_by_where_they_stand() -> None:
    run, now = cast.run_of(size=7), clock.now()
    cast.said(run)
    cast.said(run, opened_at=now, clicked_at=now)
    cast.said(run, variant=1, opened_at=now, complained_at=now, unsubscribed_at=now)
    cast.said(run, "queued", channel="sms")
    cast.said(run, "skipped", "topic_off")
    cast.said(run, "skipped", "no_endpoint")
    cast.said(run, "bounced", "hard_bounce")
    assert count(run).ended == 6
    assert tallies(run) == {
        (0, "email", "delivered", ""): 2,
        (1, "email", "delivered", ""): 1,
        (0, "sms", "queued", ""): 1,
        (0, "email", "skipped", "topic_off"): 1,
        (0, "email", "skipped", "no_endpoint"): 1,
        (0, "email", "bounced", "hard_bounce"): 1,
    }
    row = Tally.objects.of(run.tenant_id).get(run_id=run.id, variant=1)
    assert (row.opened, row.clicked, row.complained, row.unsubscribed) == (1, 0, 1, 1)
    count(run)
    assert tallies(run).total() == 7


def test_only_the_runs_own_messages_count() -> None:
    run, now = cast.run_of(), clock.now()
    cast.said(run)
    cast.said(cast.run_of(stamp=run.stamp, slug="other", name="Theirs"))
    cast.said(cast.run_of(stamp=run.stamp + 1, name="The next millisecond"))
    stranger = cast.said(run)
    Delivery.objects.of(run.tenant_id).filter(id=stranger.delivery).update(variant=None)
    count(run)
    assert tallies(run) == {(0, "email", "delivered", ""): 1}
    assert now <= Run.objects.of(run.tenant_id).get(id=run.id).tallied_at


def test_somebody_reached_on_several_channels_is_one_person() -> None:
    run, now = cast.run_of(size=5), clock.now()
    rosa = cast.said(run, "skipped", "topic_off")
    cast.said(run, "delivered", channel="push", device="a", to=rosa.recipient)
    cast.said(run, "failed", "invalid_address", channel="push", device="b", to=rosa.recipient)
    otto = cast.said(run, "skipped", "topic_off")
    cast.said(run, "skipped", "channel_off", channel="push", to=otto.recipient)
    bea = cast.said(run, "delivered", opened_at=now)
    cast.said(run, "queued", channel="push", to=bea.recipient)
    count(run)
    assert slices(run, "outcome", "count", "sent", "delivered", "opened") == {
        "delivered:": (1, 1, 1, 0),
        "skipped:channel_off": (1, 0, 0, 0),
        "queued:": (1, 1, 1, 1),
    }
    assert tallies(run).total() == 7


def test_one_channel_needs_no_second_scan_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    run, now = cast.run_of(size=6), clock.now()
    for status, reason in (
        ("delivered", ""),
        ("delivered", ""),
        ("sent", ""),
        ("bounced", "hard_bounce"),
        ("held", "quiet_hours"),
    ):
        cast.said(run, status, reason, opened_at=now if status == "delivered" else None)
    cast.said(run, "failed", "rejected", sent_at=now, variant=1)
    with counted() as statements:
        count(run)
    assert not any("work_mem" in text and "GROUP BY d.notification_id" in text for text in statements)
    short = slices(run, "outcome", "variant", "count", "sent", "delivered", "opened")
    monkeypatch.setattr(tallying.tallies, "outcomes", lambda of=(), **where: _whole(**where))
    count(run)
    assert slices(run, "outcome", "variant", "count", "sent", "delivered", "opened") == short
    assert short["failed:rejected"] == (1, 1, 1, 0, 0)


_whole = tallying.tallies.outcomes


def test_a_count_costs_as_many_statements_whatever_is_there() -> None:
    run = cast.run_of()
    cast.said(run)
    count(run)
    Meter.objects.all_tenants().update(sliced_at=clock.now())
    with counted() as few:
        count(run)
    for _ in range(40):
        cast.said(run)
        cast.said(run, "skipped", "topic_off", variant=1)
    with counted() as many:
        count(run)
    assert len(few) == len(many)


def test_a_run_is_open_while_there_is_work_for_it() -> None:
    run = cast.run_of(expanded_at=clock.now())
    one = cast.said(run, "queued")
    assert not settling.is_anything_open(run)
    now = clock.now()
    work = {"lane": "marketing", "queue": "route.marketing", "kind": "route", "phase": 0, "channel": "", "priority": 1}
    WorkItem.objects.create(
        id=one.notification,
        tenant_id=run.tenant_id,
        notification_id=one.notification,
        due_at=now,
        order_at=now,
        lease_token=0,
        expiries=0,
        tries=0,
        calls=0,
        ordering_key="",
        **work,
    )
    assert settling.is_anything_open(run)
    WorkItem.objects.all_tenants().update(tenant_id=one.notification)
    assert not settling.is_anything_open(run), "it is somebody else's"


def test_one_worker_counts_a_run_at_a_time_and_not_sooner_than_it_is_worth() -> None:
    run, now = cast.run_of(), clock.now()
    assert tallying.tally_due(now) == 1
    assert tallying.tally_due(now) == 0
    meter = Meter.objects.all_tenants().get()
    assert meter.next_at == now + max(tallying.SOONEST, timedelta(seconds=meter.took * tallying.TIMES))
    later = meter.next_at + timedelta(seconds=1)
    assert tallying._take(Run.objects.of(run.tenant_id).select_related("meter").get(), later)
    assert tallying.tally_due(later) == 0
    assert tallying.tally_due(later + tallying.LEASE) == 1


def test_a_run_that_is_over_is_counted_ever_more_rarely_for_a_month() -> None:
    now = clock.now()
    run = cast.run_of(status="finished", finished_at=now - timedelta(minutes=1), expanded_at=now)
    gaps = []
    for age in (timedelta(minutes=1), timedelta(hours=1), timedelta(days=10), timedelta(days=29)):
        at = run.finished_at + age
        assert tallying.tally_due(at) == 1
        gaps.append(Meter.objects.all_tenants().get().next_at - at)
    assert gaps == [timedelta(seconds=30), timedelta(minutes=3), timedelta(hours=6), timedelta(hours=6)]
    assert tallying.tally_due(run.finished_at + timedelta(days=31)) == 0


def test_people_are_told_apart_by_language_clock_and_hour() -> None:
    run = cast.run_of(size=4)
    at = clock.now().replace(hour=8, minute=40)
    for user, locale, zone, status in (
        ("mira", "de", "Europe/Berlin", "delivered"),
        ("rosa", "de", "Asia/Tokyo", "delivered"),
        ("otto", "", "", "delivered"),
        ("bea", "fr", "Asia/Tokyo", "skipped"),
    ):
        person = Recipient.objects.create(tenant_id=run.tenant_id, user_id=user, locale=locale, timezone=zone)
        cast.said(run, status, to=person.id, at=at.replace(month=1), opened_at=at if user == "mira" else None)
    gone = cast.said(run, at=at.replace(month=1))
    Recipient.objects.of(run.tenant_id).filter(id=gone.recipient).delete()
    count(run)
    assert slices(run, "locale", "count", "sent", "opened") == {"de": (2, 2, 1), "": (2, 2, 0), "fr": (1, 0, 0)}
    assert slices(run, "zone", "count", "sent", "opened") == {
        "Europe/Berlin": (1, 1, 1),
        "Asia/Tokyo": (2, 1, 0),
        "UTC": (2, 2, 0),
    }
    assert slices(run, "hour", "sent", "opened") == {"09": (1, 1), "17": (1, 0), "08": (2, 0)}


def test_machines_are_told_apart_and_links_by_their_number() -> None:
    run, now = cast.run_of(size=3), clock.now()
    mira, rosa, otto = (cast.said(run, opened_at=now) for _ in range(3))
    cast.happened(mira, "clicked", detail="1")
    cast.happened(mira, "clicked", detail="2 https://acme.test/b")
    cast.happened(rosa, "clicked", detail="2 https://acme.test/a")
    cast.happened(rosa, "clicked", detail="1")
    cast.happened(rosa, "opened")
    cast.happened(otto, "opened", code="machine")
    cast.happened(otto, "clicked", code="machine", detail="1")
    cast.happened(otto, "clicked", code="machine", detail="2")
    cast.happened(cast.said(cast.run_of(name="Another", stamp=run.stamp + 1)), "clicked", detail="1")
    count(run)
    assert slices(run, "link", "count") == {"1": (2,), "2 https://acme.test/a": (2,)}
    assert slices(run, "machine", "opened", "clicked") == {"": (1, 2)}


def test_the_way_takes_its_time() -> None:
    run, at = cast.run_of(size=4), clock.now() - timedelta(days=2)
    for seconds in (0.4, 3, 3, 59, 90_000):
        cast.said(run, at=at, delivered_at=at + timedelta(seconds=seconds))
    cast.said(run, "sent", at=at)
    count(run)
    assert slices(run, "delay", "count") == {"1": (1,), "5": (2,), "60": (1,), slicing.LONGER: (1,)}


def test_slices_wait_longer_than_counts() -> None:
    run = cast.run_of()
    cast.said(run)
    count(run)
    first = Meter.objects.all_tenants().get().sliced_at
    count(run)
    assert Meter.objects.all_tenants().get().sliced_at == first
    Meter.objects.all_tenants().update(sliced_at=clock.now() - slicing.SOONEST)
    count(run)
    assert Meter.objects.all_tenants().get().sliced_at > first


def test_what_is_held_back_on_the_way_keeps_the_samples_short() -> None:
    run = cast.run_of(size=10, waves=[{"seen": 10, "made": 7, "held_out": 2, "repeated": 1}])
    for _ in range(5):
        cast.said(run)
    cast.said(run, "queued")
    Meter.objects.create(run=run, tenant_id=run.tenant_id, next_at=clock.now(), samples=[[1.0, 0, 0]] * 60)
    found = count(run)
    assert (found.seen, found.ended) == (10, 8)
    samples = Meter.objects.all_tenants().get().samples
    assert len(samples) == 60
    assert samples[-1][1:] == [10, 8]


def test_a_run_that_takes_too_long_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick, now = cast.run_of(name="Slow"), cast.run_of(name="Quick", stamp=1), clock.now()
    whole = tallying.tallies.stages

    def stages(**asked: Any) -> Any:
        if asked["stamp"] == slow.stamp:
            raise OperationalError("canceling statement due to statement timeout")
        return whole(**asked)

    monkeypatch.setattr(tallying.tallies, "stages", stages)
    assert tallying.tally_due(now) == 1
    meters = dict(Meter.objects.all_tenants().values_list("run_id", "next_at"))
    assert meters[slow.id] == now + tallying.AFTERWARDS
    quick.refresh_from_db()
    slow.refresh_from_db()
    assert (quick.tallied_at, slow.tallied_at) == (now, None)
    monkeypatch.undo()
    assert tallying.tally_due(meters[slow.id]) == 2
