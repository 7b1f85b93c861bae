"""What providers say later: each once, in any order, whatever state the delivery is in. And forgetting a person."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import ids
from apps.core.enums import Channel, EventKind
from apps.core.types import Engagement, Receipt
from apps.dispatch.engagement import note_engagement
from apps.ledger import services
from apps.ledger.models import Attempt, Delivery, DeliveryEvent, Notification
from apps.ledger.receipts import Applied, record
from tests.integration.dispatch_cast import (
    Carrier,
    claimed,
    counts,
    delivery,
    endpoint,
    left,
    notify,
    people,
    person,
    route,
    send,
    state,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

pytestmark = pytest.mark.django_db
ACCOUNT = "sandbox-email"
AT = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quiet(rung: list[str], carrier: Carrier) -> None:
    pass


def sent() -> UUID:
    rosa = person()
    endpoint(rosa)
    notify([rosa])
    route()
    send()
    return delivery().id


def said(kind: EventKind, event_id: str = "", *, after: int = 0, **fields: str) -> Receipt:
    reference = fields.pop("reference", "") or ids.show(ids.ATTEMPT, Attempt.objects.all_tenants().latest("id").id)
    return Receipt(event_id or kind.value, kind, AT + timedelta(seconds=after), reference=reference, **fields)


def kinds() -> list[str]:
    return list(DeliveryEvent.objects.all_tenants().order_by("at", "kind").values_list("kind", flat=True))


def test_a_receipt_says_all_that_its_follow_ups_need() -> None:
    id_ = sent()
    one = delivery()
    recorded = record([(ACCOUNT, said(EventKind.DELIVERED, code="250"))])
    assert recorded.unmatched == []
    assert recorded.applied == [
        Applied(
            ACCOUNT,
            AT,
            tenant(),
            person(),
            one.notification_id,
            id_,
            one.endpoint_id,
            Channel.EMAIL,
            EventKind.DELIVERED,
            "250",
        )
    ]
    one.refresh_from_db()
    assert (one.status, one.delivered_at, one.account) == ("delivered", AT, ACCOUNT)
    assert one.ended_at is not None
    event = DeliveryEvent.objects.of(tenant()).get()
    assert (event.kind, event.at, event.code, event.source, event.delivery_id) == ("delivered", AT, "250", ACCOUNT, id_)


def test_each_counts_once_in_one_call_and_over_calls() -> None:
    sent()
    one = said(EventKind.DELIVERED, "e1")
    assert len(record([(ACCOUNT, one), (ACCOUNT, one)]).applied) == 1
    again = record([(ACCOUNT, one)])
    assert (again.applied, again.unmatched, kinds()) == ([], [], ["delivered"])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_does_not_matter(order: tuple[int, ...]) -> None:
    id_ = sent()
    news = [said(EventKind.DELIVERED), said(EventKind.OPENED, after=1), said(EventKind.BOUNCED, after=2)]
    for place in order:
        record([(ACCOUNT, news[place])])
    assert (state(id_), delivery().opened_at) == (("bounced", "hard_bounce"), AT + timedelta(seconds=1))
    assert sorted(kinds()) == ["bounced", "delivered", "opened"]


@pytest.mark.parametrize(
    ("kind", "status", "reason", "column"),
    [
        (EventKind.BOUNCED, "bounced", "hard_bounce", ""),
        (EventKind.FAILED, "failed", "rejected", ""),
        (EventKind.SOFT_BOUNCED, "sent", "", ""),
        (EventKind.OPENED, "delivered", "", "opened_at"),
        (EventKind.CLICKED, "delivered", "", "clicked_at"),
        (EventKind.COMPLAINED, "sent", "", "complained_at"),
        (EventKind.OPTED_OUT, "sent", "", "unsubscribed_at"),
    ],
)
def test_what_each_kind_does(kind: EventKind, status: str, reason: str, column: str) -> None:
    id_ = sent()
    record([(ACCOUNT, said(kind))])
    record([(ACCOUNT, said(kind, "later", after=9))])
    assert state(id_) == (status, reason)
    columns = ("opened_at", "clicked_at", "complained_at", "unsubscribed_at", "seen_at", "read_at")
    row = Delivery.objects.of(tenant()).values(*columns).get()
    assert {name: value for name, value in row.items() if value} == ({column: AT} if column else {})


def test_proof_that_overtakes_the_settlement_is_not_taken_back(carrier: Carrier) -> None:
    rosa = person()
    endpoint(rosa)
    notify([rosa])
    route()
    carrier.during = lambda messages: record([(ACCOUNT, said(EventKind.DELIVERED, reference=messages[0].reference))])
    send()
    assert (states(), left()) == ([("email", "delivered", "")], [])
    assert (delivery().delivered_at, kinds()) == (AT, ["delivered"])


def test_it_is_found_by_the_providers_own_id_too() -> None:
    id_ = sent()
    recorded = record([(ACCOUNT, Receipt("e1", EventKind.DELIVERED, AT, provider_message_id="m1"))])
    assert ([a.delivery_id for a in recorded.applied], state(id_)) == ([id_], ("delivered", ""))


@pytest.mark.parametrize(
    ("account", "receipt"),
    [
        ("other", Receipt("e1", EventKind.BOUNCED, AT, provider_message_id="m1")),
        (ACCOUNT, Receipt("e1", EventKind.BOUNCED, AT, provider_message_id="m2")),
        (ACCOUNT, Receipt("e1", EventKind.BOUNCED, AT)),
        (ACCOUNT, Receipt("e1", EventKind.BOUNCED, AT, reference=ids.show(ids.ATTEMPT, ids.new()))),
        (ACCOUNT, Receipt("e1", EventKind.BOUNCED, AT, reference="nonsense")),
    ],
)
def test_what_is_not_known_or_not_theirs_is_returned_and_nothing_written(account: str, receipt: Receipt) -> None:
    id_ = sent()
    good = said(EventKind.DELIVERED)
    recorded = record([(account, receipt), (ACCOUNT, good), (account, receipt)])
    assert (recorded.unmatched, [a.kind for a in recorded.applied]) == ([0, 2], ["delivered"])
    assert (state(id_), kinds()) == (("delivered", ""), ["delivered"])
    assert record([("other", good)]).unmatched == [0]


def test_engagement_notes_the_first_time() -> None:
    rosa = person()
    notify([rosa], channels=["in_app"])  # type: ignore[list-item]
    route()
    send("send.transactional.in_app")
    id_ = delivery().id
    for seconds in (0, 5):
        at = AT + timedelta(seconds=seconds)
        note_engagement([Engagement(id_, EventKind.SEEN, at), Engagement(id_, EventKind.READ, at)])
    assert (delivery().seen_at, delivery().read_at, delivery().status) == (AT, AT, "delivered")
    note_engagement([Engagement(ids.new(), EventKind.SEEN, AT)])
    assert kinds() == ["read", "seen"] * 2


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_a_call_takes_a_fixed_number_of_statements(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.ledger import receipts

    notify(people(count))
    route()
    for _ in range(count // 500 + 1):
        send()
    found = Attempt.objects.all_tenants().values_list("id", flat=True)
    items = [
        (ACCOUNT, Receipt(f"e{n}", EventKind.DELIVERED, AT, reference=ids.show(ids.ATTEMPT, id_)))
        for n, id_ in enumerate(found)
    ]
    run: list[str] = []
    for name in ("fetch", "execute"):
        real = getattr(receipts, name)
        monkeypatch.setattr(receipts, name, lambda *a, real=real: (run.append(a[0].split()[0]), real(*a))[1])
    with CaptureQueriesContext(connection) as seen:
        assert len(record(items).applied) == count
    assert (run, len(seen)) == (["SELECT", "SELECT", "UPDATE", "INSERT"], 0)


def test_forgetting_a_person_erases_what_was_said_stops_what_waits_and_keeps_the_numbers(carrier: Carrier) -> None:
    rosa, mira = people(2)
    notify([rosa, mira])
    route()
    send()
    notify([rosa, mira])
    route()
    notify([rosa, mira])
    before = counts()
    services.erase_recipient(tenant(), rosa)
    sealed = Notification.objects.of(tenant()).filter(sealed=None).values_list("recipient_id", flat=True)
    assert list(sealed) == [rosa] * 3
    assert counts() == before | {"WorkItem": 2}
    hers = Delivery.objects.of(tenant()).filter(recipient_id=rosa).order_by("id").values_list("status", "reason")
    assert list(hers) == [("sent", ""), ("skipped", "unknown_recipient")]
    assert left() == [("route.transactional", 0), ("send.transactional.email", 0)]
    assert len(claimed("route.transactional")) == 1
    services.erase_recipient(ids.new(), mira)
    assert Notification.objects.of(tenant()).filter(sealed=None).count() == 3
