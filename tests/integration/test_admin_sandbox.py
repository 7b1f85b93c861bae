"""What test keys sent, on one page: found as it looks where it arrives, and harmless."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.channels.providers.sandbox import SandboxProvider
from apps.channels.sandbox.behaviour import BEHAVIOURS
from apps.channels.selectors import sandbox_account
from apps.core import ids
from apps.core.enums import Category, Channel
from apps.core.types import NewInboxItem, OutboundMessage
from apps.inbox.services import add_items
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.sandbox_process import SECRET, sandbox

pytestmark = pytest.mark.django_db

PAGE = reverse("sandbox")
CARDS = reverse("sandbox-messages")


@pytest.fixture
def running(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.SANDBOX_SECRET = SECRET
    with sandbox(tmp_path) as url:
        settings.SANDBOX_URL = url
        yield


def send(channel: Channel, address: str, **content: str) -> None:
    message = OutboundMessage(
        reference=ids.show(ids.ATTEMPT, ids.new()),
        delivery=ids.show(ids.DELIVERY, ids.new()),
        tenant="acme",
        channel=channel,
        category=Category.TRANSACTIONAL,
        address=address,
        platform="",
        sender="Acme <hello@acme.example>",
        content=content,
    )
    SandboxProvider().send(sandbox_account(channel), [message], deadline=5)


def text(client: Client, where: str = PAGE, **asked: str) -> str:
    answer = client.get(where, asked)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_without_the_sandbox_the_page_says_so(mira: Client, settings: Any) -> None:
    settings.SANDBOX_SECRET, settings.SANDBOX_URL = SECRET, "http://127.0.0.1:9"
    assert "It does not answer at http://127.0.0.1:9" in text(mira)
    settings.SANDBOX_SECRET = ""
    assert "It has no secret. Set NOTIFIER_SANDBOX_SECRET" in text(mira)


def test_another_secret_is_told_apart(running: None, mira: Client, settings: Any) -> None:
    settings.SANDBOX_SECRET = "another"
    assert "It has another secret than this service" in text(mira)


def test_an_empty_sandbox_says_what_to_do(running: None, mira: Client) -> None:
    page = text(mira)
    assert "Nothing here yet" in page
    assert "The sandbox is not there" not in page


def test_every_channel_has_its_card_newest_first(running: None, mira: Client) -> None:
    send(Channel.SMS, "+15005550006", body="Your code is 4711")
    send(Channel.PUSH, "sim:rosa", title="Shipped", body="On its way", action_url="https://acme.example/o/1")
    send(Channel.EMAIL, "rosa@simulator.test", subject="Your order", html="<h1>Hello</h1>", text="Hello")
    page = text(mira)
    assert page.index("Your order") < page.index("On its way") < page.index("Your code is 4711")
    for words in ("+15005550006", "sim:rosa", "rosa@simulator.test", "Shipped", "opens https://acme.example/o/1"):
        assert words in page, words
    assert "from Acme &lt;hello@acme.example&gt;" in page


def test_a_mail_cannot_reach_out_of_its_frame(running: None, mira: Client) -> None:
    send(Channel.EMAIL, "rosa@simulator.test", subject="<b>x", html='"><script>alert(1)</script>', text="<i>y")
    page = text(mira)
    assert 'sandbox="" referrerpolicy="no-referrer"' in page
    assert "<script>alert" not in page
    assert "<b>x" not in page
    assert "<i>y" not in page
    assert "default-src 'none'" in unescape(page)


def test_in_app_messages_of_test_keys_are_shown_too(running: None, mira: Client) -> None:
    acme = cast.acme()
    for mode, title in (("test", "For the test"), ("live", "For real")):
        note = cast.notification(acme, cast.person(acme), mode=mode)
        sent = cast.delivery(note, "in_app", account="inbox")
        content = {"title": title, "body": "In the feed"}
        item = NewInboxItem(sent.id, acme.id, note.recipient_id, note.id, "", Category.SOCIAL, content, None)
        add_items([item])
    page = text(mira)
    assert "For the test" in page
    assert "For real" not in page
    assert "In the feed" not in text(mira, channel="sms")
    assert "For the test" in text(mira, channel="in_app")


def test_filters_narrow_it(running: None, mira: Client) -> None:
    send(Channel.SMS, "+15005550006", body="to six")
    send(Channel.SMS, "+15005550007", body="to seven")
    send(Channel.PUSH, "sim:rosa", title="t", body="to the phone")
    assert "to the phone" not in text(mira, channel="sms")
    only = text(mira, CARDS, address="+15005550007")
    assert "to seven" in only
    assert "to six" not in only
    assert "to the phone" in text(mira, channel="pigeon")


def test_what_was_refused_says_so(running: None, mira: Client) -> None:
    send(Channel.EMAIL, "invalid@simulator.test", subject="s", html="h")
    assert "behaves like invalid, refused: invalid_address" in text(mira)


def test_the_cards_come_alone_for_the_page_that_asks_again(running: None, mira: Client) -> None:
    send(Channel.SMS, "+15005550006", body="hello")
    cards = text(mira, CARDS)
    assert cards.startswith('<div class="n-mails">')
    assert "<html" not in cards
    assert f'data-url="{CARDS}?channel=sms"' in text(mira, channel="sms")


def test_every_magic_address_is_listed(running: None, mira: Client) -> None:
    page = unescape(text(mira))
    for behaviour in BEHAVIOURS:
        for words in (f"{behaviour.word}@simulator.test", behaviour.phone, f"sim:{behaviour.word}", behaviour.sentence):
            assert words in page, words


def test_something_else_at_that_address_is_told_apart(mira: Client, settings: Any, tmp_path: Path) -> None:
    settings.SANDBOX_SECRET = SECRET
    with sandbox(tmp_path) as url:
        settings.SANDBOX_URL = f"{url}/elsewhere"
        assert "Something else answers at" in text(mira)
