"""SendGrid, Mailgun and Postmark at the receipts door: who gets in, and what a bounce, a block and a way out do."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pytest
from django.test import Client

from apps.channels import selectors as channels
from apps.channels import services as channel_services
from apps.core import clock
from apps.core.enums import Channel
from apps.core.types import ProviderCall
from apps.ledger.models import DeliveryEvent
from apps.preferences.models import Suppression
from apps.receipts import services, views
from apps.receipts.models import ReceiptCall
from tests.integration.receipts_cast import Sent, sent
from tests.simulators.base import Simulator
from tests.simulators.mailgun import MailgunSimulator
from tests.simulators.postmark import PostmarkSimulator
from tests.simulators.sendgrid import SendgridSimulator
from tests.simulators.wire import Taken

pytestmark = pytest.mark.django_db
KEY = "acme-mail"
THANKS = {"sendgrid": 202, "mailgun": 200, "postmark": 200}


@dataclass
class Door:
    client: Client
    simulator: Simulator

    def call(self, about: Sent, kind: str) -> ProviderCall:
        url = f"https://notify.acme.test/v1/receipts/{KEY}"
        extra = {"notifier_reference": about.reference}
        taken = Taken(about.reference, "m1", "bea@simulator.test", "dl_1", url, extra)
        call = self.simulator.receipt(taken, kind, clock.now().timestamp())
        assert call
        return call

    def post(self, call: ProviderCall) -> Any:
        kind = call.headers["content-type"]
        headers = dict(call.headers)
        return self.client.post(f"/v1/receipts/{KEY}", data=call.body, content_type=kind, headers=headers)

    def tell(self, about: Sent, *kinds: str) -> None:
        for kind in kinds:
            assert self.post(self.call(about, kind)).status_code == THANKS[self.simulator.name]
        assert services.apply_due(ends=monotonic() + 10)


@pytest.fixture(params=[SendgridSimulator, MailgunSimulator, PostmarkSimulator])
def door(request: pytest.FixtureRequest, client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setattr(views.ringer, "ask", lambda *queues: None)
    simulator: Simulator = request.param()
    channel_services.create_account(
        key=KEY,
        provider=simulator.name,
        channel=Channel.EMAIL,
        credentials=simulator.credentials,
        webhook_secrets=simulator.webhook_secrets,
    )
    yield Door(client, simulator)
    channels.forget_cached()


def test_a_forged_call_leaves_no_trace(door: Door) -> None:
    about = sent(account=KEY)
    response = door.post(door.simulator.forged(door.call(about, "bounced")))
    assert (response.status_code, response.json()["code"]) == (401, "signature_invalid")
    assert not ReceiptCall.objects.exists()
    assert about.status == "sent"


def test_a_hard_bounce_suppresses_and_counts_once(door: Door) -> None:
    about = sent(account=KEY)
    call = door.call(about, "bounced")
    for _ in range(3):
        door.post(call)
    door.tell(about)
    assert about.status == "bounced"
    assert [str(one.reason) for one in Suppression.objects.of(about.tenant)] == ["hard_bounce"]
    assert DeliveryEvent.objects.of(about.tenant).filter(delivery_id=about.delivery).count() == 1


def test_what_is_not_the_addresss_fault_suppresses_nothing(door: Door) -> None:
    about = sent(account=KEY)
    door.tell(about, "deferred", "soft_bounced")
    assert about.status == "sent"
    door.tell(about, "delivered", "opened")
    assert about.status == "delivered"
    assert not Suppression.objects.of(about.tenant).exists()


@pytest.mark.parametrize(("kind", "reason"), [("complained", "complaint"), ("opted_out", "opted_out")])
def test_the_persons_word_suppresses(door: Door, kind: str, reason: str) -> None:
    about = sent(account=KEY)
    door.tell(about, "delivered", kind)
    assert about.status == "delivered"
    assert [str(one.reason) for one in Suppression.objects.of(about.tenant)] == [reason]


def test_a_call_about_another_accounts_message_changes_nothing(door: Door) -> None:
    about = sent(account="somebody-elses")
    door.tell(about, "bounced")
    assert about.status == "sent"
    assert not Suppression.objects.of(about.tenant).exists()
    assert ReceiptCall.objects.get().error == "unmatched"
