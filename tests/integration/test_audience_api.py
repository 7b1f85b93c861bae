"""/v1/users at the door."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.test import Client

from apps.audience import forgetting, models, selectors
from apps.core import ids
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants.selectors import forget_cached
from apps.tenants.services import create_api_key, create_tenant

pytestmark = pytest.mark.django_db


class Api:
    """A caller of one tenant."""

    def __init__(self, slug: str, *scopes: Scope) -> None:
        self.tenant: Tenant = create_tenant(slug=slug, name=slug)
        self.key = create_api_key(
            tenant=self.tenant, name="a key", mode=KeyMode.LIVE, scopes=scopes or [Scope.USERS_WRITE]
        )

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return Client().generic(
            method,
            f"/v1{path}",
            b"" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key.token}"},
        )


def without_seen(endpoints: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "last_seen_at"} for row in endpoints]


@pytest.fixture
def acme() -> Api:
    forget_cached()
    return Api("acme")


def test_a_person_is_created_then_changed(acme: Api) -> None:
    body = {
        "locale": "de-ch",
        "timezone": "Europe/Zurich",
        "attributes": {"first_name": "Rosa"},
        "email": "Rosa@Example.com",
        "phone": "+41 44 668 18 00",
    }
    created, again = acme("PUT", "/users/rosa", body), acme("PUT", "/users/rosa", body)
    assert (created.status_code, again.status_code) == (201, 200)
    shown = created.json()
    assert acme("GET", "/users/rosa").json() == again.json()
    assert {name: shown[name] for name in ("user_id", "locale", "timezone", "attributes", "blocked")} == {
        "user_id": "rosa",
        "locale": "de-CH",
        "timezone": "Europe/Zurich",
        "attributes": {"first_name": "Rosa"},
        "blocked": False,
    }
    assert [(row["kind"], row["channel"], row["address"]) for row in shown["endpoints"]] == [
        ("phone", "sms", "+41*****00"),
        ("email", "email", "R***@example.com"),
    ]
    seen = [[row.pop("last_seen_at") for row in one["endpoints"]] for one in (shown, again.json())]
    assert seen[0] < seen[1]
    assert without_seen(again.json()["endpoints"]) == shown["endpoints"]
    blocked = acme("PUT", "/users/rosa", {"blocked": True, "locale": None}).json()
    assert (blocked["blocked"], blocked["locale"], blocked["timezone"]) == (True, None, "Europe/Zurich")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"locale": "klingon"}, "invalid_locale", "/locale"),
        ({"timezone": "Mars/Phobos"}, "invalid_timezone", "/timezone"),
        ({"email": "rosa"}, "invalid_email", "/email"),
        ({"phone": "123456"}, "invalid_phone", "/phone"),
        ({"attributes": []}, "wrong_type", "/attributes"),
        ({"attributes": {"x": "y" * 16_384}}, "out_of_range", "/attributes"),
        ({"attributes": None}, "wrong_type", "/attributes"),
        ({"nickname": "R"}, "unknown_field", "/nickname"),
    ],
)
def test_it_refuses_what_is_not_valid_and_writes_nothing(acme: Api, body: Any, code: str, pointer: str) -> None:
    answer = acme("PUT", "/users/rosa", body)
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"][0]["pointer"]) == (400, code, pointer)
    assert not models.Recipient.objects.of(acme.tenant).exists()


def test_it_refuses_an_impossible_user_id(acme: Api) -> None:
    for user_id in ("a%0Ab", "a" * 129, "%E2%80%AE"):
        answer = acme("PUT", f"/users/{user_id}", {})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "#path/user_id")
    assert acme("PUT", "/users/Zo%C3%AB%20%F0%9F%92%8C", {}).json()["user_id"] == "Zoë 💌"
    assert models.Recipient.objects.of(acme.tenant).count() == 1


def test_unknown_people_are_not_found(acme: Api) -> None:
    globex = Api("globex")
    acme("PUT", "/users/rosa", {"email": "rosa@example.com"})
    endpoint = acme("GET", "/users/rosa").json()["endpoints"][0]["id"]
    for method, path, body in [
        ("GET", "/users/rosa", None),
        ("DELETE", "/users/rosa", None),
        ("GET", "/users/rosa/endpoints", None),
        ("POST", "/users/rosa/endpoints", {"kind": "email", "address": "x@example.com"}),
        ("DELETE", f"/users/rosa/endpoints/{endpoint}", None),
    ]:
        answer = globex(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    acme("PUT", "/users/otto", {})
    assert acme("DELETE", f"/users/otto/endpoints/{endpoint}").status_code == 404
    globex("PUT", "/users/rosa", {})
    assert globex("DELETE", f"/users/rosa/endpoints/{endpoint}").status_code == 404
    assert [row["id"] for row in acme("GET", "/users/rosa").json()["endpoints"]] == [endpoint]
    assert models.Recipient.objects.of(globex.tenant).count() == 1


def test_what_cannot_be_stored_is_not_found(acme: Api) -> None:
    for method, path, body in [
        ("GET", "/users/a%00b", None),
        ("DELETE", "/users/a%00b", None),
        ("GET", "/users/a%00b/endpoints", None),
        ("POST", "/users/a%00b/endpoints", {"kind": "email", "address": "x@example.com"}),
        ("GET", "/users/a%FFb", None),
    ]:
        assert acme(method, path, body).status_code == 404


def test_an_endpoint_is_registered_once(acme: Api) -> None:
    acme("PUT", "/users/rosa", {})
    body = {"kind": "device", "address": "registration-token-a1b2", "platform": "ios", "verified": False}
    first, second = acme("POST", "/users/rosa/endpoints", body), acme("POST", "/users/rosa/endpoints", body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["last_seen_at"] < second.json()["last_seen_at"]
    assert without_seen([first.json()]) == without_seen([second.json()])
    (shown,) = without_seen([first.json()])
    assert UUID(str(ids.read("ep", shown.pop("id"))))
    shown.pop("created_at")
    assert shown == {
        "kind": "device",
        "channel": "push",
        "address": "token ...a1b2",
        "platform": "ios",
        "verified": False,
        "retired_at": None,
        "retired_reason": None,
    }
    assert acme("POST", "/users/rosa/endpoints", body | {"verified": True}).json()["verified"] is True


def test_endpoints_come_in_pages_and_go_one_by_one(acme: Api) -> None:
    acme("PUT", "/users/rosa", {})
    made = [
        acme("POST", "/users/rosa/endpoints", {"kind": "email", "address": f"rosa{n}@example.com"}).json()["id"]
        for n in range(3)
    ]
    first = acme("GET", "/users/rosa/endpoints?limit=2").json()
    assert ([row["id"] for row in first["data"]], first["has_more"]) == ([made[2], made[1]], True)
    second = acme("GET", f"/users/rosa/endpoints?limit=2&cursor={first['next_cursor']}").json()
    assert ([row["id"] for row in second["data"]], second["has_more"], second["next_cursor"]) == (
        [made[0]],
        False,
        None,
    )
    assert acme("DELETE", f"/users/rosa/endpoints/{made[1]}").status_code == 204
    assert acme("DELETE", f"/users/rosa/endpoints/{made[1]}").status_code == 404
    assert acme("DELETE", "/users/rosa/endpoints/ep_nonsense").status_code == 404
    assert [row["id"] for row in acme("GET", "/users/rosa/endpoints").json()["data"]] == [made[2], made[0]]


def test_a_person_is_forgotten_with_all_that_hooks_add(acme: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[tuple[UUID, UUID]] = []
    monkeypatch.setattr(forgetting, "_callbacks", [lambda tenant, person: forgotten.append((tenant, person))])
    acme("PUT", "/users/rosa", {"email": "rosa@example.com"})
    acme("PUT", "/users/otto", {"email": "otto@example.com"})
    rosa = selectors.recipient_ids(acme.tenant.id, ["rosa"])["rosa"]
    answer = acme("DELETE", "/users/rosa")
    assert (answer.status_code, answer.content) == (204, b"")
    assert forgotten == [(acme.tenant.id, rosa)]
    assert acme("DELETE", "/users/rosa").status_code == 404
    assert acme("GET", "/users/rosa").status_code == 404
    assert list(models.Recipient.objects.of(acme.tenant).values_list("user_id", flat=True)) == ["otto"]
    assert models.Endpoint.objects.of(acme.tenant).count() == 1


def test_forgetting_reaches_what_other_rooms_hold(acme: Api) -> None:
    for user in ("rosa", "otto"):
        acme("PUT", f"/users/{user}", {"email": f"{user}@example.com"})
        body = {"preferences": [{"topic": "category:marketing", "on": False}]}
        assert acme("PUT", f"/users/{user}/preferences", body).status_code == 200
    assert acme("DELETE", "/users/rosa").status_code == 204
    left = apps.get_model("preferences.Preference").objects.of(acme.tenant)
    assert list(left.values_list("recipient__user_id", flat=True)) == ["otto"]


def test_options_need_a_key_too(acme: Api) -> None:
    assert acme("OPTIONS", "/users/rosa").status_code == 200
    assert Client().options("/v1/users/rosa").status_code == 401


def test_a_failing_hook_keeps_the_person(acme: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tenant_id: UUID, recipient_id: UUID) -> None:
        raise RuntimeError("the ledger is away")

    monkeypatch.setattr(forgetting, "_callbacks", [fail])
    acme("PUT", "/users/rosa", {"email": "rosa@example.com"})
    assert acme("DELETE", "/users/rosa").status_code == 500
    assert acme("GET", "/users/rosa").json()["endpoints"][0]["address"] == "r***@example.com"


def test_other_scopes_do_not_open_this_door() -> None:
    forget_cached()
    reader = Api("acme", Scope.NOTIFICATIONS_READ, Scope.NOTIFICATIONS_WRITE)
    for method, path in [
        ("GET", "/users/rosa"),
        ("PUT", "/users/rosa"),
        ("DELETE", "/users/rosa"),
        ("GET", "/users/rosa/endpoints"),
    ]:
        assert reader(method, path, {}).status_code == 403
    assert not models.Recipient.objects.of(reader.tenant).exists()
