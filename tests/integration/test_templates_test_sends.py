"""Test sends: through the front door, marked, to the sandbox or for real, and in no statistic."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.audience.models import Recipient
from apps.core import clock
from apps.core.enums import Channel, KeyMode, Scope
from apps.core.types import Tenant
from apps.ledger import weighing
from apps.ledger.models import Attempt, Notification
from apps.preferences.links import settings_url
from apps.templates import seeds
from apps.tenants.services import create_api_key
from tests.integration.dispatch_cast import Carrier, counts, endpoint, left, person, route, send, states
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.templates_cast import draft, outer, publish, sms
from tests.integration.templates_cast import email as letter
from tests.integration.templates_cast import tenant as acme_of

pytestmark = pytest.mark.django_db
WHERE = "/v1/templates/order/test"


@pytest.fixture
def acme() -> Tenant:
    return acme_of()


def client(acme: Tenant, mode: KeyMode = KeyMode.TEST, scope: Scope = Scope.ADMIN) -> Client:
    key = create_api_key(tenant=acme, name="studio", mode=mode, scopes=[scope])
    return Client(headers={"Authorization": f"Bearer {key.token}"})


def post(whose: Client, body: Any) -> Any:
    return whose.post(WHERE, body, content_type="application/json")


def rosa(acme: Tenant) -> UUID:
    id_ = person("rosa")
    Recipient.objects.filter(id=id_).update(attributes={"first_name": "Rosa"}, locale="de-CH")
    endpoint(id_)
    endpoint(id_, Channel.SMS, "+4915112345678")
    return id_


def drafted(acme: Tenant) -> None:
    publish(
        acme,
        "base",
        outer("<html><body>{{ content }}<a href='{{ vars.preferences_url }}'>P</a></body></html>"),
        is_layout=True,
    )
    draft(
        acme,
        "order",
        letter("<p>Hallo {{ recipient.first_name }} {{ data.id }}</p>", "de"),
        letter("<p>Hello {{ data.id }}</p>"),
        sms("Order {{ data.id }}"),
        layout="base",
        sample={"id": "A-1", "$recipient": {"first_name": "Sample"}},
    )


def test_a_draft_reaches_its_readers_marked_and_as_they_would_read_it(
    acme: Tenant, carrier: Carrier, rung: list[str]
) -> None:
    drafted(acme)
    id_ = rosa(acme)
    answer = post(client(acme), {"user_ids": ["rosa"]})
    assert answer.status_code == 202
    sent = answer.json()["notifications"]
    assert [(one["user_id"], one["channel"]) for one in sent] == [("rosa", "email"), ("rosa", "sms")]
    assert sent[0]["timeline_url"].endswith(f"/v1/notifications/{sent[0]['notification_id']}/timeline")
    # what was asked for is sent, whatever becomes of the draft
    draft(acme, "order", sms("Another"))
    route()
    send()
    send("send.transactional.sms")
    mail, text = carrier.messages
    assert mail.content["subject"] == "[TEST] Order"
    assert "<p>Hallo Rosa A-1</p>" in mail.content["html"]
    assert f'href="{settings_url(id_)}"' in mail.content["html"]
    assert text.content["body"] == "[TEST] Order A-1"
    assert states() == [("email", "sent", ""), ("sms", "sent", "")]
    assert set(Notification.objects.values_list("source", "mode", "category", "template_key")) == {
        ("test_send", "test", "transactional", "")
    }
    assert left() == []


def test_a_live_key_sends_for_real_and_no_statistic_knows_of_it(
    acme: Tenant, carrier: Carrier, rung: list[str]
) -> None:
    publish(acme, "order", sms("One {{ data.id | default: '-' }}"))
    publish(acme, "order", sms("Two"))
    rosa(acme)
    answer = post(client(acme, KeyMode.LIVE), {"user_ids": ["rosa"], "version": 1, "data": {"id": "Z"}})
    assert len(answer.json()["notifications"]) == 1
    route()
    Notification.objects.update(mode="live")
    assert Notification.objects.get().mode == "live"
    now = clock.now()
    assert weighing.critical_shares(now - timedelta(hours=1)) == []
    assert weighing.weights(now - timedelta(hours=1), now + timedelta(hours=1)) == []
    assert weighing.kinds_of([Notification.objects.get().id]) == {}
    assert not Attempt.objects.exclude(template_version_id=None).exists()


def test_it_goes_to_seed_lists_and_addresses_once_each(acme: Tenant, carrier: Carrier, rung: list[str]) -> None:
    publish(acme, "order", sms("Hi"), sms("Hallo", "de"))
    rosa(acme)
    seeds.save_seed_list(tenant=acme, name="design", user_ids=["rosa"], addresses=["+4915187654321"])
    body = {"user_ids": ["rosa"], "seed_list": "design", "addresses": ["+49 151 87654321"], "channels": ["sms"]}
    answer = post(client(acme), body | {"locale": "de"})
    assert len(answer.json()["notifications"]) == 2
    route()
    send("send.transactional.sms")
    assert sorted((one.address, one.content["body"]) for one in carrier.messages) == [
        ("+4915112345678", "[TEST] Hallo"),
        ("+4915187654321", "[TEST] Hallo"),
    ]


def test_what_cannot_be_sent_is_refused_and_nothing_is_written(acme: Tenant) -> None:
    publish(acme, "order", sms("Hi {{ recipient.first_name }}"), sample={"$recipient": {"first_name": "S"}})
    rosa(acme)
    whose = client(acme)
    before, people = counts(), Recipient.objects.count()
    publish(acme, "base", outer("<p>{{ content }}</p>"), is_layout=True)
    for body, status, code in (
        ({}, 400, "no_recipient"),
        ({"user_ids": ["nobody"]}, 404, "unknown_user"),
        ({"user_ids": ["rosa"], "seed_list": "none"}, 404, "not_found"),
        ({"user_ids": ["rosa"], "version": 9}, 404, "not_found"),
        ({"user_ids": ["rosa"], "channels": ["email"]}, 422, "template_invalid"),
        ({"user_ids": ["rosa"], "data": {"$digest": "x"}}, 400, "wrong_type"),
        ({"addresses": ["x@"]}, 400, "invalid_email"),
        ({"user_ids": ["rosa"], "channels": ["fax"]}, 400, "out_of_range"),
    ):
        answer = post(whose, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (
        whose.post("/v1/templates/base/test", {"user_ids": ["rosa"]}, content_type="application/json").status_code
        == 400
    )
    assert (
        whose.post("/v1/templates/none/test", {"user_ids": ["rosa"]}, content_type="application/json").status_code
        == 404
    )
    assert post(client(acme, scope=Scope.NOTIFICATIONS_WRITE), {"user_ids": ["rosa"]}).status_code == 403
    assert post(client(acme_of("globex")), {"user_ids": ["rosa"]}).status_code == 404
    assert (counts(), Recipient.objects.count()) == (before, people)
