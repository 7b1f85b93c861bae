"""From a notification to a phone and back, by each provider of text messages: none of them is named anywhere in the core."""

import re
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

from apps.channels import selectors, transport
from apps.channels import services as accounts
from apps.core import clock
from apps.core.enums import Category, Channel, KeyMode
from apps.core.types import Account, ProviderCall
from apps.dispatch import draining
from apps.ledger.models import Delivery
from apps.receipts import services, views
from tests.integration.dispatch_cast import attempts, delivery, endpoint, notify, person, route, rung, send, tenant
from tests.integration.doubts_cast import drained, later
from tests.simulators import Simulator, running
from tests.simulators.twilio import TwilioSimulator, inbound
from tests.simulators.vonage import VonageSimulator

__all__ = ["rung"]
pytestmark = pytest.mark.django_db
PHONE = "+12025550001"
PROVIDERS = {
    "twilio": (TwilioSimulator, "+12025550001"),
    "vonage": (VonageSimulator, "12025550001"),
    "whatsapp": (TwilioSimulator, "whatsapp:+12025550001"),
}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, rung: list[str]) -> Iterator[None]:
    monkeypatch.setattr(views.ringer, "ask", lambda *queues: None)
    selectors.forget_cached()
    yield
    selectors.forget_cached()
    transport.close_connections()


def account(provider: str, simulator: Simulator) -> Account:
    return accounts.create_account(
        key=f"{provider}-one",
        provider=provider,
        channel=Channel.SMS,
        tenant_id=tenant(),
        base_url=simulator.url,
        sender=simulator.sender,
        credentials=simulator.credentials,
        webhook_secrets=simulator.webhook_secrets,
    )


def post(call: ProviderCall | None) -> int:
    """To the door that the call names, then applied."""
    assert call is not None and call.url.startswith(settings.PUBLIC_URL)
    parts = urlsplit(call.url)
    headers = {name: value for name, value in call.headers.items() if name != "content-type"}
    kind = call.headers["content-type"]
    response = Client().post(f"{parts.path}?{parts.query}", data=call.body, content_type=kind, headers=headers)
    assert services.apply_due(ends=monotonic() + 10)
    return response.status_code


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_text_message_goes_out_and_its_receipts_come_back(provider: str) -> None:
    kind, address = PROVIDERS[provider]
    otto = person("otto")
    endpoint(otto, Channel.SMS, PHONE)
    with running(kind()) as simulator:
        account(provider, simulator)
        notify([otto], mode=KeyMode.LIVE, channels=(Channel.SMS,), content={"title": "Hi", "body": "Your code is 4711"})
        route()
        assert send("send.transactional.sms") == 1
        (taken,) = simulator.taken
        now = clock.now().timestamp()
        calls = [simulator.receipt(taken, kind, now) for kind in ("sent", "delivered", "delivered")]
        forged = simulator.forged(calls[1])  # type: ignore[arg-type]
    assert (taken.address, len(simulator.requests)) == (address, 1)
    assert attempts() == [(1, f"{provider}-one", "accepted", "")]
    assert delivery().status == "sent"
    assert delivery().provider_message_id == taken.message_id
    assert post(forged) == 401
    assert delivery().status == "sent"
    assert [post(call) for call in calls] == [200, 200, 200]
    assert delivery().status == "delivered"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_receipt_settles_what_was_in_doubt(provider: str) -> None:
    kind, _ = PROVIDERS[provider]
    otto = person("otto")
    endpoint(otto, Channel.SMS, PHONE)
    with running(kind()) as simulator:
        account(provider, simulator)
        simulator.behave(drop="after")
        notify([otto], mode=KeyMode.LIVE, channels=(Channel.SMS,), content={"title": "Hi", "body": "Your code is 4711"})
        route()
        send("send.transactional.sms")
        (taken,) = simulator.taken
        call = simulator.receipt(taken, "delivered", clock.now().timestamp())
    assert (delivery().status, len(simulator.requests)) == ("unknown", 1)
    assert post(call) == 200
    assert delivery().status == "delivered"


@pytest.mark.parametrize("has_another", [False, True])
def test_twilio_is_asked_about_what_is_in_doubt(has_another: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows no id of ours: what it took at that moment is ours, unless another attempt has it already."""
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)
    otto = person("otto")
    endpoint(otto, Channel.SMS, PHONE)
    with running(TwilioSimulator()) as simulator:
        account("twilio", simulator)
        content = {"title": "Hi", "body": "Your code is 4711"}
        if has_another:
            notify([otto], mode=KeyMode.LIVE, channels=(Channel.SMS,), content=content)
            route()
            send("send.transactional.sms")
        simulator.behave(drop="before" if has_another else "after")
        notify([otto], mode=KeyMode.LIVE, channels=(Channel.SMS,), content=content)
        route()
        send("send.transactional.sms")
        doubtful = Delivery.objects.all_tenants().get(status="unknown")
        simulator.behave()
        later(30)
        drained(Category.TRANSACTIONAL, Channel.SMS)
    found = Delivery.objects.all_tenants().get(id=doubtful.id)
    (taken,) = simulator.taken
    methods = [request.method for request in simulator.requests]
    assert methods == (["POST", "POST", "GET"] if has_another else ["POST", "GET"])
    if has_another:
        assert (found.status, found.provider_message_id) == ("unknown", "")
    else:
        assert (found.status, found.provider_message_id) == ("sent", taken.message_id)


def test_stop_on_whatsapp_is_heard() -> None:
    otto = person("otto")
    endpoint(otto, Channel.SMS, PHONE)
    with running(TwilioSimulator()) as simulator:
        account("whatsapp", simulator)
        url = f"{settings.PUBLIC_URL}/v1/receipts/whatsapp-one"
        assert post(inbound(url, f"whatsapp:{PHONE}", "Stop", sid="SM1")) == 200
        notify([otto], mode=KeyMode.LIVE, channels=(Channel.SMS,), content={"title": "Hi", "body": "Hello"})
        route()
        send("send.transactional.sms")
    assert simulator.requests == []
    assert (delivery().status, delivery().reason) == ("skipped", "suppressed")


def test_nothing_but_discovery_leads_to_them() -> None:
    """A provider is one file: no other file of the system imports it, or asks whether an account is of it."""
    imported = r"providers(\.| import )(twilio|vonage|whatsapp)"
    asked = r"(provider|name) (==|!=|in) .?\W(twilio|vonage|whatsapp)\W"
    files = [path for room in ("apps", "notifier") for path in Path(settings.BASE_DIR, room).rglob("*.py")]
    named = [path.name for path in files if re.search(f"{imported}|{asked}", path.read_text(), re.IGNORECASE)]
    assert named == ["whatsapp.py"]
