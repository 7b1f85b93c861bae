"""Routing a batch: decisions become deliveries with their work, or a reason."""

from typing import Any

import pytest

from apps.channels.services import create_account
from apps.core import ids
from apps.core.enums import Category, Channel, KeyMode, Reason
from apps.dispatch import route_batch as module
from apps.ledger.models import Delivery
from apps.ledger.selectors import notifications
from apps.preferences.models import Preference
from apps.routing.decisions import Hold
from apps.tenants.models import Guest
from apps.tenants.selectors import tenant_by_id
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import (
    claimed,
    counts,
    delivery,
    endpoint,
    item,
    left,
    notify,
    person,
    route,
    soon,
    states,
    tenant,
)
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import event_type
from tests.integration.doubts_cast import quiet as quiet
from tests.integration.templates_cast import email, publish, sms

pytestmark = pytest.mark.django_db


def test_a_delivery_is_written_with_its_work() -> None:
    rosa = person()
    mail = endpoint(rosa)
    expires = soon(3600)
    (n,) = notify([rosa], expires_at=expires)
    routed = item()
    assert module.route_batch(claimed("route.transactional")) == ["send.transactional.email"]
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


def test_what_is_withheld_has_its_reason_and_no_work() -> None:
    otto = person("otto")
    endpoint(otto)
    endpoint(otto, Channel.SMS, "+4915112345678", verified_at=None)
    endpoint(otto, Channel.PUSH, "token", retired_at=soon(-60))
    Preference.objects.create(tenant_id=tenant(), recipient_id=otto, topic="*", channel="email", is_on=False)
    notify([otto], channels=[Channel.EMAIL, Channel.SMS, Channel.PUSH])
    notify([ids.new()])
    notify([otto], expires_at=soon(-1))
    assert module.route_batch(claimed("route.transactional")) == []
    assert states() == [
        ("email", "expired", "expired"),
        ("email", "skipped", "channel_off"),
        ("email", "skipped", "unknown_recipient"),
        ("push", "skipped", "endpoint_retired"),
        ("sms", "skipped", "endpoint_unverified"),
    ]
    assert not Delivery.objects.all_tenants().filter(ended_at=None).exists()
    assert left() == []


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
    event_type("order.shipped", category="transactional", channels=["email", "in_app"])
    notify([rosa], channels=[], event_type="order.shipped", content={"title": "a", "body": "b"})
    route()
    assert states() == [("email", "queued", ""), ("in_app", "queued", "")]


def test_without_those_the_templates_channels_count() -> None:
    rosa = person()
    endpoint(rosa)
    owner = tenant_by_id(tenant())
    assert owner is not None
    publish(owner, "shipped", sms("It is here."), email("<p>It is here.</p>"))
    event_type("order.shipped", category="transactional", template_key="shipped")
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


def test_sensitive_data_goes_at_once_when_nothing_will_be_sent() -> None:
    rosa = person()
    event_type("order.shipped", category="transactional", sensitive_keys=["code"])
    shipped: Any = {"event_type": "order.shipped", "content": {"title": "a", "body": "b"}}
    (skipped,) = notify([rosa], data={"code": "123456", "name": "Rosa"}, **shipped)
    route()
    endpoint(rosa)
    (queued,) = notify([rosa], data={"code": "123456"}, **shipped)
    route()
    found = notifications([skipped, queued])
    assert found[skipped].data == {"code": "[erased]", "name": "Rosa"}
    assert found[queued].data == {"code": "123456"}
