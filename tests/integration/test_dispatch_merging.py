"""One message instead of two: the same content twice, and a poorer message beside a fuller one, in either order."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.enums import Category, Channel, DedupBy, DigestFrequency, KeyMode
from apps.core.types import Author
from apps.core.types.changes import switched
from apps.dispatch import merging
from apps.dispatch.flushing import flush_bundles
from apps.dispatch.route_batch import route_batch
from apps.events import selectors as events
from apps.events.services import put_event_type
from apps.ledger.models import Bundle, Delivery, SeenKey, WorkItem
from apps.preferences.changing import change_choices
from apps.tenants import selectors as tenants
from tests.integration.dispatch_cast import (
    Carrier,
    carrier,
    claimed,
    endpoint,
    make_due,
    notify,
    people,
    person,
    route,
    rung,
    send,
    tenant,
)
from tests.integration.ingest_cast import statements

__all__ = ["carrier", "rung"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung")]
WAIT = timedelta(minutes=2)


@pytest.fixture(autouse=True)
def _catalogue() -> Iterator[None]:
    events.forget_cached()
    yield
    events.forget_cached()


def kind(key: str, **fields: Any) -> None:
    owner = tenants.tenant_by_id(tenant())
    assert owner is not None
    put_event_type(tenant=owner, key=key, name=key, category=Category.TRANSACTIONAL, **fields)


def payments() -> UUID:
    """A received payment waits for the alert about the same transaction, which says more."""
    tenants.forget_cached()
    kind("payment.received", waits_for=["transaction.alert"], waits=WAIT)
    kind("transaction.alert")
    endpoint(person())
    return person()


def said(rosa: UUID, event_type: str, object_id: str = "tx-1", **fields: Any) -> UUID:
    content = {"title": event_type, "body": "It is here."}
    [made] = notify([rosa], event_type=event_type, content=content, object_id=object_id, **fields)
    return made


def told(notification: UUID) -> tuple[str, str, UUID | None]:
    row = Delivery.objects.all_tenants().get(notification_id=notification)
    return row.status, row.reason, row.merged_into


def test_payment_received_then_transaction_alert_is_one_message_the_richer(carrier: Carrier) -> None:
    rosa = payments()
    poorer = said(rosa, "payment.received")
    route()
    assert told(poorer) == ("held", "awaits_fuller", None)
    fuller = said(rosa, "transaction.alert")
    route()
    send()
    make_due()
    send()
    assert told(poorer) == ("skipped", "superseded", fuller)
    assert [message.content["subject"] for message in carrier.messages] == ["transaction.alert"]
    assert not WorkItem.objects.all_tenants().exists()


def test_the_fuller_one_may_come_first(carrier: Carrier) -> None:
    rosa = payments()
    fuller = said(rosa, "transaction.alert")
    route()
    poorer = said(rosa, "payment.received")
    route()
    send()
    assert told(poorer) == ("skipped", "superseded", fuller)
    assert [message.content["subject"] for message in carrier.messages] == ["transaction.alert"]


@pytest.mark.parametrize(
    "order", [("payment.received", "transaction.alert"), ("transaction.alert", "payment.received")]
)
def test_both_may_come_in_one_batch(carrier: Carrier, order: tuple[str, str]) -> None:
    rosa = payments()
    made = {event_type: said(rosa, event_type) for event_type in order}
    route()
    send()
    assert told(made["payment.received"]) == ("skipped", "superseded", made["transaction.alert"])
    assert [message.content["subject"] for message in carrier.messages] == ["transaction.alert"]


def test_without_a_fuller_one_it_goes_out_when_the_wait_is_over(carrier: Carrier) -> None:
    rosa = payments()
    poorer = said(rosa, "payment.received")
    route()
    waiting = WorkItem.objects.all_tenants().get()
    assert abs(waiting.due_at - clock.now() - WAIT) < timedelta(seconds=5)
    assert send() == 0
    make_due()
    send()
    assert [message.content["subject"] for message in carrier.messages] == ["payment.received"]
    assert told(poorer)[0] == "sent"


@pytest.mark.parametrize(
    ("poorer", "fuller"),
    [
        ({}, {"object_id": "tx-2"}),
        ({}, {"mode": KeyMode.LIVE}),
        ({}, {"channels": (Channel.SMS,)}),
        ({"object_id": ""}, {"object_id": ""}),
    ],
    ids=["another object", "another mode", "withheld on its only channel", "no object"],
)
def test_it_goes_out_beside_one_that_does_not_speak_for_it(
    carrier: Carrier, poorer: dict[str, Any], fuller: dict[str, Any]
) -> None:
    rosa = payments()
    said(rosa, "transaction.alert", **fuller)
    made = said(rosa, "payment.received", **poorer)
    route()
    make_due()
    send()
    assert told(made)[0] == "sent"


def test_a_fuller_one_that_came_to_nothing_speaks_for_nobody(carrier: Carrier) -> None:
    rosa = payments()
    poorer = said(rosa, "payment.received")
    fuller = said(rosa, "transaction.alert")
    Delivery.objects.all_tenants().delete()
    route()
    assert told(poorer) == ("skipped", "superseded", fuller)
    later = said(rosa, "payment.received")
    Delivery.objects.all_tenants().filter(notification_id=fuller).update(status="bounced", reason="hard_bounce")
    route()
    make_due()
    send()
    assert told(later)[0] == "sent"


def test_one_that_came_a_wait_before_is_too_old(carrier: Carrier) -> None:
    rosa = payments()
    said(rosa, "transaction.alert")
    route()
    SeenKey.objects.update(expires_at=clock.now() + merging.KEPT - timedelta(seconds=1))
    poorer = said(rosa, "payment.received")
    route()
    assert told(poorer) == ("held", "awaits_fuller", None)


def test_two_nearly_the_same_about_one_object_are_one(carrier: Carrier) -> None:
    rosa = person()
    endpoint(rosa)
    tenants.forget_cached()
    kind("door.opened", dedup_window=timedelta(minutes=5), dedup_by=DedupBy.OBJECT)
    first = said(rosa, "door.opened", "front", data={"at": "12:00:01"})
    second = said(rosa, "door.opened", "front", data={"at": "12:00:02"})
    other = said(rosa, "door.opened", "back", data={"at": "12:00:02"})
    route()
    send()
    assert [told(first)[0], told(other)[0]] == ["sent", "sent"]
    assert told(second) == ("skipped", "duplicate", first)
    assert len(carrier.messages) == 2


def test_what_is_held_back_takes_the_key_too(carrier: Carrier) -> None:
    """Two of the same that wait for something would otherwise both go out when it comes."""
    rosa = payments()
    kind("payment.received", waits_for=["transaction.alert"], waits=WAIT, dedup_window=timedelta(minutes=5))
    first, second = said(rosa, "payment.received"), said(rosa, "payment.received")
    route()
    assert told(first) == ("held", "awaits_fuller", None)
    assert told(second) == ("skipped", "duplicate", first)


@pytest.mark.parametrize("count", [1, 10, 100])
def test_types_that_wait_for_nothing_cost_no_statement(count: int) -> None:
    payments()
    recipients = people(count)
    kind("plain")
    seen = []
    for event_type in ("", "plain"):
        notify(recipients, event_type=event_type, content={"title": "x", "body": "y"}, object_id="o")
        route()
        notify(recipients, event_type=event_type, content={"title": "x", "body": "y"}, object_id="o")
        with CaptureQueriesContext(connection) as queries:
            route()
        seen.append([q["sql"] for q in queries if "seen_key" in q["sql"] or "waits_for <>" in q["sql"]])
    assert seen == [[], []]


def test_what_waits_in_a_digest_is_superseded_too(carrier: Carrier) -> None:
    rosa = payments()
    digest = switched("payment.received", "*", True, DigestFrequency.DAILY)
    change_choices(tenant_id=tenant(), recipient_id=rosa, change=digest, by=Author("test"))
    poorer = said(rosa, "payment.received", "tx-9")
    route()
    make_due()
    send()
    assert told(poorer) == ("held", "in_digest", None)
    fuller = said(rosa, "transaction.alert", "tx-9")
    route()
    send()
    Bundle.objects.all_tenants().update(flush_at=clock.now(), opened_at=clock.now() - timedelta(days=2))
    make_due()
    flush_bundles(claimed("route.transactional"), float("inf"))
    assert told(poorer) == ("skipped", "superseded", fuller)
    assert [message.content["subject"] for message in carrier.messages] == ["transaction.alert"]


@pytest.mark.parametrize("count", [1, 20])
def test_a_batch_with_rules_takes_a_fixed_number_of_statements(count: int) -> None:
    payments()
    kind("payment.received", waits_for=["transaction.alert"], waits=WAIT, dedup_window=timedelta(minutes=5))
    for who in people(count):
        said(who, "payment.received")
        said(who, "transaction.alert")
    works = claimed("route.transactional")
    with statements(14):
        route_batch(works)
