"""Routing a batch: decisions become deliveries, once each, in one transaction."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.channels.selectors import forget_cached
from apps.channels.services import create_account
from apps.core import ids
from apps.core import rows as sql
from apps.core.enums import Category, Channel, KeyMode, Reason
from apps.dispatch import route_batch as module
from apps.dispatch.route_batch import route_batch
from apps.events.models import EventType
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger import services, work
from apps.ledger.models import Delivery, SeenKey, WorkItem
from apps.ledger.selectors import notifications
from apps.preferences.models import Preference
from apps.routing.decisions import Hold
from apps.tenants.models import Guest
from apps.tenants.selectors import tenant_by_id
from tests.integration.dispatch_cast import (
    LEASE,
    claimed,
    counts,
    delivery,
    endpoint,
    item,
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
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.templates_cast import email, publish, sms

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(rung: list[str]) -> None:
    forget_cached()
    forget_event_types()


def event_type(key: str = "order.shipped", **fields: Any) -> None:
    EventType.objects.create(tenant_id=tenant(), key=key, name=key, **{"category": "transactional"} | fields)


def test_a_delivery_is_written_with_its_work(rung: list[str]) -> None:
    rosa = person()
    mail = endpoint(rosa)
    expires = soon(3600)
    (n,) = notify([rosa], expires_at=expires)
    routed = item()
    assert route() == 1
    one, todo = delivery(), item()
    assert (one.notification_id, one.tenant_id, one.recipient_id, one.endpoint_id) == (n, tenant(), rosa, mail)
    assert (one.channel, one.category, one.mode, one.status, one.reason, one.bypassed, one.account, one.ended_at) == (
        *("email", "transactional", "test", "queued", "", "", ""),
        None,
    )
    assert (todo.id, todo.queue, todo.kind, todo.channel, todo.phase) == (
        one.id,
        "send.transactional.email",
        "send",
        "email",
        0,
    )
    assert (todo.notification_id, todo.tenant_id, todo.priority, todo.expires_at) == (n, tenant(), 1, expires)
    assert (todo.order_at, todo.tries, todo.calls, todo.lease_token) == (routed.order_at, 0, 0, 0)
    assert rung == ["send.transactional.email"]
    assert counts() == {
        "Notification": 1,
        "Delivery": 1,
        "Attempt": 0,
        "DeliveryEvent": 0,
        "DeadLetter": 0,
        "WorkItem": 1,
    }


def test_push_goes_to_every_device_and_mail_to_the_newest_address() -> None:
    rosa = person()
    devices = {endpoint(rosa, Channel.PUSH, f"token-{n}", platform="ios") for n in range(3)}
    endpoint(rosa, address="old@acme.test")
    newest = endpoint(rosa, address="new@acme.test")
    notify([rosa], channels=[Channel.PUSH, Channel.EMAIL, Channel.IN_APP])
    route()
    found = [(d.channel, d.endpoint_id) for d in Delivery.objects.of(tenant())]
    assert len(found) == 5
    assert {e for c, e in found if c == "push"} == devices
    assert [e for c, e in found if c == "email"] == [newest]
    assert [e for c, e in found if c == "in_app"] == [None]
    assert left() == [
        ("send.transactional.email", 0),
        ("send.transactional.in_app", 0),
        *[("send.transactional.push", 0)] * 3,
    ]


def test_what_is_withheld_has_its_reason_and_no_work(rung: list[str]) -> None:
    otto = person("otto")
    endpoint(otto)
    endpoint(otto, Channel.SMS, "+4915112345678", verified_at=None)
    endpoint(otto, Channel.PUSH, "token", retired_at=soon(-60))
    Preference.objects.create(tenant_id=tenant(), recipient_id=otto, topic="*", channel="email", is_on=False)
    notify([otto], channels=[Channel.EMAIL, Channel.SMS, Channel.PUSH])
    notify([ids.new()])
    notify([otto], expires_at=soon(-1))
    assert route() == 3
    assert states() == [
        ("email", "expired", "expired"),
        ("email", "skipped", "channel_off"),
        ("email", "skipped", "unknown_recipient"),
        ("push", "skipped", "endpoint_retired"),
        ("sms", "skipped", "endpoint_unverified"),
    ]
    assert not Delivery.objects.all_tenants().filter(ended_at=None).exists()
    assert (left(), rung) == ([], [])


def test_critical_overrides_a_switch_and_says_so() -> None:
    otto = person("otto")
    endpoint(otto)
    Preference.objects.create(tenant_id=tenant(), recipient_id=otto, topic="*", channel="*", is_on=False)
    notify([otto], category=Category.CRITICAL)
    route("critical")
    assert (delivery().status, delivery().reason, delivery().bypassed) == ("queued", "", "channel_off")


def test_what_is_held_waits_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rosa = person()
    endpoint(rosa)
    until = soon(3600)
    monkeypatch.setattr(module, "decide", lambda case: Hold(until, Reason.EXPIRED))
    notify([rosa])
    route()
    assert (delivery().status, delivery().reason, delivery().ended_at, delivery().endpoint_id) == (
        "held",
        "expired",
        None,
        None,
    )
    assert (item().due_at, item().queue, item().id) == (until, "send.transactional.email", delivery().id)


def test_without_a_wish_the_event_types_channels_count() -> None:
    rosa = person()
    endpoint(rosa)
    event_type(channels=["email", "in_app"])
    notify([rosa], channels=[], event_type="order.shipped", content={"title": "a", "body": "b"})
    route()
    assert states() == [("email", "queued", ""), ("in_app", "queued", "")]


def test_without_those_the_templates_channels_count() -> None:
    rosa = person()
    endpoint(rosa)
    owner = tenant_by_id(tenant())
    assert owner is not None
    publish(owner, "shipped", sms("It is here."), email("<p>It is here.</p>"))
    event_type(template_key="shipped")
    notify([rosa], channels=[], event_type="order.shipped")
    route()
    assert states() == [("email", "queued", ""), ("sms", "skipped", "no_endpoint")]


def test_team_keys_reach_the_guest_list_only() -> None:
    rosa, otto = person(), person("otto")
    endpoint(rosa), endpoint(otto)
    Guest.objects.create(tenant_id=tenant(), user_id="rosa")
    create_account(key="fake", provider="sandbox", channel=Channel.EMAIL)
    (first, second) = notify([rosa, otto], mode=KeyMode.TEAM)
    route()
    found = {d.notification_id: (d.status, d.reason) for d in Delivery.objects.of(tenant())}
    assert found == {first: ("queued", ""), second: ("skipped", "not_on_guest_list")}


def test_a_live_message_without_any_account_is_skipped() -> None:
    rosa = person()
    endpoint(rosa)
    notify([rosa], mode=KeyMode.LIVE)
    route()
    assert (states(), left()) == ([("email", "skipped", "no_provider")], [])


def shipped(who: Any, **fields: Any) -> Any:
    return notify([who], event_type="order.shipped", content={"title": "a", "body": "b"}, **fields)[0]


def test_the_same_content_within_the_window_goes_out_once() -> None:
    rosa = person()
    endpoint(rosa)
    event_type(dedup_window_seconds=600)
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
    event_type(dedup_window_seconds=600)
    shipped(rosa)
    route()
    SeenKey.objects.update(expires_at=soon(-1))
    shipped(rosa)
    route()
    assert states() == [("email", "queued", "")] * 2


def test_what_is_skipped_takes_no_key() -> None:
    rosa = person()
    event_type(dedup_window_seconds=600)
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
    event_type(dedup_window_seconds=600)
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
    event_type(dedup_window_seconds=600)
    shipped(rosa)
    zombie = claimed("route.transactional")
    lapse_leases()
    work.lapse()
    keys = SeenKey.objects.count()
    route_batch(zombie)
    assert (states(), left(), rung, SeenKey.objects.count()) == ([], [("route.transactional", 0)], [], keys)
    route_batch(work.claim_lone(queue="route.transactional", lease=LEASE))
    assert states() == [("email", "queued", "")]


def test_routing_twice_makes_no_second_delivery() -> None:
    rosa = person()
    endpoint(rosa)
    event_type(dedup_window_seconds=600)
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


def test_sensitive_data_goes_at_once_when_nothing_will_be_sent() -> None:
    rosa = person()
    event_type(sensitive_keys=["code"])
    skipped = shipped(rosa, data={"code": "123456", "name": "Rosa"})
    route()
    endpoint(rosa)
    queued = shipped(rosa, data={"code": "123456"})
    route()
    found = notifications([skipped, queued])
    assert found[skipped].data == {"code": "[erased]", "name": "Rosa"}
    assert found[queued].data == {"code": "123456"}


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_a_batch_takes_a_fixed_number_of_statements(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    event_type(dedup_window_seconds=600)
    notify(people(count), event_type="order.shipped", content={"title": "a", "body": "b"})
    works = claimed("route.transactional")
    ours: list[str] = []
    _count_raw(monkeypatch, ours)
    with CaptureQueriesContext(connection) as seen:
        route_batch(works)
    assert len(Delivery.objects.of(tenant())) == count == len(works)
    # what Django runs: tenants, suppressions, event types; ours: recipients, endpoints, choices and rules, too
    django = [q["sql"].split()[0] for q in seen if "SAVEPOINT" not in q["sql"]]
    assert (len(django), len(ours)) == (3, 8), (django, ours)


def _count_raw(monkeypatch: pytest.MonkeyPatch, ours: list[str]) -> None:
    real = sql.Cursor

    class Counting(real):  # type: ignore[misc, valid-type]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            ours.append(str(query).split()[0])
            return super().execute(query, *args, **kwargs)

    monkeypatch.setattr(sql, "Cursor", Counting)
