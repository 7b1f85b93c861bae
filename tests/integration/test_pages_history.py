"""What a person was sent, what was held back and why; their own data, to take along and to be deleted."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.audience.addresses import address_hash
from apps.audience.models import Endpoint, Recipient
from apps.core import clock, ids
from apps.core.enums import Category, Channel, SuppressionReason
from apps.core.types import NewSuppression
from apps.inbox.tokens import mint
from apps.ledger.models import Delivery, Notification
from apps.preferences.models import ConsentRecord, Preference, Suppression
from apps.preferences.opt_outs import opt_out
from tests.integration.bundles_cast import statements
from tests.integration.dispatch_cast import Carrier, carrier, endpoint, notify, person, route, rung, send, tenant
from tests.integration.pages_cast import Browser, catalogue

__all__ = ["carrier", "rung"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
PHONE = "+12025550001"


@pytest.fixture
def rosa() -> Browser:
    catalogue()
    recipient = person()
    endpoint(recipient)
    return Browser(recipient)


def shown(page: Any) -> list[tuple[str, list[tuple[str, str, list[str]]]]]:
    return [(m["title"], [(p["channel"], p["status"], p["why"]) for p in m["parts"]]) for m in page.context["messages"]]


def test_it_lists_what_was_sent_and_what_was_held_back_and_why(rosa: Browser, carrier: Carrier) -> None:
    rosa.cells(news__weekly="email=off")
    notify([rosa.recipient], content={"title": "Your order", "body": "Soon."})
    notify(
        [rosa.recipient], category=Category.MARKETING, event_type="news.weekly", content={"title": "News", "body": "x"}
    )
    route()
    route("marketing")
    send()
    page = rosa.get("messages/")
    (news, (mail,)), (order, (sent,)) = shown(page)
    assert (news, order, sent) == ("News", "Your order", ("Email", "Sent", []))
    assert mail[:2] == ("Email", "Held back")
    assert mail[2][0] == "You switched this kind of message off."
    assert mail[2][1].startswith("You chose this on ") and mail[2][1].endswith(": on your settings page.")
    assert page.context["messages"][1]["parts"][0]["view_url"].startswith("http://127.0.0.1:8000/view/")
    assert page.context["messages"][0]["parts"][0]["view_url"] == ""


def test_a_bypassed_opt_out_is_marked(rosa: Browser, carrier: Carrier) -> None:
    rosa.post("pause", **{"for": "day"})
    notify(
        [rosa.recipient], category=Category.CRITICAL, event_type="login.code", content={"title": "Code", "body": "1"}
    )
    route("critical")
    page = rosa.get("messages/")
    assert page.context["messages"][0]["is_bypassed"]
    why = page.context["messages"][0]["parts"][0]["why"]
    assert why[0] == "It was sent although you chose otherwise, because it is needed for your security or safety."
    assert why[1] == "You muted it for a time."
    assert "Sent although you chose otherwise" in page.content.decode()


def test_it_is_paged_and_takes_few_queries(rosa: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    notify([rosa.recipient] * 53, content={"title": "Hi", "body": "x"})
    route()
    with statements(monkeypatch) as by_hand:
        page = rosa.get("messages/")
    assert len(page.context["messages"]) == 50 and len(by_hand) == 3
    older = rosa.client.get(page.context["older_url"])
    assert len(older.context["messages"]) == 3 and older.context["older_url"] == ""
    assert {m["id"] for m in page.context["messages"]}.isdisjoint(m["id"] for m in older.context["messages"])
    assert "Nothing yet." in Browser(person("otto")).get("messages/").content.decode()


def test_one_message_says_why_and_is_nobody_elses(rosa: Browser) -> None:
    (n,) = notify(
        [rosa.recipient], category=Category.SOCIAL, event_type="comment.new", content={"title": "Hi", "body": "x"}
    )
    route("social")
    path = f"messages/{ids.show(ids.NOTIFICATION, n)}"
    page = rosa.get(path)
    assert page.status_code == 200 and "Why did I get this?" in page.content.decode()
    assert page.context["category"] == "Other people"
    for found in (Browser(person("otto")).get(path), rosa.get("messages/nt_x"), rosa.get("messages/x")):
        assert found.status_code == 404 and "There is no such message" in found.content.decode()


def test_stop_ends_in_the_same_place_and_the_page_says_so(rosa: Browser) -> None:
    endpoint(rosa.recipient, Channel.SMS, PHONE)
    owner, who = tenant(), rosa.recipient
    veto = NewSuppression(
        owner, Channel.SMS, address_hash(owner, Channel.SMS, PHONE), "+1***", SuppressionReason.OPTED_OUT, "inbound"
    )
    opt_out([(owner, who)], [veto], channel=Channel.SMS, source="inbound", at=clock.now())
    record = ConsentRecord.objects.all_tenants().filter(what="preference").get()
    assert (record.topic, record.channel, record.source, record.after) == (
        "category:marketing",
        "sms",
        "inbound",
        {"on": False},
    )
    page = rosa.get()
    assert page.context["addresses"][1]["veto"] == "You opted out at the provider."
    notify([who], category=Category.MARKETING, channels=[Channel.SMS], content={"title": "Hi", "body": "x"})
    Suppression.objects.all_tenants().delete()
    route("marketing")
    ((_title, ((_channel, status, why),)),) = shown(rosa.get("messages/"))
    assert status == "Held back" and why[1].endswith(": by answering a text message.")


def data(answer: Any) -> Any:
    assert answer["Content-Disposition"] == 'attachment; filename="my-data.json"'
    return json.loads(answer.content)


def test_the_export_has_everything_and_masks_addresses_for_a_link(rosa: Browser, carrier: Carrier) -> None:
    Recipient.objects.update(attributes={"first_name": "Rosa"}, timezone="Europe/Zurich")
    rosa.cells(comment__new="email=off")
    notify([rosa.recipient], content={"title": "Your order", "body": "Soon."})
    route()
    found = data(rosa.get("data.json"))
    assert found["profile"] == {
        "user_id": "rosa",
        "locale": "",
        "timezone": "Europe/Zurich",
        "attributes": {"first_name": "Rosa"},
    }
    assert [a["address"] for a in found["addresses"]] == ["r***@acme.test"]
    assert found["choices"]["switches"][0]["topic"] == "comment.new"
    assert found["consents"]["is_whole"] and found["consents"]["records"][0]["source"] == "settings_page"
    assert found["consents"]["head"] == found["consents"]["records"][-1]["hash"]
    assert [(m["title"], m["channels"][0]["status"]) for m in found["messages"]] == [("Your order", "queued")]


def test_whoever_comes_from_the_tenants_app_gets_addresses_in_clear(rosa: Browser) -> None:
    token, _ends = mint(tenant_id=tenant(), recipient_id=rosa.recipient, expires_in=timedelta(hours=1), now=clock.now())
    client = Client()
    client.get("/preferences/", {"token": token})
    found = data(client.get("/preferences/me/data.json"))
    assert [a["address"] for a in found["addresses"]] == [f"{rosa.recipient}@acme.test"]


def test_deleting_asks_first_and_keeps_the_proof(rosa: Browser, carrier: Carrier) -> None:
    rosa.cells(comment__new="email=off")
    suppressed = NewSuppression(tenant(), Channel.EMAIL, b"x" * 32, "r***", SuppressionReason.COMPLAINT, "x")
    opt_out([], [suppressed], channel=Channel.EMAIL, source="inbound", at=clock.now())
    notify([rosa.recipient], content={"title": "Your order", "body": "Soon."})
    route()
    form = {"form_key": rosa.get("delete").context["visitor"].form_key}
    page = rosa.client.post(rosa.url + "delete", form)
    assert page.status_code == 422 and "Tick the box first." in page.content.decode()
    assert Recipient.objects.count() == 1
    page = rosa.client.post(rosa.url + "delete", {**form, "sure": "yes"})
    assert page.status_code == 200 and "Your data is deleted" in page.content.decode()
    gone = (Recipient, Endpoint, Preference)
    assert [kind.objects.all_tenants().count() for kind in gone] == [0, 0, 0]
    assert Notification.objects.all_tenants().get().sealed is None
    assert Delivery.objects.all_tenants().get().status == "skipped"
    assert (ConsentRecord.objects.all_tenants().count(), Suppression.objects.all_tenants().count()) == (1, 1)
    assert send() == 0 and carrier.messages == []
    assert rosa.get().status_code == 410


def test_deleting_one_leaves_the_others(rosa: Browser) -> None:
    other: UUID = person("otto")
    key = rosa.get("delete").context["visitor"].form_key
    rosa.client.post(rosa.url + "delete", {"form_key": key, "sure": "yes"})
    assert Browser(other).get().status_code == 200
