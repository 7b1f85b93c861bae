"""Routing happens once: the same content within a window, cancelled or lost work, a batch that fails."""

from typing import Any

import pytest

from apps.dispatch import route_batch as module
from apps.dispatch.rescue import rescue
from apps.dispatch.route_batch import route_batch
from apps.ledger import services, work
from apps.ledger.models import Delivery, SeenKey, WorkItem
from tests.integration.dispatch_cast import (
    LEASE,
    claimed,
    delivery,
    endpoint,
    lapse_leases,
    left,
    notify,
    people,
    person,
    route,
    soon,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import event_type
from tests.integration.doubts_cast import quiet as quiet

pytestmark = pytest.mark.django_db


def shipped(who: Any, **fields: Any) -> Any:
    return notify([who], event_type="order.shipped", content={"title": "a", "body": "b"}, **fields)[0]


def test_the_same_content_within_the_window_goes_out_once() -> None:
    rosa = person()
    endpoint(rosa)
    event_type("order.shipped", category="transactional", dedup_window_seconds=600)
    first, second = shipped(rosa, data={"order": 1}), shipped(rosa, data={"order": 1})
    other = shipped(rosa, data={"order": 2})
    assert route() == 3
    third = shipped(rosa, data={"order": 1})
    route()
    found = {d.notification_id: (d.status, d.reason) for d in Delivery.objects.of(tenant())}
    assert sorted([found.pop(first), found.pop(second)]) == [("queued", ""), ("skipped", "duplicate")]
    assert found == {other: ("queued", ""), third: ("skipped", "duplicate")}


def test_outside_the_window_it_goes_out_again() -> None:
    rosa = person()
    endpoint(rosa)
    event_type("order.shipped", category="transactional", dedup_window_seconds=600)
    shipped(rosa)
    route()
    SeenKey.objects.update(expires_at=soon(-1))
    shipped(rosa)
    route()
    assert states() == [("email", "queued", "")] * 2


def test_what_is_skipped_takes_no_key() -> None:
    rosa = person()
    event_type("order.shipped", category="transactional", dedup_window_seconds=600)
    taken = SeenKey.objects.count()
    shipped(rosa)
    route()
    assert states() == [("email", "skipped", "no_endpoint")]
    assert SeenKey.objects.count() == taken + 1  # the request's own
    endpoint(rosa)
    shipped(rosa)
    route()
    assert states() == [("email", "queued", ""), ("email", "skipped", "no_endpoint")]


def test_somebody_elses_same_content_is_no_duplicate() -> None:
    rosa, mira = person(), person("mira")
    endpoint(rosa), endpoint(mira)
    event_type("order.shipped", category="transactional", dedup_window_seconds=600)
    shipped(rosa), shipped(mira)
    route()
    assert states() == [("email", "queued", "")] * 2


def test_what_was_cancelled_meanwhile_is_left_alone(rung: list[str]) -> None:
    rosa = person()
    endpoint(rosa)
    first, second = notify([rosa, rosa])
    works = claimed("route.transactional")
    services.cancel_notification(tenant_id=tenant(), notification_id=first, by="mira")
    route_batch(works)
    assert delivery().notification_id == second
    assert left() == [("send.transactional.email", 0)]


def test_a_worker_that_lost_its_lease_writes_nothing(rung: list[str]) -> None:
    rosa = person()
    endpoint(rosa)
    event_type("order.shipped", category="transactional", dedup_window_seconds=600)
    shipped(rosa)
    zombie = claimed("route.transactional")
    lapse_leases()
    rescue()
    rung.clear()
    keys = SeenKey.objects.count()
    route_batch(zombie)
    assert (states(), left(), rung, SeenKey.objects.count()) == ([], [("route.transactional", 0)], [], keys)
    route_batch(work.claim_lone(queue="route.transactional", lease=LEASE))
    assert states() == [("email", "queued", "")]


def test_routing_twice_makes_no_second_delivery() -> None:
    rosa = person()
    endpoint(rosa)
    event_type("order.shipped", category="transactional", dedup_window_seconds=600)
    shipped(rosa)
    before = WorkItem.objects.all_tenants().values().get()
    route()
    WorkItem.objects.all_tenants().bulk_create([WorkItem(**before)])
    route()
    assert states() == [("email", "queued", "")]
    assert left() == [("send.transactional.email", 0)]


def test_nothing_is_written_when_the_batch_fails(monkeypatch: pytest.MonkeyPatch, rung: list[str]) -> None:
    notify(people(3))

    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(module, "write_deliveries", broken)
    with pytest.raises(RuntimeError):
        route()
    assert (states(), left(), rung) == ([], [("route.transactional", 1)] * 3, [])
