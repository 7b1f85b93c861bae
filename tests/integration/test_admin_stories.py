"""The story of one notification: a sentence, its channels, its moments; and what an operator does about it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience.models import Endpoint
from apps.core import clock, ids
from apps.core.types import Tenant
from apps.ledger.models import DeliveryEvent, Notification, WorkItem
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db

LIST = reverse("admin:ledger_notification_changelist")


def page(note: Notification) -> str:
    return reverse("admin:ledger_notification_change", args=[ids.show(ids.NOTIFICATION, note.id)])


def shown(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer
    return str(answer.content.decode())


@pytest.fixture
def note(acme: Tenant) -> Notification:
    return cast.notification(acme, cast.person(acme), age=timedelta(minutes=5), event_id="ev-1")


def test_it_tells_what_happened_and_shows_neither_content_nor_address(note: Notification, mira: Client) -> None:
    endpoint = Endpoint.objects.get(recipient_id=note.recipient_id)
    sent = cast.delivery(note, endpoint_id=endpoint.id, sent_at=clock.now(), provider_message_id="m-1")
    cast.attempt(sent, provider_message_id="m-1")
    cast.delivery(note, "sms", "skipped", reason="no_endpoint", ended_at=note.created_at)
    text = shown(mira, page(note))
    for words in (
        "It arrived by email.",
        "Accepted: event order.shipped, transactional, test key.",
        "SMS withheld: The recipient has no address for this channel.",
        "sandbox-email took it as m-1. Sent is not yet delivered.",
        "r***@acme.example",
        "+80 ms",
        "Encrypted; not shown here.",
    ):
        assert words in text, words
    assert "a secret" not in text
    assert "rosa@acme.example" not in text


@pytest.mark.parametrize("form", ["shown", "plain"])
def test_it_opens_under_any_form_of_its_id(note: Notification, mira: Client, form: str) -> None:
    id_ = ids.show(ids.NOTIFICATION, note.id) if form == "shown" else str(note.id)
    assert mira.get(reverse("admin:ledger_notification_change", args=[id_])).status_code == 200


def test_an_unknown_one_leads_home_with_a_word(mira: Client) -> None:
    for id_ in (ids.show(ids.NOTIFICATION, ids.new()), "nonsense"):
        answer = mira.get(reverse("admin:ledger_notification_change", args=[id_]))
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("channels", [1, 4])
def test_it_costs_as_many_statements_however_much_happened(note: Notification, mira: Client, channels: int) -> None:
    for channel in ("push", "email", "sms", "in_app")[:channels]:
        sent = cast.delivery(note, channel, "queued", endpoint_id=ids.new())
        for _ in range(channels):
            cast.attempt(sent)
        cast.letter(sent)
    mira.get(page(note))
    with statements(20):
        mira.get(page(note))


def test_a_delivery_opens_the_story_it_belongs_to(note: Notification, mira: Client) -> None:
    sent = cast.delivery(note)
    answer = mira.get(reverse("admin:ledger_delivery_change", args=[sent.id]))
    assert answer["Location"] == f"{page(note)}#{ids.show(ids.DELIVERY, sent.id)}"


def test_what_is_typed_by_callers_is_escaped(acme: Tenant, mira: Client) -> None:
    note = cast.notification(acme, cast.person(acme), event_type="<script>x</script>", actor_id="<b>")
    for text in (shown(mira, page(note)), shown(mira, LIST)):
        assert "<script>x" not in text
        assert "<b>" not in text


def test_cancelling_asks_first_and_takes_back_what_waits(note: Notification, mira: Client) -> None:
    cast.work(note)
    address = reverse("admin:ledger_notification_cancel", args=[ids.show(ids.NOTIFICATION, note.id)])
    assert "Cancel the notification" in shown(mira, address)
    assert WorkItem.objects.count() == 1
    assert mira.post(address)["Location"] == page(note)
    assert WorkItem.objects.count() == 0
    event = DeliveryEvent.objects.get()
    assert (event.kind, event.source) == ("cancelled", "operator mira")
    assert "There was nothing to cancel" in mira.post(address, follow=True).content.decode()
    assert DeliveryEvent.objects.count() == 1


def test_trying_again_leaves_doubt_alone_unless_told(note: Notification, mira: Client) -> None:
    doubtful = cast.delivery(note, "sms", "unknown", reason="in_doubt")
    address = reverse("admin:ledger_notification_retry", args=[ids.show(ids.NOTIFICATION, note.id)])
    assert mira.get(address).status_code == 200
    assert "nothing to try again" in mira.post(address, follow=True).content.decode()
    assert (WorkItem.objects.count(), cast.events("retried")) == (0, 0)
    mira.post(address, {"may_duplicate": "on"})
    doubtful.refresh_from_db()
    assert (doubtful.status, WorkItem.objects.get().queue) == ("queued", "send.transactional.sms")
    assert cast.events("retried") == 1


def test_a_viewer_looks_and_changes_nothing(note: Notification) -> None:
    cast.work(note)
    cast.delivery(note, status="failed")
    vera = cast.viewer("ledger.view_notification")
    text = shown(vera, page(note))
    assert "Try again" not in text
    assert "/cancel/" not in text
    for name in ("cancel", "retry"):
        address = reverse(f"admin:ledger_notification_{name}", args=[str(note.id)])
        assert vera.get(address).status_code == 403
        assert vera.post(address).status_code == 403
    assert (WorkItem.objects.count(), DeliveryEvent.objects.count()) == (1, 0)
