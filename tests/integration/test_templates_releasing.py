"""Publishing through the API: check, gate, rollout, usage."""

from typing import Any

import pytest

from apps.audience.models import Recipient
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.events.models import EventType
from apps.templates import models, rollout, usage
from apps.templates.usage import Use
from tests.integration.dispatch_cast import notify
from tests.integration.templates_cast import draft, email, outer, publish, sms, tenant
from tests.integration.test_templates_api import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Tenant:
    return tenant()


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return Api(acme, Scope.ADMIN)


def crowd(acme: Tenant, count: int) -> list[Any]:
    return [Recipient.objects.create(tenant_id=acme.id, user_id=f"u{n}").id for n in range(count)]


def test_a_check_shows_what_breaks_and_publishing_refuses_it(admin: Api, acme: Tenant) -> None:
    publish(acme, "order", email("<p>{{ data.id }}</p>"), sample={"id": "A"})
    notify(crowd(acme, 2), template_key="order", mode=KeyMode.LIVE, data={"id": "A-1"})
    draft(acme, "order", email("<p>{{ data.id }} {{ data.total }}</p>"), sample={"id": "A", "total": "9"})
    answer = admin.post("/order/check", {"last": 1})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["breaks"], body["changes"], body["messages"], body["version"], body["against"]) == (
        True,
        False,
        1,
        2,
        1,
    )
    assert body["lacks"] == [{"variable": "data.total", "users": ["api requests by template"]}]
    assert body["results"][0]["examples"][0]["detail"] == "`data.total` is missing."
    assert body["errors"] == []
    refused = admin.post("/order/publish")
    assert (refused.status_code, refused.json()["code"]) == (422, "gate_breaks")
    assert refused.json()["errors"][0]["line"] == 1
    assert models.Template.objects.of(acme).get().current.number == 1


def test_publishing_wants_the_word_of_who_looked(admin: Api, acme: Tenant) -> None:
    publish(acme, "order", email("<p>One</p>"))
    notify(crowd(acme, 1), template_key="order", mode=KeyMode.LIVE)
    draft(acme, "order", email("<p>Two</p>"))
    refused = admin.post("/order/publish")
    assert (refused.status_code, refused.json()["code"]) == (409, "changes_not_seen")
    seen = admin.post("/order/check").json()["seen"]
    answer = admin.post("/order/publish", {"seen": seen, "share": 5})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["version"], body["rollout"]["version"], body["rollout"]["share"]) == (1, 2, 5.0)
    assert (body["rollout"]["by"], body["rollout"]["sends"]) == ("key checkout", 0)
    assert (body["steps"][0]["action"], body["steps"][0]["share"]) == ("staged", 5.0)


def test_a_rollout_is_moved(admin: Api, acme: Tenant) -> None:
    publish(acme, "order", sms("One"))
    draft(acme, "order", sms("Two"))
    assert admin.post("/order/publish", {"share": 5}).status_code == 200
    assert admin.post("/order/rollout", {"action": "raise", "share": 50}).json()["rollout"]["share"] == 50.0
    for body, status in (
        ({"action": "raise"}, 400),
        ({"action": "finish", "share": 60}, 400),
        ({"action": "raise", "share": 0}, 400),
        ({"action": "raise", "share": 50}, 400),
        ({"action": "stop"}, 400),
    ):
        assert admin.post("/order/rollout", body).status_code == status
    answer = admin.post("/order/rollout", {"action": "revert", "because": "It reads badly."}).json()
    assert (answer["version"], answer["rollout"], answer["steps"][0]["because"]) == (1, None, "It reads badly.")
    assert admin.post("/order/rollout", {"action": "finish"}).json()["code"] == "nothing_staged"
    draft(acme, "order", sms("Three"))
    admin.post("/order/publish", {"share": 5})
    assert admin.post("/order/rollout", {"action": "finish"}).json()["version"] == 3


def test_others_and_readers_move_nothing(acme: Tenant, admin: Api) -> None:
    publish(acme, "order", sms("One"))
    draft(acme, "order", sms("Two"))
    admin.post("/order/publish", {"share": 5})
    stranger, reader = Api(tenant("globex"), Scope.ADMIN), Api(acme, Scope.NOTIFICATIONS_READ)
    for path, body in (("check", {}), ("publish", {}), ("rollout", {"action": "finish"}), ("rollback", {"version": 1})):
        assert stranger.post(f"/order/{path}", body).status_code == 404
        assert reader.post(f"/order/{path}", body).status_code == 403
    assert stranger.get("/order/usage").status_code == 404
    found = rollout.rollout(acme, "order")
    assert found is not None and found.share == 5.0


def test_it_tells_who_uses_a_template(admin: Api, acme: Tenant) -> None:
    publish(acme, "order", sms("One"))
    options = {"tenant_id": acme.id, "category": "transactional", "channels": ["sms"]}
    EventType.objects.create(key="order.shipped", name="Order shipped", template_key="order", **options)
    EventType.objects.create(key="order.liked", name="Liked", template_key="x", digest_template_key="order", **options)
    people = crowd(acme, 3)
    notify(people, event_type="order.shipped", mode=KeyMode.LIVE)
    notify(people[:1], template_key="order", mode=KeyMode.LIVE)
    notify(people[:2], template_key="order", mode=KeyMode.TEST)
    notify(people[:2], template_key="order", event_type="order.liked", mode=KeyMode.LIVE)
    body = admin.get("/order/usage").json()
    assert [(use["kind"], use["name"], use["detail"], use["count"]) for use in body["data"]] == [
        ("event_type", "order.liked", "Liked: its summaries", 0),
        ("event_type", "order.shipped", "Order shipped: its messages", 0),
        ("caller", "api", "event order.shipped", 3),
        ("caller", "api", "event order.liked", 2),
        ("caller", "api", "by template", 1),
    ]
    assert body["data"][2]["last_at"] is not None


def test_it_tells_which_templates_have_it_within_them_and_publishes_those_again(acme: Tenant, admin: Api) -> None:
    publish(acme, "base", outer("<html><body>{{ content }}</body></html>"), is_layout=True)
    publish(acme, "order", email("<p>x</p>"), layout="base")
    publish(acme, "base", outer("<html><body>2{{ content }}</body></html>"), is_layout=True)
    said = "version 1 has version 1 within it; version 2 is published"
    assert usage.usage_of(tenant=acme, key="base") == (Use("template", "order", said),)
    assert admin.post("/base/republish").json() == {"data": [{"key": "order", "version": 2, "why": ""}]}
    assert admin.post("/base/republish").json() == {"data": []}
    assert (admin.post("/nothing/republish").status_code, Api(acme).post("/base/republish").status_code) == (404, 403)


def test_seed_lists(acme: Tenant, admin: Api) -> None:
    crowd(acme, 2)
    client = admin.client
    where, kind = "/v1/seed-lists/design%20team", "application/json"
    body = {"user_ids": ["u1", "u0", "u1"], "addresses": ["mira@acme.example"]}
    answer = client.put(where, body, content_type=kind)
    assert answer.status_code == 200
    saved = answer.json()
    assert (saved["name"], saved["user_ids"][:2], len(saved["user_ids"])) == ("design team", ["u1", "u0"], 3)
    assert saved["user_ids"][2].startswith("test_") and "mira" not in saved["user_ids"][2]
    assert client.put(where, body, content_type=kind).json() == saved
    assert client.get("/v1/seed-lists").json() == {"data": [saved]}
    for wrong, code in (
        ({"user_ids": ["u0", "nobody"]}, "unknown_user"),
        ({"addresses": ["x@"]}, "invalid_email"),
        ({"addresses": ["12"]}, "invalid_phone"),
        ({"user_ids": ["u0"] * 51}, "out_of_range"),
    ):
        assert client.put(where, wrong, content_type=kind).json()["code"] == code
    assert Api(tenant("globex"), Scope.ADMIN).client.get("/v1/seed-lists").json() == {"data": []}
    assert client.get("/v1/seed-lists").json() == {"data": [saved]}
    assert (client.delete(where).status_code, client.delete(where).status_code) == (204, 404)
    assert client.get("/v1/seed-lists").json() == {"data": []}
