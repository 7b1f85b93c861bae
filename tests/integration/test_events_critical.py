"""An event type is critical for a reason, with an owner, once somebody else has approved it."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.events import models, selectors
from apps.tenants.services import create_api_key
from tests.integration import ingest_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import NOTHING, Caller, written

pytestmark = pytest.mark.django_db
CODE = {
    "name": "Sign-in code",
    "category": "critical",
    "template_key": "order_shipped_v3",
    "owner": "Mira",
    "critical_reason": "Nobody can sign in without it.",
}
PATH = "/v1/event-types/login.code"


class Key(Caller):
    """An API key with a name of its own."""

    def __init__(self, tenant: Tenant, name: str, *scopes: Scope) -> None:
        self.tenant = tenant
        key = create_api_key(tenant=tenant, name=name, mode=KeyMode.TEST, scopes=scopes or (Scope.ADMIN,))
        self.headers = {"Authorization": f"Bearer {key.token}"}
        self.client = Client()

    def put(self, **fields: Any) -> Any:
        return self.client.put(PATH, CODE | fields, content_type="application/json", headers=self.headers)

    def approve(self, path: str = PATH) -> Any:
        return self.post(f"{path}/approve-critical", b"")


@pytest.fixture
def acme() -> Tenant:
    return cast.with_content(cast.acme())


@pytest.fixture
def ann(acme: Tenant) -> Key:
    return Key(acme, "ann")


@pytest.fixture
def ben(acme: Tenant) -> Key:
    return Key(acme, "ben")


def test_it_works_as_transactional_until_another_key_approves(acme: Tenant, ann: Key, ben: Key) -> None:
    asked = ann.put().json()
    assert (asked["category"], asked["works_as"]) == ("critical", "transactional")
    assert asked["critical"] == {
        "reason": "Nobody can sign in without it.",
        "asked_by": "key ann",
        "approved_by": None,
        "approved_at": None,
    }
    approved = ben.approve()
    assert (approved.status_code, approved.json()["works_as"]) == (200, "critical")
    assert approved.json()["critical"]["approved_by"] == "key ben"
    found = selectors.event_type(acme.id, "login.code")
    assert found is not None and found.category == "critical"


def test_who_asked_cannot_approve_not_even_with_a_rotated_key(acme: Tenant, ann: Key) -> None:
    ann.put()
    again = Key(acme, "ann")
    for key in (ann, again):
        refused = key.approve()
        assert (refused.status_code, refused.json()["code"]) == (409, "critical_own_request")
    assert not models.EventType.objects.of(acme).exclude(critical_approved_by="").exists()


@pytest.mark.parametrize("name", ["critical_reason", "owner"])
def test_it_refuses_critical_without_a_reason_and_an_owner(acme: Tenant, ann: Key, name: str) -> None:
    refused = ann.put(**{name: " "})
    assert (refused.status_code, refused.json()["code"]) == (422, "critical_needs_reason")
    assert refused.json()["errors"][0]["pointer"] == f"/{name}"
    assert not models.EventType.objects.of(acme).filter(key="login.code").exists()


def test_an_approval_stays_with_its_reason_and_owner_only(ann: Key, ben: Key) -> None:
    ann.put()
    ben.approve()
    assert ann.put(name="Code").json()["works_as"] == "critical"
    changed = ann.put(critical_reason="We like it urgent.").json()
    assert (changed["works_as"], changed["critical"]["approved_by"]) == ("transactional", None)
    assert ben.approve().json()["works_as"] == "critical"
    assert ann.put(owner="Otto").json()["works_as"] == "transactional"


def test_going_through_another_category_needs_another_approval(ann: Key, ben: Key) -> None:
    ann.put()
    ben.approve()
    assert ann.put(category="social").json()["critical"] is None
    assert ann.put().json()["works_as"] == "transactional"


def test_there_is_nothing_to_approve_twice_or_unasked(ann: Key, ben: Key) -> None:
    assert ben.approve().status_code == 404
    assert ben.approve("/v1/event-types/order.shipped").json()["code"] == "nothing_to_approve"
    ann.put()
    ben.approve()
    assert ben.approve().json()["code"] == "nothing_to_approve"


def test_another_tenant_s_is_not_found(ann: Key) -> None:
    ann.put()
    other = Key(cast.acme("globex"), "ben")
    assert other.approve().status_code == 404


def test_only_admin_keys_approve(acme: Tenant, ann: Key) -> None:
    ann.put()
    assert Key(acme, "ben", *(scope for scope in Scope if scope != Scope.ADMIN)).approve().status_code == 403


@pytest.mark.parametrize("scope", [Scope.NOTIFICATIONS_WRITE, Scope.ADMIN])
@pytest.mark.parametrize("fields", [{"category": "critical"}, {"template_id": "otp_code", "category": None}])
def test_plain_critical_needs_a_key_that_may(acme: Tenant, scope: Scope, fields: dict[str, Any]) -> None:
    body = {name: value for name, value in (cast.ROSA | fields).items() if value is not None}
    if "template_id" in body:
        cast.templates_cast.publish(acme, "otp_code", cast.templates_cast.sms("Code"))
        del body["message"]
    refused = Caller(acme, scope).post(cast.SEND, body)
    assert (refused.status_code, refused.json()["code"]) == (403, "critical_not_approved")
    assert written() == NOTHING
    allowed = Caller(acme, Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL).post(cast.SEND, body)
    assert allowed.status_code == 202, allowed.content


def test_a_pending_event_type_is_sent_as_transactional(acme: Tenant, ann: Key) -> None:
    ann.put()
    body = {"user_id": "rosa", "event_type": "login.code"}
    shown = ann.post(cast.SEND, body).json()["notification_id"]
    assert ann.get(f"{cast.SEND}/{shown}").json()["category"] == "transactional"
    refused = ann.post(cast.SEND, body | {"category": "critical"})
    assert (refused.status_code, refused.json()["code"]) == (403, "critical_not_approved")
    free = Caller(acme, Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)
    assert free.post(cast.SEND, body | {"category": "critical"}).status_code == 202


def test_an_operator_approves_on_the_page_but_not_their_own(acme: Tenant, ann: Key, mira: Client) -> None:
    ann.put()
    kind = models.EventType.objects.of(acme).get(key="login.code")
    door = reverse("admin:events_eventtype_approve", args=[kind.id])
    assert "Nobody can sign in without it." in mira.get(door).content.decode()
    assert models.EventType.objects.of(acme).get(key="login.code").critical_approved_by == ""
    mira.post(door)
    kind.refresh_from_db()
    assert kind.critical_approved_by == "operator mira"
    models.EventType.objects.of(acme).update(critical_asked_by="operator mira", critical_approved_by="")
    mira.post(door)
    kind.refresh_from_db()
    assert kind.critical_approved_by == ""
