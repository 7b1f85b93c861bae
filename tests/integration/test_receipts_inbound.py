"""What people text to our numbers: STOP holds before the next send, START takes back no more than STOP did."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.audience.addresses import address_hash
from apps.audience.models import Recipient
from apps.channels import selectors as channels
from apps.channels import services as accounts
from apps.core import clock
from apps.core.enums import Category, Channel, SuppressionReason
from apps.ledger.models import DeliveryEvent
from apps.preferences import services as preferences
from apps.preferences.models import Suppression
from apps.receipts import views
from apps.receipts.models import ReceiptCall
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import endpoint, notify, person, route, send, states, tenant
from tests.integration.dispatch_cast import rung as rung
from tests.integration.inbound_cast import PHONE, heard, posted, switches, text, twilio, veto, vetoes
from tests.integration.receipts_cast import apply
from tests.simulators.twilio import inbound
from tests.simulators.twilio import signed as twilio_signed
from tests.simulators.vonage import API_KEY, API_SECRET, SECRET
from tests.simulators.vonage import inbound as vonage_inbound

pytestmark = pytest.mark.django_db
OTHER = "+12025550002"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, rung: list[str]) -> Iterator[None]:
    monkeypatch.setattr(views.ringer, "ask", lambda *queues: None)
    channels.forget_cached()
    yield
    channels.forget_cached()


@pytest.mark.parametrize(("provider", "sender"), [("twilio", PHONE), ("whatsapp", f"whatsapp:{PHONE}")])
def test_stop_holds_before_the_next_send(carrier: Any, provider: str, sender: str) -> None:
    """Said to a WhatsApp sender it stops text messages, too: both are the channel `sms`."""
    otto, rosa = person("otto"), person("rosa")
    endpoint(otto, Channel.SMS, PHONE)
    endpoint(rosa, Channel.SMS, OTHER)
    twilio(tenant(), provider=provider)
    content = {"title": "Hello", "body": "It is here."}
    notify([otto, rosa], channels=(Channel.SMS,), content=content)
    route()
    response = text("Stop!", sender=sender)
    assert (response.status_code, response["Content-Type"]) == (200, "text/xml")
    assert response.content == b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
    assert send("send.transactional.sms") == 2
    assert [message.address for message in carrier.messages] == [OTHER]
    assert states() == [("sms", "sent", ""), ("sms", "skipped", "suppressed")]
    assert vetoes() == [("acme", "opted_out", "inbound")]
    assert switches() == [("otto", "category:marketing", "sms", False, "inbound")]
    assert heard() == ["stop 1"]
    row = Suppression.objects.all_tenants().get()
    assert (row.channel, row.masked) == ("sms", "+1*****01")
    assert bytes(row.address_hash) == address_hash(tenant(), Channel.SMS, PHONE)


def test_start_takes_it_back(carrier: Any) -> None:
    otto = person("otto")
    endpoint(otto, Channel.SMS, PHONE)
    twilio(tenant())
    text("ABMELDEN")
    assert vetoes() == [("acme", "opted_out", "inbound")]
    text("Start")
    assert (vetoes(), switches(), heard()) == ([], [], ["stop 1", "start 1"])
    notify([otto], channels=(Channel.SMS,), category=Category.CRITICAL)
    route("critical")
    assert send("send.critical.sms") == 1
    assert len(carrier.messages) == 1


@pytest.mark.parametrize(
    ("reason", "source", "is_lifted"),
    [
        (SuppressionReason.OPTED_OUT, "receipt", True),
        (SuppressionReason.OPTED_OUT, "twilio-one", True),
        (SuppressionReason.HARD_BOUNCE, "receipt", False),
        (SuppressionReason.COMPLAINT, "receipt", False),
        (SuppressionReason.MANUAL, "api", False),
    ],
)
def test_start_lifts_what_people_asked_for_and_nothing_else(
    reason: SuppressionReason, source: str, is_lifted: bool
) -> None:
    endpoint(person("otto"), Channel.SMS, PHONE)
    twilio(tenant())
    veto(reason, source)
    text("YES")
    assert vetoes() == ([] if is_lifted else [("acme", reason.value, source)])


def test_stop_keeps_the_reason_that_was_there_first() -> None:
    endpoint(person("bea"), Channel.SMS, PHONE)
    twilio(tenant())
    veto(SuppressionReason.HARD_BOUNCE)
    text("stop")
    text("start")
    assert vetoes() == [("acme", "hard_bounce", "api")]


def test_start_leaves_what_was_switched_off_elsewhere() -> None:
    otto = person("otto")
    endpoint(otto, Channel.SMS, PHONE)
    twilio(tenant())
    for topic, channel in (("category:marketing", "sms"), ("category:marketing", "email"), ("order.*", "sms")):
        preferences.set_switch(
            tenant_id=tenant(), recipient_id=otto, topic=topic, channel=channel, is_on=False, source="page"
        )
    text("start")
    assert [switch[1:] for switch in switches()] == [
        ("category:marketing", "email", False, "page"),
        ("category:marketing", "sms", False, "page"),
        ("order.*", "sms", False, "page"),
    ]


def test_a_number_nobody_has_yet_is_vetoed_for_the_accounts_own_tenant() -> None:
    twilio(tenant())
    text("stop")
    assert (vetoes(), switches(), heard()) == ([("acme", "opted_out", "inbound")], [], ["stop 1"])


def test_an_account_for_everybody_speaks_to_all_who_know_the_number() -> None:
    for slug in ("acme", "bold", "calm"):
        tenant(slug)
    for slug, user in (("acme", "otto"), ("bold", "o-2")):
        owner = tenant(slug)
        someone = Recipient.objects.create(tenant_id=owner, user_id=user)
        endpoint(someone.id, Channel.SMS, PHONE, slug=slug)
    twilio(None)
    text("stop")
    assert vetoes() == [("acme", "opted_out", "inbound"), ("bold", "opted_out", "inbound")]
    assert [switch[0] for switch in switches()] == ["o-2", "otto"]
    text("stop", sender="+12025550099")
    assert len(vetoes()) == 2
    text("start")
    assert (vetoes(), switches()) == ([], [])


def test_another_tenants_account_changes_nothing_of_ours() -> None:
    endpoint(person("otto"), Channel.SMS, PHONE)
    twilio(tenant("bold"))
    text("stop")
    assert (vetoes(), switches()) == ([("bold", "opted_out", "inbound")], [])
    veto(SuppressionReason.OPTED_OUT, "inbound")
    text("start")
    assert vetoes() == [("acme", "opted_out", "inbound")]


@pytest.mark.parametrize(
    ("body", "more", "expected"),
    [
        ("HELP", {}, "help 1"),
        ("Where is my order?", {}, "unknown 1"),
        ("", {}, "unknown 1"),
        ("Stop by at five", {}, "unknown 1"),
        ("Adieu", {"OptOutType": "HELP"}, "help 1"),
    ],
)
def test_other_texts_are_counted_and_change_nothing(body: str, more: dict[str, str], expected: str) -> None:
    endpoint(person("otto"), Channel.SMS, PHONE)
    twilio(tenant())
    assert text(body, **more).status_code == 200
    assert (vetoes(), switches(), heard()) == ([], [], [expected])
    assert not DeliveryEvent.objects.all_tenants().exists()


def test_the_providers_own_word_counts() -> None:
    twilio(tenant())
    text("Genug jetzt", OptOutType="STOP")
    assert (vetoes(), heard()) == ([("acme", "opted_out", "inbound")], ["stop 1"])


@pytest.mark.parametrize("sender", ["89045", "Acme", ""])
def test_a_sender_that_is_no_phone_is_nobody(sender: str) -> None:
    twilio(tenant())
    text("STOP", sender=sender)
    assert (vetoes(), heard()) == ([], ["unknown 1"])


def test_a_text_counts_once_however_often_it_comes() -> None:
    endpoint(person("otto"), Channel.SMS, PHONE)
    twilio(tenant())
    text("stop", sid="SM1")
    text("start", sid="SM2")
    text("stop", sid="SM1")
    assert (vetoes(), heard()) == ([], ["stop 1", "start 1", ""])


def test_an_earlier_start_does_not_undo_a_later_stop() -> None:
    """Calls may be applied in any order: after a failure one is tried again when the next is done."""
    endpoint(person("otto"), Channel.SMS, PHONE)
    twilio(tenant())
    path = "/v1/receipts/twilio-one"
    calls = [inbound(settings.PUBLIC_URL + path, PHONE, body, sid=body) for body in ("start", "stop")]
    for call in calls:
        posted(path, call)
    start, _stop = ReceiptCall.objects.order_by("id")
    ReceiptCall.objects.filter(id=start.id).update(due_at=clock.now() + timedelta(hours=1))
    apply()
    assert vetoes() == [("acme", "opted_out", "inbound")]
    ReceiptCall.objects.filter(id=start.id).update(due_at=clock.now())
    apply()
    assert vetoes() == [("acme", "opted_out", "inbound")]
    assert [switch[0] for switch in switches()] == ["otto"]


def test_a_backlog_is_applied_in_the_order_of_its_texts() -> None:
    endpoint(person("otto"), Channel.SMS, PHONE)
    twilio(tenant())
    path = "/v1/receipts/twilio-one"
    for number, body in enumerate(("stop", "start", "stop", "start")):
        call = inbound(settings.PUBLIC_URL + path, PHONE, body, sid=f"SM{number}")
        posted(path, call)
    apply()
    assert (vetoes(), switches(), len(heard())) == ([], [], 4)


def test_the_door_refuses_texts_that_twilio_did_not_send() -> None:
    twilio(tenant())
    path = "/v1/receipts/twilio-one"
    call = inbound(settings.PUBLIC_URL + path, PHONE, "stop", sid="SM1", token="somebody-elses")
    response = posted(path, call)
    assert response.status_code == 401
    apply()
    assert (vetoes(), ReceiptCall.objects.count()) == ([], 0)


def test_a_receipt_is_thanked_alike_and_heard_as_nothing() -> None:
    twilio(tenant())
    path = "/v1/receipts/twilio-one?reference=at_1"
    call = twilio_signed(settings.PUBLIC_URL + path, {"MessageSid": "SM1", "MessageStatus": "queued"})
    response = posted(path, call)
    assert (response.status_code, response["Content-Type"]) == (200, "text/xml")
    apply()
    assert heard() == [""]


def test_vonage_delivers_texts_alike() -> None:
    accounts.create_account(
        key="vonage-one",
        provider="vonage",
        channel=Channel.SMS,
        tenant_id=tenant(),
        credentials={"api_key": API_KEY, "api_secret": API_SECRET},
        webhook_secrets=(SECRET,),
    )
    path = "/v1/receipts/vonage-one"
    for body, number in (("ARRÊT", 1), ("ARRÊT", 1), ("merci", 2)):
        call = vonage_inbound(path, PHONE[1:], body, uuid=f"u{number}", at=clock.now().timestamp())
        response = Client().post(path, data=call.body, content_type="application/json", headers=dict(call.headers))
        assert (response.status_code, response.content) == (200, b'{"status":"stored"}')
    apply()
    assert (vetoes(), heard()) == ([("acme", "opted_out", "inbound")], ["stop 1", "", "unknown 1"])
