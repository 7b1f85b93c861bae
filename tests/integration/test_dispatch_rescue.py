"""Leases that ran out: claimed work goes back alone, a call in flight is in doubt, what kills its workers is set aside."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
from django.db import DataError, OperationalError, connection

from apps.dispatch import draining
from apps.dispatch.rescue import rescue
from apps.ledger import work
from apps.ledger.models import WorkItem
from tests.integration.dispatch_cast import (
    LEASE,
    Carrier,
    attempts,
    claimed,
    counts,
    dead,
    item,
    lapse_leases,
    left,
    make_due,
    notify,
    people,
    route,
    state,
    states,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

pytestmark = pytest.mark.django_db
EMAIL = "send.transactional.email"


@pytest.fixture(autouse=True)
def quiet(rung: list[str], carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection stays the test's own."""
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)


def routed(count: int = 1) -> None:
    notify(people(count))
    route()


def killed(*_: object) -> None:
    raise SystemExit


def test_claimed_work_goes_back_marked_and_its_bell_is_rung(rung: list[str]) -> None:
    routed()
    claimed(EMAIL)
    assert rescue() == 0
    lapse_leases()
    rung.clear()
    assert rescue() == 1
    assert (item().phase, item().expiries, item().lease_token, item().lease_until) == (work.READY, 1, 2, None)
    assert (rung, states(), attempts(), dead()) == ([EMAIL], [("email", "queued", "")], [], [])


def test_a_call_in_flight_is_in_doubt_and_never_sent_again(carrier: Carrier, rung: list[str]) -> None:
    routed(3)
    carrier.during = killed
    with pytest.raises(SystemExit):
        draining.drain(EMAIL)
    lapse_leases()
    rung.clear()
    assert rescue() == 3
    assert states() == [("email", "unknown", "in_doubt")] * 3
    assert attempts() == [(1, "sandbox-email", "ambiguous", "worker_lost")] * 3
    assert (left(), dead(), rung) == ([], [], [])
    draining.drain(EMAIL)
    assert len(carrier.calls) == 1


def test_what_dies_alone_three_times_is_set_aside() -> None:
    routed()
    claimed(EMAIL)
    for expiries in (1, 2, 3):
        lapse_leases()
        rescue()
        assert (item().expiries, states()) == (expiries, [("email", "queued", "")])
        assert claimed(EMAIL) == []
        assert len(work.claim_lone(queue=EMAIL, lease=LEASE)) == 1
    lapse_leases()
    rescue()
    assert (states(), left()) == ([("email", "failed", "poisoned")], [])
    assert dead() == [("poisoned", {"expiries": 4})]


def test_a_notification_that_kills_its_routers_is_set_aside_too() -> None:
    from apps.core import clock
    from apps.ledger.models import Notification
    from apps.ledger.selectors import summary

    (n,) = notify(people(1))
    claimed("route.transactional")
    for _ in range(3):
        lapse_leases()
        rescue()
        work.claim_lone(queue="route.transactional", lease=LEASE)
    lapse_leases()
    rescue()
    assert (left(), dead(), states()) == ([], [("poisoned", {"expiries": 4})], [])
    shown = summary(tenant_id=Notification.objects.all_tenants().get().tenant_id, notification_id=n, now=clock.now())
    assert shown is not None and shown.status == "failed"


def test_every_lane_is_settled() -> None:
    from apps.core.enums import Category

    for lane, who in zip(Category, people(4), strict=True):
        notify([who], category=lane)
        claimed(f"route.{lane}")
    WorkItem.objects.all_tenants().update(expiries=3)
    lapse_leases()
    assert rescue() == 4
    assert (left(), [reason for reason, _ in dead()]) == ([], ["poisoned"] * 4)


@pytest.mark.django_db(transaction=True)
def test_two_rescuers_at_once_settle_each_lease_once(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "BATCH_SHARED", 200)
    routed(200)
    carrier.during = killed
    with pytest.raises(SystemExit):
        draining.drain(EMAIL)
    assert {phase for _, phase in left()} == {work.CLAIMED, work.CALLING}
    lapse_leases()

    def run(_: int) -> int:
        try:
            return rescue()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        assert sum(threads.map(run, range(3))) == 200
    assert states() == [("email", "queued", "")] * 100 + [("email", "unknown", "in_doubt")] * 100
    assert set(WorkItem.objects.all_tenants().values_list("expiries", "phase")) == {(1, work.READY)}
    assert counts() == {
        "Notification": 200,
        "Delivery": 200,
        "Attempt": 100,
        "DeliveryEvent": 0,
        "DeadLetter": 0,
        "WorkItem": 100,
    }


@pytest.mark.parametrize("error", [RuntimeError("boom"), DataError("no such number")])
def test_a_batch_with_a_bug_in_it_comes_back_one_by_one(
    monkeypatch: pytest.MonkeyPatch, carrier: Carrier, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    routed(3)
    culprit = WorkItem.objects.all_tenants().order_by("id").first()
    real = draining.send_batch

    def buggy(works: list[work.Work], ends: float) -> None:
        if culprit.id in {w.id for w in works}:
            raise error
        real(works, ends)

    monkeypatch.setattr(draining, "send_batch", buggy)
    draining.drain(EMAIL)
    assert left() == [(EMAIL, work.READY)] * 3
    for _ in range(8):
        make_due()
        draining.drain(EMAIL)
    assert (left(), state(culprit.id)) == ([], ("failed", "internal_error"))
    assert states() == [("email", "failed", "internal_error"), *[("email", "sent", "")] * 2]
    assert dead() == [("internal_error", {"error": type(error).__name__})]
    assert {r.message for r in caplog.records if r.levelname == "ERROR"} == {"batch failed"}


def test_a_database_that_is_away_is_nobodys_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    routed()

    def away(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(draining, "send_batch", away)
    assert draining.drain(EMAIL) == 0
    assert (item().expiries, item().phase, states(), dead()) == (0, work.CLAIMED, [("email", "queued", "")], [])
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []
    assert not draining.shares._inside[EMAIL]


def test_a_queue_takes_no_more_of_a_process_than_its_share(rung: list[str]) -> None:
    """Who finds the share used up goes; who leaves rings for him."""
    routed()
    rung.clear()
    most = draining.settings.QUEUE_SHARES[EMAIL]
    for _ in range(most):
        assert draining.shares.enter(EMAIL, most)
    assert draining.drain(EMAIL) == 0
    assert (left(), rung) == ([(EMAIL, work.READY)], [])
    for _ in range(most - 1):
        draining.shares.leave(EMAIL)
    assert draining.drain(EMAIL) == 1
    assert draining.shares._inside[EMAIL] == 1
    draining.shares.leave(EMAIL)


def test_a_full_batch_and_a_used_up_slice_ring_again(monkeypatch: pytest.MonkeyPatch, rung: list[str]) -> None:
    routed(4)
    rung.clear()
    monkeypatch.setattr(draining, "BATCH_SHARED", 2)
    monkeypatch.setattr(draining, "SLICE_SECONDS", 0.0)
    started = monotonic()
    draining.drain(EMAIL)
    assert rung == [EMAIL, EMAIL]
    assert monotonic() - started < 20
