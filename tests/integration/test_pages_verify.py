"""Verifying an address: the link goes there and nowhere else, and only a yes verifies."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from apps.audience.models import Endpoint
from apps.core import clock, ids
from apps.core.enums import Channel
from apps.dispatch.ringer import ringer
from apps.ledger.models import Notification
from apps.pages.verifying import Asked, token_of
from tests.integration.dispatch_cast import Carrier, carrier, endpoint, notify, person, route, rung, send, states
from tests.integration.pages_cast import Browser, catalogue

__all__ = ["carrier", "rung"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


@pytest.fixture
def rosa(monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setattr(ringer, "ask", lambda *queues: None)
    catalogue()
    recipient = person()
    endpoint(recipient, address="rosa@acme.test")
    return Browser(recipient)


def ask(rosa: Browser, endpoint_id: UUID) -> int:
    return int(rosa.post("verify", address=ids.show(ids.ENDPOINT, endpoint_id)).status_code)


def is_verified(endpoint_id: UUID) -> bool:
    return Endpoint.objects.all_tenants().get(id=endpoint_id).verified_at is not None


def test_an_address_is_verified_by_whoever_has_it(rosa: Browser, carrier: Carrier) -> None:
    new = endpoint(rosa.recipient, address="new@acme.test", verified_at=None)
    assert ask(rosa, new) == 200
    route("critical")
    send("send.critical.email")
    (message,) = carrier.messages
    assert message.address == "new@acme.test"
    assert "/preferences/" not in message.content["html"] + message.content["text"]
    (token,) = set(re.findall(r"/verify/([\w-]+)", message.content["text"]))
    page = Client().get(f"/verify/{token}")
    assert page.status_code == 200 and "Is this address yours?" in page.content.decode()
    assert not is_verified(new)
    assert [Client().post(f"/verify/{token}").status_code for _ in range(2)] == [200, 200]
    assert is_verified(new)


def test_until_then_nothing_else_goes_there(rosa: Browser, carrier: Carrier) -> None:
    number = endpoint(rosa.recipient, Channel.SMS, "+12025550001", verified_at=None)
    assert ask(rosa, number) == 200
    notify([rosa.recipient], channels=[Channel.SMS])
    route()
    route("critical")
    send("send.critical.sms")
    assert [m.address for m in carrier.messages] == ["+12025550001"]
    assert states() == [("sms", "sent", ""), ("sms", "skipped", "endpoint_unverified")]


def test_only_ones_own_and_not_too_often(rosa: Browser) -> None:
    mine = endpoint(rosa.recipient, address="new@acme.test", verified_at=None)
    other = endpoint(person("otto"), address="otto@acme.test", verified_at=None)
    verified = Endpoint.objects.all_tenants().get(recipient_id=rosa.recipient, verified_at__isnull=False).id
    device = endpoint(rosa.recipient, Channel.PUSH, "token", verified_at=None)
    assert [ask(rosa, one) for one in (other, verified, device)] == [422, 422, 422]
    assert Notification.objects.all_tenants().count() == 0
    assert [ask(rosa, mine) for _ in range(4)] == [200, 200, 200, 422]
    assert Notification.objects.all_tenants().count() == 3


def test_a_link_that_is_over_or_of_an_address_that_is_gone_verifies_nothing(rosa: Browser) -> None:
    new = endpoint(rosa.recipient, address="new@acme.test", verified_at=None)
    over = token_of(Asked(rosa.recipient, new, clock.now() - timedelta(seconds=1)))
    foreign = token_of(Asked(person("otto"), new, clock.now() + timedelta(hours=1)))
    assert [Client().post(f"/verify/{token}").status_code for token in (over, foreign, rosa.token)] == [404, 410, 404]
    assert not is_verified(new)
