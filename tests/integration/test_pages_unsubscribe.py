"""Unsubscribing by the link of a mail: one POST is enough, a GET is never enough, and what waits is stopped by it."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.core.enums import Category, Channel
from apps.ledger.models import Bundle, Delivery, DeliveryEvent
from apps.pages.models import Farewell
from apps.preferences import choosing, links
from apps.preferences.models import ConsentRecord, Preference, Suppression
from tests.integration.bundles_cast import flush
from tests.integration.dispatch_cast import (
    Carrier,
    carrier,
    endpoint,
    make_due,
    notify,
    person,
    route,
    rung,
    send,
    soon,
    states,
)
from tests.integration.pages_cast import Browser, catalogue

__all__ = ["carrier", "rung"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
MAIL = "send.marketing.email"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def rosa() -> UUID:
    catalogue()
    recipient = person()
    endpoint(recipient)
    return recipient


def offer(recipient: UUID, **fields: Any) -> None:
    content = {"title": "Two for one", "body": "Bring somebody along."}
    notify([recipient], category=Category.MARKETING, **{"content": content, **fields})
    route("marketing")


def switches(recipient: UUID) -> list[tuple[str, str, bool, str]]:
    rows = Preference.objects.all_tenants().filter(recipient_id=recipient).order_by("topic", "channel")
    return list(rows.values_list("topic", "channel", "is_on", "source"))


def links_in(carrier: Carrier) -> list[str]:
    return [message.content.get("unsubscribe_url", "") for message in carrier.messages]


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_one_post_without_cookie_login_or_redirect_is_enough(rosa: UUID, carrier: Carrier) -> None:
    offer(rosa)
    send(MAIL)
    (url,) = links_in(carrier)
    client = Client(enforce_csrf_checks=True)
    answer = client.post(path_of(url), ONE_CLICK, headers={"user-agent": "Mailer/1", "host": "127.0.0.1"})
    assert (answer.status_code, answer.content) == (200, b"You are unsubscribed.\n")
    assert client.cookies == {} and "Set-Cookie" not in answer.headers
    assert switches(rosa) == [("category:marketing", "email", False, "one_click")]
    record = ConsentRecord.objects.all_tenants().get()
    sent = Delivery.objects.all_tenants().get()
    assert (record.what, record.topic, record.channel, record.after) == (
        *("preference", "category:marketing", "email"),
        {"on": False},
    )
    assert (record.source, record.agent, record.address) == ("one_click", "Mailer/1", "127.0.0.1")
    assert (record.text, record.notification_id) == ("Offers and news: off by Email", sent.notification_id)
    assert sent.unsubscribed_at is not None and sent.status == "sent"
    assert [event.kind for event in DeliveryEvent.objects.all_tenants()] == ["opted_out"]
    assert not Suppression.objects.all_tenants().exists()


def test_twice_is_once(rosa: UUID, carrier: Carrier) -> None:
    offer(rosa)
    send(MAIL)
    path = path_of(links_in(carrier)[0])
    assert [Client().post(path, ONE_CLICK).status_code for _ in range(3)] == [200, 200, 200]
    assert len(switches(rosa)) == ConsentRecord.objects.all_tenants().count() == 1
    assert DeliveryEvent.objects.all_tenants().count() == 1
    assert choosing.stored([rosa])[rosa].version == 1


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_get_never_changes_anything(rosa: UUID, carrier: Carrier, method: str) -> None:
    offer(rosa)
    send(MAIL)
    path = path_of(links_in(carrier)[0])
    answer = getattr(Client(), method)(path + "?List-Unsubscribe=One-Click&do=topic")
    assert answer.status_code == 200
    assert switches(rosa) == [] and not ConsentRecord.objects.all_tenants().exists()
    if method == "get":
        assert "Nothing has been changed yet." in answer.content.decode()


def test_what_is_queued_already_is_not_sent(rosa: UUID, carrier: Carrier) -> None:
    offer(rosa)
    offer(rosa, channels=[Channel.IN_APP])
    delivery = Delivery.objects.all_tenants().get(channel="email")
    token = links.unsubscribe_token(rosa, delivery.id, "category:marketing", "email")
    assert Client().post(f"/unsubscribe/{token}", ONE_CLICK).status_code == 200
    send(MAIL)
    send("send.marketing.in_app")
    assert carrier.messages == []
    assert states() == [("email", "skipped", "topic_off"), ("in_app", "delivered", "")]


def test_what_is_held_is_not_sent_when_its_time_comes(rosa: UUID, carrier: Carrier) -> None:
    browser = Browser(rosa)
    browser.cells(news__weekly="email=hourly")
    offer(rosa, event_type="news.weekly", content={"title": "News", "body": "Of the week."})
    assert states() == [("email", "held", "in_digest")]
    delivery = Delivery.objects.all_tenants().get()
    token = links.unsubscribe_token(rosa, delivery.id, "category:marketing", "email")
    assert Client().post(f"/unsubscribe/{token}", ONE_CLICK).status_code == 200
    assert switches(rosa) == [("category:marketing", "email", False, "one_click")]
    Bundle.objects.all_tenants().update(opened_at=soon(-7_200), flush_at=soon(-3_600))
    make_due()
    assert flush("marketing") == 1
    route("marketing")
    send(MAIL)
    assert carrier.messages == []
    assert states() == [("email", "skipped", "topic_off")]


def test_only_marketing_has_the_headers_and_every_mail_has_the_settings(rosa: UUID, carrier: Carrier) -> None:
    for category in (Category.MARKETING, Category.TRANSACTIONAL, Category.SOCIAL, Category.CRITICAL):
        notify([rosa], category=category, channels=[Channel.EMAIL])
        route(category)
        send(f"send.{category}.email")
    has = {message.category.value: "unsubscribe_url" in message.content for message in carrier.messages}
    assert has == {"marketing": True, "transactional": False, "social": False, "critical": False}
    for message in carrier.messages:
        assert (
            links.settings_url(rosa) in message.content["html"] and links.settings_url(rosa) in message.content["text"]
        )
        assert ("/unsubscribe/" in message.content["text"]) == (message.category == Category.MARKETING)


def test_a_token_that_was_changed_is_a_page_in_words(rosa: UUID, carrier: Carrier) -> None:
    token = links.unsubscribe_token(rosa, rosa, "category:marketing", "email")
    other = links.settings_token(rosa)
    for wrong in (token[:-2] + "AA", other, "x"):
        answer = Client().post(f"/unsubscribe/{wrong}", ONE_CLICK)
        assert answer.status_code == 404
        assert "This link does not work" in answer.content.decode()
    assert switches(rosa) == []


def test_whoever_is_gone_is_told_so(rosa: UUID) -> None:
    token = links.unsubscribe_token(UUID(int=9), UUID(int=9), "category:marketing", "email")
    answer = Client().post(f"/unsubscribe/{token}", ONE_CLICK)
    assert answer.status_code == 410
    assert "Nothing is stored about you any more" in answer.content.decode()


def test_the_page_does_it_says_what_still_comes_and_takes_it_back(rosa: UUID, carrier: Carrier) -> None:
    offer(rosa, event_type="news.weekly", content={"title": "News", "body": "x"})
    send(MAIL)
    client, path = Client(), path_of(links_in(carrier)[0])
    page = client.get(path)
    assert [do for do, _ in page.context["choices"]] == ["topic", "this", "marketing"]
    page = client.post(path, {"do": "topic"}, follow=True)
    assert page.redirect_chain[0][1] == 303
    assert page.context["is_off"] and "You are unsubscribed" in page.content.decode()
    assert page.context["still"] == [
        "Security and safety",
        "Orders and account",
        "Other people",
        "Offers and news (Push)",
    ]
    assert switches(rosa) == [("category:marketing", "email", False, "unsubscribe_page")]
    page = client.post(path, {"do": "marketing"}, follow=True)
    assert page.context["still"] == ["Security and safety", "Orders and account", "Other people"]
    page = client.post(path, {"do": "undo", "done": page.context["done_token"]}, follow=True)
    assert "You are subscribed again" in page.content.decode()
    assert switches(rosa) == [("category:marketing", "email", False, "unsubscribe_page")]


def test_only_this_kind_of_message_can_be_stopped(rosa: UUID, carrier: Carrier) -> None:
    offer(rosa, event_type="news.weekly", content={"title": "News", "body": "x"})
    send(MAIL)
    path = path_of(links_in(carrier)[0])
    Client().post(path, {"do": "this"})
    assert switches(rosa) == [("news.weekly", "email", False, "unsubscribe_page")]


def test_the_link_of_another_mail_stops_its_own_kind(rosa: UUID) -> None:
    token = links.unsubscribe_token(rosa, UUID(int=3), "order.shipped", "email")
    page = Client().get(f"/unsubscribe/{token}")
    assert page.context["choices"] == [("topic", "Order shipped: stop by Email")]
    Client().post(f"/unsubscribe/{token}", {"do": "topic"})
    assert switches(rosa) == [("order.shipped", "email", False, "unsubscribe_page")]
    assert not DeliveryEvent.objects.all_tenants().exists()


def test_a_reason_is_kept_once_for_each_mail(rosa: UUID) -> None:
    token = links.unsubscribe_token(rosa, UUID(int=3), "category:marketing", "email")
    for why, words in (("too_many", ""), ("other", "  Moved away\x00 "), ("nonsense", "")):
        Client().post(f"/unsubscribe/{token}", {"do": "why", "why": why, "words": words})
    kept = Farewell.objects.all_tenants().values_list("recipient_id", "why", "words", "topic", "channel")
    assert list(kept) == [(rosa, "other", "Moved away", "category:marketing", "email")]
    assert switches(rosa) == []


def test_somebody_elses_delivery_is_not_marked(rosa: UUID, carrier: Carrier) -> None:
    """The token is signed whole, so this takes our own secret; even so the ledger asks whose it is."""
    offer(rosa)
    send(MAIL)
    delivery = Delivery.objects.all_tenants().get()
    token = links.unsubscribe_token(person("otto"), delivery.id, "category:marketing", "email")
    assert Client().post(f"/unsubscribe/{token}", ONE_CLICK).status_code == 200
    assert Delivery.objects.all_tenants().get().unsubscribed_at is None
    assert switches(rosa) == []
