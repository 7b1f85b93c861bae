"""What routing, sending, doubts and chains cost: as many statements for many as for one."""

import pytest

from apps.core import clock, ids
from apps.core.enums import Category, Channel, DeliveryStatus, EventKind
from apps.core.rows import atomic
from apps.core.types import Receipt
from apps.dispatch import resolving
from apps.dispatch.fallback import fall_back
from apps.dispatch.route_batch import route_batch
from apps.dispatch.send_batch import send_batch
from apps.ledger import doubts, receipts, work
from apps.ledger.models import Attempt, Delivery
from apps.ledger.receipts import record
from apps.tenants import selectors as tenants
from tests.integration.dispatch_cast import LEASE, Carrier, claimed, counts, left, notify, people, route, send, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import SILENT, drained, event_type, later, reached
from tests.integration.doubts_cast import quiet as quiet
from tests.integration.fallbacks_cast import CHAIN, gave_up
from tests.integration.statements import counted_apart

pytestmark = pytest.mark.django_db
CONTENT = {"title": "a", "body": "b"}


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_a_batch_takes_a_fixed_number_of_statements(count: int) -> None:
    event_type("order.shipped", category="transactional", dedup_window_seconds=600)
    notify(people(count), event_type="order.shipped", content=CONTENT)
    works = claimed("route.transactional")
    with counted_apart() as ran:
        route_batch(works)
    assert len(Delivery.objects.of(tenant())) == count == len(works)
    # what Django runs: tenants, event types; ours: recipients, endpoints, vetoes, choices and rules, too
    assert (len(ran.djangos), len(ran.ours)) == (2, 9), ran


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_call_takes_a_fixed_number_of_statements(
    carrier: Carrier, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify(people(count))
    route()
    works = claimed("send.transactional.email")
    monkeypatch.setattr(tenants, "_tenants", (0.0, {}))
    with counted_apart() as ran:
        send_batch(works, float("inf"))
    assert len(carrier.calls) == 1 and Delivery.objects.of(tenant()).filter(status="sent").count() == count
    assert len(ran.djangos) == 1, ran  # tenants; people, addresses and vetoes are by hand


@pytest.mark.parametrize("count", [1, 10, 100])
def test_doubts_take_a_fixed_number_of_statements(carrier: Carrier, count: int) -> None:
    notify(people(count), category=Category.CRITICAL)
    route("critical")
    carrier.says = [SILENT]
    works = work.claim(queue="send.critical.email", limit=count, lease=LEASE, weights={})
    with counted_apart() as first:
        send_batch(works, float("inf"))
    assert Delivery.objects.of(tenant()).filter(status="unknown").count() == count
    later(10)
    works = work.claim(queue="send.critical.email", limit=count, lease=LEASE, weights={})
    with counted_apart() as second:
        resolving.resolve_doubts(works, float("inf"))
    assert len(carrier.messages) == 2 * count
    assert (len(first.ours), len(second.ours), len(second.djangos)) == (11, 13, 0), (first, second)


@pytest.mark.parametrize("count", [1, 100])
def test_receipts_pay_for_doubts_only_where_there_were_any(
    carrier: Carrier, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify(people(count), category=Category.CRITICAL)
    route("critical")
    carrier.says = [SILENT]
    for _ in range(count // 20 + 1):
        send("send.critical.email")
    found = Attempt.objects.all_tenants().values_list("id", flat=True)
    items = [
        ("sandbox-email", Receipt(f"e{n}", EventKind.DELIVERED, clock.now(), reference=ids.show(ids.ATTEMPT, id_)))
        for n, id_ in enumerate(found)
    ]
    cancelled: list[int] = []
    real = doubts.cancel_doubts
    monkeypatch.setattr(receipts, "cancel_doubts", lambda **k: cancelled.append(real(**k)))
    assert len(record(items).applied) == count
    assert (cancelled, left()) == ([count], [])
    again = [(key, Receipt("x" + r.event_id, EventKind.OPENED, r.at, reference=r.reference)) for key, r in items]
    record(again)
    assert cancelled == [count]


@pytest.mark.parametrize("count", [1, 100])
def test_giving_up_takes_a_fixed_number_of_statements(count: int) -> None:
    event_type("order.shipped", category="transactional", fallback=CHAIN)
    notify(people(count), event_type="order.shipped", content=CONTENT, channels=[Channel.EMAIL])
    drained(Category.TRANSACTIONAL)
    event_type("order.other", category="transactional")
    Delivery.objects.of(tenant()).update(status=DeliveryStatus.FAILED, reason="invalid_address", channel="push")
    given_up = [gave_up(d) for d in Delivery.objects.of(tenant())]
    before = counts()["WorkItem"]
    with counted_apart() as ran, atomic():
        assert len(fall_back(given_up)) == count
    assert (len(ran.ours), len(ran.djangos)) == (5, 1), ran
    assert counts()["WorkItem"] == before + count


def test_what_has_no_chain_costs_two_questions() -> None:
    event_type("order.shipped", category="transactional")
    notify([reached(Channel.EMAIL)], event_type="order.shipped", content=CONTENT, channels=[Channel.EMAIL])
    drained(Category.TRANSACTIONAL)
    (one,) = Delivery.objects.of(tenant())
    with counted_apart() as ran, atomic():
        assert fall_back([gave_up(one)]) == set()
    assert len(ran.djangos) == 1, ran
