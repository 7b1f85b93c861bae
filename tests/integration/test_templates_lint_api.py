"""POST /v1/templates/{key}/lint: of what is saved, or of what is sent along."""

from typing import Any

import pytest
from django.test import Client

from apps.core.enums import Category, Channel, KeyMode, Scope
from apps.core.types import Tenant
from apps.events.models import EventType
from apps.templates.models import TemplateVersion
from apps.templates.proving import Source
from apps.tenants.services import create_api_key
from tests.integration import templates_cast as cast

pytestmark = pytest.mark.django_db
SMS = {"channel": "sms", "content": {"body": "Isn\u2019t it"}}


@pytest.fixture
def acme() -> Tenant:
    found = cast.tenant()
    cast.publish(found, "order", cast.sms("Order {{ data.id }}"), sample={"id": "A-1"})
    return found


def lint(tenant: Tenant, body: Any = None, key: str = "order", scope: Scope = Scope.NOTIFICATIONS_READ) -> Any:
    token = create_api_key(tenant=tenant, name="ci", mode=KeyMode.TEST, scopes=[scope]).token
    client = Client(headers={"Authorization": f"Bearer {token}"})
    return client.post(f"/v1/templates/{key}/lint", body or {}, content_type="application/json")


def codes(answer: Any) -> list[tuple[str, str, str]]:
    assert answer.status_code == 200
    return [(one["channel"], one["locale"], one["code"]) for one in answer.json()["findings"]]


def test_what_is_saved_is_linted_in_every_channel_and_locale(acme: Tenant) -> None:
    assert codes(lint(acme)) == [("sms", "", "sms_parts")]
    push = Source(Channel.PUSH, "", {"title": "T", "body": "B", "action_url": "/x"})
    cast.draft(acme, "order", cast.sms("{{ data.nix }}", "de"), push)
    answer = lint(acme)
    assert codes(answer) == [("sms", "de", "missing_data"), ("push", "", "link_not_absolute")]
    assert (answer.json()["is_ok"], answer.json()["is_cut"]) == (False, False)
    assert codes(lint(acme, {"channel": "push"})) == [("push", "", "link_not_absolute")]
    assert codes(lint(acme, {"locale": "de"})) == [("sms", "de", "missing_data")]
    assert "missing_data" not in [code for _, _, code in codes(lint(acme, {"data": {"nix": 1}}))]


def test_what_is_sent_along_is_linted_and_nothing_is_stored(acme: Tenant) -> None:
    answer = lint(acme, SMS)
    assert answer.json()["is_ok"] is True
    assert answer.json()["findings"][1] == {
        "channel": "sms",
        "locale": "",
        "field": "body",
        "code": "not_gsm7",
        "severity": "info",
        "text": "`\u2019` (U+2019) at line 1, column 4 is not in GSM-7: a part holds 70 characters instead of 160.",
        "line": 1,
        "column": 4,
        "found": "\u2019",
        "replacement": "'",
    }
    assert TemplateVersion.objects.count() == 1


def test_marketing_is_known_from_the_event_types_unless_it_is_said(acme: Tenant) -> None:
    EventType.objects.create(
        tenant_id=acme.id, key="sale", name="Sale", category=Category.MARKETING, template_key="order", channels=["sms"]
    )
    assert ("sms", "", "no_stop_words") in codes(lint(acme))
    assert ("sms", "", "no_stop_words") not in codes(lint(acme, {"category": "transactional"}))


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"content": {"body": "x"}}, 400, "missing_field", "/channel"),
        ({"channel": "sms", "content": {"title": "x"}}, 400, "unknown_field", "/content/title"),
        ({"channel": "sms", "content": {"body": "x" * 10_001}}, 400, "out_of_range", "/content/body"),
        ({"channel": "fax", "content": {}}, 400, None, "/channel"),
        ({"locale": "klingon"}, 400, "invalid_locale", "/locale"),
        ({"data": {"$recipient": 1}}, 400, "wrong_type", "/data/$recipient"),
        ({"channel": "push"}, 404, "not_found", None),
    ],
)
def test_it_refuses(acme: Tenant, body: Any, status: int, code: str | None, pointer: str | None) -> None:
    answer = lint(acme, body)
    assert answer.status_code == status
    assert code is None or answer.json()["code"] == code
    assert [error["pointer"] for error in answer.json().get("errors", [])] == ([pointer] if pointer else [])


def test_other_tenants_templates_and_unknown_ones_are_not_found(acme: Tenant) -> None:
    assert lint(cast.tenant("beta"), SMS).status_code == 404
    assert lint(acme, SMS, key="nix").status_code == 404


def test_it_needs_a_scope(acme: Tenant) -> None:
    assert lint(acme, SMS, scope=Scope.NOTIFICATIONS_WRITE).status_code == 403
