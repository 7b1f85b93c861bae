"""Webhook endpoints and attempts as an operator sees them: a secret once, switches, replays."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from standardwebhooks import Webhook

from apps.core import clock, ids
from apps.dispatch.ringer import ringer
from apps.tenants.models import AuditEntry
from apps.webhooks.models import WebhookAttempt, WebhookEndpoint
from apps.webhooks.services import update_endpoint
from tests.contract.scripted import answer
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.receipts_cast import tenant
from tests.integration.webhooks_cast import become, deliveries, endpoint, open_calls, receiver, row_of, send_due

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:webhooks_webhookendpoint_changelist"), reverse("admin:webhooks_webhookendpoint_add")
ATTEMPTS = reverse("admin:webhooks_webhookattempt_changelist")
PLACE = "https://93.184.215.14/hooks"


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(ringer, "ask", heard.append)
    return heard


def page(endpoint_id: UUID, what: str = "change") -> str:
    return reverse("admin:webhooks_webhookendpoint_change", args=[endpoint_id]).replace("/change/", f"/{what}/")


def secret_on(said: Any) -> str:
    assert said.status_code == 200
    assert "no-store" in said["Cache-Control"]
    secret = said.context_data["secret"]
    assert f'<code id="secret">{secret}</code>' in said.content.decode()
    return str(secret)


def is_known_anywhere(secret: str) -> bool:
    kept = [str(session.get_decoded()) for session in Session.objects.all()]
    kept += [str(row) for row in AuditEntry.objects.all_tenants().values()]
    kept += [str(row) for row in WebhookEndpoint.objects.all_tenants().values()]
    return any(secret.removeprefix("whsec_") in text for text in kept)


def asked(**fields: Any) -> dict[str, Any]:
    return {"tenant": str(tenant()), "url": PLACE, "description": "", "events": ["message.sent"]} | fields


def test_a_secret_is_shown_once_when_it_is_made_and_when_it_is_rotated(mira: Client) -> None:
    first = secret_on(mira.post(ADD, asked()))
    (row,) = WebhookEndpoint.objects.all_tenants()
    second = secret_on(mira.post(page(row.id, "rotate"), {"hours": "24"}))
    assert first != second and Webhook(first) and Webhook(second)
    assert row_of(row.id).previous_until is not None
    for address in (LIST, page(row.id)):
        text = mira.get(address).content.decode()
        assert PLACE in text and first not in text and second not in text
    assert not is_known_anywhere(first) and not is_known_anywhere(second)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"url": "https://10.0.0.1/"}, "It does not lead to a public address."),
        ({"url": "http://93.184.215.14/"}, "Use https, on port 443 or 8443."),
        ({"events": []}, "This field is required."),
    ],
)
def test_it_says_what_is_wrong_and_makes_nothing(mira: Client, wrong: dict[str, Any], sentence: str) -> None:
    said = mira.post(ADD, asked(**wrong))
    assert sentence in said.content.decode()
    assert not WebhookEndpoint.objects.all_tenants().exists()


def test_it_is_changed_switched_off_and_on_and_removed(mira: Client) -> None:
    made, _ = endpoint(PLACE)
    fields = {"url": PLACE, "description": "orders", "events": ["message.bounced"]}
    assert mira.post(page(made), fields).status_code == 302
    assert (row_of(made).description, row_of(made).events) == ("orders", ["message.bounced"])
    mira.post(page(made, "off"), {"reason": "too many"})
    assert (row_of(made).is_on, row_of(made).off_reason) == (False, "too many (operator mira)")
    assert "too many" in mira.get(page(made)).content.decode()
    mira.post(page(made, "on"))
    assert (row_of(made).is_on, row_of(made).off_reason) == (True, "")
    for what in ("try", "replay", "rotate", "off", "remove"):
        assert mira.get(page(made, what)).status_code == 200
    assert WebhookEndpoint.objects.all_tenants().exists()
    mira.post(page(made, "remove"))
    assert not WebhookEndpoint.objects.all_tenants().exists()


def statuses(html: str) -> list[str]:
    return re.findall(r">\s*([2-5]\d\d)\s*</span>", html)


def test_the_list_says_how_it_goes_and_attempts_what_was_answered(mira: Client) -> None:
    answers = [answer(200, b"ok"), answer(503, b"<b>busy</b>")]
    with receiver(lambda seen, peer: answers.pop(0)(seen, peer)) as server:
        made, _ = endpoint(server.url, "message.sent")
        for _ in range(2):
            become(deliveries(), "sent")
            send_due()
    text = mira.get(LIST).content.decode()
    assert "50% of 2 taken" in text and "failing" in text
    shown = mira.get(f"{ATTEMPTS}?endpoint={made}").content.decode()
    assert statuses(shown) == ["503", "200"] and "message.sent" in shown
    assert statuses(mira.get(f"{ATTEMPTS}?endpoint={made}&end=taken").content.decode()) == ["200"]
    failed = WebhookAttempt.objects.all_tenants().get(is_success=False)
    detail = mira.get(reverse("admin:webhooks_webhookattempt_change", args=[failed.id])).content.decode()
    assert "&lt;b&gt;busy&lt;/b&gt;" in detail and "&quot;type&quot;:&quot;message.sent&quot;" in detail


def test_it_is_tried_and_replayed(mira: Client, rung: list[str]) -> None:
    with receiver() as server:
        made, _ = endpoint(server.url, "message.sent")
        mira.post(page(made, "try"), {"type": "message.clicked"})
        assert open_calls() == 1
        become(deliveries(), "sent")
        send_due()
        event = ids.show(ids.WEBHOOK_EVENT, WebhookAttempt.objects.all_tenants().get(kind="message.sent").event_id)
        mira.post(page(made, "replay"), {"event_id": event})
        assert (open_calls(), len(send_due())) == (1, 1)
        day = clock.now() - timedelta(days=1)
        span = {"start_0": f"{day:%Y-%m-%d}", "start_1": "00:00:00", "end_0": f"{day + timedelta(days=3):%Y-%m-%d}"}
        mira.post(page(made, "replay"), {**span, "end_1": "00:00:00"})
        assert open_calls() == 0
        mira.post(page(made, "replay"), {**span, "end_1": "00:00:00", "all": "on"})
        assert open_calls() == 1
        send_due()
        rows = WebhookAttempt.objects.all_tenants().filter(kind="message.sent").values_list("id", flat=True)
        mira.post(ATTEMPTS, {"action": "replay_selected", "_selected_action": [str(row) for row in rows]})
        assert open_calls() == 1
        refused = mira.post(page(made, "replay"), {"event_id": "x"}).content.decode()
        assert "An event&#x27;s id begins with evt_." in refused
    assert rung == ["webhooks"] * 5


def test_one_that_is_off_is_told_nothing(mira: Client) -> None:
    made, _ = endpoint(PLACE)
    update_endpoint(tenant_id=tenant(), endpoint_id=made, is_on=False)
    said = mira.post(page(made, "try"), {"type": "message.sent"}, follow=True).content.decode()
    assert "This webhook endpoint is off." in said
    assert open_calls() == 0


def test_who_may_only_look_changes_nothing() -> None:
    made, _ = endpoint(PLACE)
    vera = cast.viewer("webhooks.view_webhookendpoint", "webhooks.view_webhookattempt")
    assert vera.get(page(made)).status_code == 200
    for what, body in (
        ("off", {"reason": "x"}),
        ("rotate", {"hours": "0"}),
        ("remove", {}),
        ("try", {"type": "message.sent"}),
    ):
        assert vera.post(page(made, what), body).status_code in {302, 403}
    assert (row_of(made).is_on, row_of(made).previous_until, open_calls()) == (True, None, 0)


@pytest.mark.parametrize(("minutes", "is_shown"), [(59, False), (61, True)])
def test_the_home_page_shows_who_has_taken_nothing_for_an_hour(mira: Client, minutes: int, is_shown: bool) -> None:
    made, _ = endpoint(PLACE)
    assert "take nothing" not in mira.get(reverse("admin:index")).content.decode()
    row = row_of(made)
    row.failing_since = clock.now() - timedelta(minutes=minutes)
    row.save()
    assert ("take nothing" in mira.get(reverse("admin:index")).content.decode()) == is_shown
