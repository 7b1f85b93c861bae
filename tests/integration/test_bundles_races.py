"""Joining, flushing, cancelling and filling up at the same time."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event, Thread
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.channels.selectors import forget_cached
from apps.core import clock, ids
from apps.core.enums import BundleKind, Category, Channel, KeyMode, Priority, Reason
from apps.core.rows import atomic
from apps.dispatch.flushing import flush_bundles
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger import flushing as ledger
from apps.ledger.bundles import Joining, join, withdraw
from apps.ledger.models import Bundle, BundleItem, Delivery, WorkItem
from apps.ledger.services import NothingToDoError, cancel_notification
from tests.integration.bundles_cast import flush, like, liked, statements, summaries
from tests.integration.dispatch_cast import (
    claimed,
    endpoint,
    left,
    make_due,
    notify,
    person,
    route,
    states,
    tenant,
)
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh(rung: list[str]) -> Iterator[None]:
    forget_cached()
    forget_event_types()
    yield
    forget_event_types()


@pytest.fixture
def rosa() -> UUID:
    rosa = person()
    endpoint(rosa)
    return rosa


class Beside:
    """Runs something in a thread with a connection of its own."""

    def __init__(self, what: Callable[[], Any]) -> None:
        self.result: Any = None
        self._what = what
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._what()
        except Exception as error:
            self.result = error
        finally:
            connection.close()

    def is_waiting(self) -> bool:
        self._thread.join(0.3)
        return self._thread.is_alive()

    def end(self) -> Any:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.result


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> tuple[Event, Event]:
    """A flush stands still after its locks are taken: (it is there, it may go on)."""
    there, go = Event(), Event()
    original = ledger.lock_waiting

    def lock_waiting(ids: Any) -> Any:
        found = original(ids)
        there.set()
        go.wait(10)
        return found

    monkeypatch.setattr(ledger, "lock_waiting", lock_waiting)
    return there, go


def test_what_joins_during_a_flush_opens_the_next(rosa: UUID, paused: tuple[Event, Event]) -> None:
    there, go = paused
    like()
    liked(rosa, 2)
    route("social")
    make_due()
    flushing = Beside(flush)
    there.wait(10)
    liked(rosa, 1, first=2)
    routing = Beside(lambda: route("social"))
    assert routing.is_waiting()
    go.set()
    assert (flushing.end(), routing.end()) == (1, 1)
    closed, fresh = Bundle.objects.of(tenant()).order_by("opened_at")
    assert (closed.count, closed.summary_id) == (2, summaries()[0].id)
    assert (fresh.count, fresh.closed_at) == (1, None)
    assert BundleItem.objects.of(tenant()).filter(bundle_id=fresh.id).count() == 1
    assert sorted(WorkItem.objects.of(tenant()).values_list("kind", flat=True)) == ["flush", "route"]


def test_a_cancel_during_a_flush_comes_too_late(rosa: UUID, paused: tuple[Event, Event]) -> None:
    there, go = paused
    like()
    (first, _) = liked(rosa, 2)
    route("social")
    make_due()
    flushing = Beside(flush)
    there.wait(10)
    cancelling = Beside(lambda: cancel_notification(tenant_id=tenant(), notification_id=first, by="api"))
    assert cancelling.is_waiting()
    go.set()
    flushing.end()
    assert isinstance(cancelling.end(), NothingToDoError)
    assert states() == [("email", "merged", "grouped")] * 2


def test_two_who_flush_at_once_make_one_summary(rosa: UUID, paused: tuple[Event, Event]) -> None:
    there, go = paused
    like()
    liked(rosa, 2)
    route("social")
    make_due()
    works = claimed("route.social")

    one = Beside(lambda: flush_bundles(works, monotonic() + 60))
    there.wait(10)
    other = Beside(lambda: flush_bundles(works, monotonic() + 60))
    assert other.is_waiting()
    go.set()
    assert (one.end(), other.end()) == (None, None)
    assert len(summaries()) == 1
    assert left() == [("route.social", 0)]


def test_many_who_join_at_once_fill_one_bundle(rosa: UUID) -> None:
    def joined(place: int) -> frozenset[UUID]:
        with atomic():
            return join(
                [
                    Joining(
                        delivery_id=ids.new(),
                        notification_id=ids.new(),
                        tenant_id=tenant(),
                        recipient_id=rosa,
                        channel=Channel.EMAIL,
                        category=Category.SOCIAL,
                        mode=KeyMode.TEST,
                        kind=BundleKind.GROUP,
                        key=f"k{n}",
                        until=clock.now() + timedelta(hours=1),
                        most=100,
                        at=clock.now(),
                        leads=True,
                    )
                    # in another order each
                    for n in (range(5) if place % 2 else range(4, -1, -1))
                ]
            ).leading

    threads = [Beside(lambda place=n: joined(place)) for n in range(8)]  # type: ignore[misc]
    leading = [thread.end() for thread in threads]
    assert sum(len(found) for found in leading) == 5
    assert sorted(Bundle.objects.of(tenant()).values_list("key", "count")) == [(f"k{n}", 8) for n in range(5)]
    assert BundleItem.objects.of(tenant()).count() == 35
    assert left() == [("route.social", 0)] * 5


def test_what_was_about_to_be_sent_can_wait_instead(rosa: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = (notify([rosa])[0] for _ in range(3))
    route()
    works = claimed("send.transactional.email")
    cancel_notification(tenant_id=tenant(), notification_id=third, by="api")
    joinings = [
        Joining(
            delivery_id=w.id,
            notification_id=w.notification_id,
            tenant_id=w.tenant_id,
            recipient_id=rosa,
            channel=Channel.EMAIL,
            category=Category.TRANSACTIONAL,
            mode=KeyMode.TEST,
            kind=BundleKind.OVERFLOW,
            key="daily",
            until=clock.now() + timedelta(hours=5),
            most=500,
            at=w.order_at,
            reason=Reason.FREQUENCY_CAP,
            because={"cap": "three a day", "until": clock.now()},
        )
        for w in works
    ]
    with statements(monkeypatch) as seen, atomic():
        joined = withdraw(works, joinings)
    assert len(seen) == 2
    mine = {d.id for d in Delivery.objects.of(tenant()).filter(notification_id__in=[first, second])}
    assert joined.waiting == mine
    assert states() == [
        ("email", "cancelled", "cancelled"),
        *[("email", "held", "frequency_cap")] * 2,
    ]
    assert Delivery.objects.of(tenant()).filter(because__cap="three a day").count() == 2
    assert left() == [("route.transactional", 0)]
    assert Bundle.objects.of(tenant()).get().count == 2


def test_only_what_is_not_urgent_is_batched_by_time_or_number(rosa: UUID) -> None:
    like(group_by="type", group_low_only=True, group_window_seconds=300, group_most=100)
    liked(rosa, 2, priority=Priority.LOW)
    liked(rosa, 1, first=2)
    route("social")
    assert states() == [*[("email", "held", "grouped")] * 2, ("email", "queued", "")]
    flush_at = WorkItem.objects.of(tenant()).get(kind="flush").due_at
    assert timedelta(seconds=290) < flush_at - clock.now() <= timedelta(seconds=300)
    assert flush() == 0
    liked(rosa, 98, first=3, priority=Priority.LOW)
    route("social")
    assert flush() == 1
    (summary,) = summaries()
    assert Delivery.objects.of(tenant()).filter(merged_into=summary.id).count() == 100
    liked(rosa, 2, first=200, priority=Priority.LOW)
    route("social")
    make_due()
    assert flush() == 1
    assert len(summaries()) == 2
