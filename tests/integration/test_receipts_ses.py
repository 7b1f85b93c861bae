"""SNS at the receipts door: who gets in, what is confirmed, and what a bounce does."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.test import Client

from apps.channels import selectors as channels
from apps.channels import services as channel_services
from apps.channels import sns_certificates, transport
from apps.core import clock
from apps.core.enums import Channel
from apps.core.types import ProviderCall
from apps.preferences.models import Suppression
from apps.receipts import views
from apps.receipts.models import ReceiptCall
from tests.integration.receipts_cast import Sent, apply, sent
from tests.simulators import running, sns
from tests.simulators.ses import SesSimulator, event
from tests.simulators.wire import Taken

pytestmark = pytest.mark.django_db
KEY = "acme-ses"
URL = f"/v1/receipts/{KEY}"


@dataclass
class Door:
    client: Client
    simulator: SesSimulator

    def post(self, call: ProviderCall) -> Any:
        """As SNS does."""
        kind = call.headers["content-type"]
        return self.client.post(URL, data=call.body, content_type=kind, headers={**call.headers})

    def note(self, about: Sent, kind: str) -> ProviderCall:
        taken = Taken(about.reference, "0102-1", "bea@simulator.test")
        fields = sns.note(json.dumps(event(taken, kind, clock.now())), origin=self.simulator.url, at=clock.now())
        return sns.call(self.simulator.signer, URL, fields)


@contextmanager
def _opened(client: Client, monkeypatch: pytest.MonkeyPatch, **settings: object) -> Iterator[Door]:
    monkeypatch.setattr(views.ringer, "ask", lambda *queues: None)
    sns_certificates.forget_cached()
    with running(SesSimulator()) as simulator:
        channel_services.create_account(
            key=KEY,
            provider="ses",
            channel=Channel.EMAIL,
            sender="hello@acme.test",
            settings={**simulator.settings, **settings},
        )
        yield Door(client, simulator)
    transport.close_connections()
    sns_certificates.forget_cached()
    channels.forget_cached()


@pytest.fixture
def door(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with _opened(client, monkeypatch) as opened:
        yield opened


def test_a_subscription_is_confirmed_by_a_worker(door: Door) -> None:
    fields = sns.subscription(origin=door.simulator.url, at=clock.now())
    assert door.post(sns.call(door.simulator.signer, URL, fields)).status_code == 202
    assert door.simulator.confirmed == []
    apply()
    assert door.simulator.confirmed == [sns.TOPIC]
    call = ReceiptCall.objects.get()
    assert (call.applied_at is not None, call.error) == (True, "")


def test_a_confirmation_that_fails_is_tried_again(door: Door) -> None:
    fields = sns.subscription(origin=door.simulator.url, at=clock.now())
    assert door.post(sns.call(door.simulator.signer, URL, fields)).status_code == 202
    door.simulator.is_message = lambda request: True  # type: ignore[method-assign]
    door.simulator.behave(status=503)
    apply()
    call = ReceiptCall.objects.get()
    assert (call.applied_at, call.parked_at, call.tries) == (None, None, 1)
    door.simulator.behave()
    ReceiptCall.objects.update(due_at=clock.now())
    apply()
    assert door.simulator.confirmed[-1:] == [sns.TOPIC]
    assert ReceiptCall.objects.get().applied_at is not None


def test_a_bounce_suppresses_the_address(door: Door) -> None:
    bea = sent(account=KEY)
    assert door.post(door.note(bea, "bounced")).status_code == 202
    apply()
    assert bea.status == "bounced"
    assert Suppression.objects.of(bea.tenant).get().reason == "hard_bounce"


def test_a_soft_bounce_and_a_delay_do_not(door: Door) -> None:
    bea = sent(account=KEY)
    for kind in ("soft_bounced", "deferred"):
        assert door.post(door.note(bea, kind)).status_code == 202
    apply()
    assert not Suppression.objects.of(bea.tenant).exists()
    assert {call.error for call in ReceiptCall.objects.all()} == {""}


def test_what_others_signed_is_refused_and_leaves_nothing(door: Door) -> None:
    call = door.note(sent(account=KEY), "bounced")
    forged = door.simulator.forged(call)
    altered = replace(call, body=call.body.replace(b"bea@", b"eve@"))
    for one in (forged, altered, replace(call, headers={**call.headers, "x-amz-sns-message-id": "other"})):
        assert door.post(one).status_code == 401
    assert not ReceiptCall.objects.exists()


def test_it_asks_for_another_call_while_the_certificate_cannot_be_had(door: Door) -> None:
    door.simulator.is_message = lambda request: True  # type: ignore[method-assign]
    door.simulator.behave(status=503)
    call = door.note(sent(account=KEY), "bounced")
    response = door.post(call)
    assert (response.status_code, response.json()["code"], response["Retry-After"]) == (503, "unavailable", "20")
    assert not ReceiptCall.objects.exists()
    door.simulator.behave()
    assert door.post(call).status_code == 202


def test_a_link_into_our_own_network_is_refused_and_not_followed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _opened(client, monkeypatch, sns_url="") as door:
        trap = door.simulator
        for origin in (trap.url, "http://169.254.169.254", "https://sns.eu-west-1.amazonaws.com.evil.example"):
            fields = sns.subscription(origin=origin, at=clock.now())
            assert door.post(sns.call(trap.signer, URL, fields)).status_code == 401
            link = sns.subscription(
                origin="https://sns.eu-west-1.amazonaws.com", at=clock.now(), SubscribeURL=f"{origin}/latest"
            )
            assert door.post(sns.call(trap.signer, URL, link)).status_code == 401
        assert (trap.requests, trap.connections) == ([], 0)
    assert not ReceiptCall.objects.exists()
