"""/v1/templates, as callers see it."""

from typing import Any

import pytest
from django.test import Client

from apps.core import ids
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.templates import examples, models
from apps.tenants.services import create_api_key
from tests.integration.templates_cast import draft, email, outer, publish, sms, tenant

pytestmark = pytest.mark.django_db


class Api:
    def __init__(self, whose: Tenant, *scopes: Scope) -> None:
        key = create_api_key(tenant=whose, name="checkout", mode=KeyMode.TEST, scopes=scopes)
        self.client = Client(headers={"Authorization": f"Bearer {key.token}"})

    def get(self, path: str) -> Any:
        return self.client.get(f"/v1/templates{path}")

    def put(self, path: str, body: Any) -> Any:
        return self.client.put(f"/v1/templates{path}", body, content_type="application/json")

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(f"/v1/templates{path}", body or {}, content_type="application/json")


@pytest.fixture
def acme() -> Tenant:
    return tenant()


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return Api(acme, Scope.ADMIN)


def test_from_draft_to_version(admin: Api, acme: Tenant) -> None:
    answer = admin.put("/order_shipped", examples.TEMPLATE)
    assert answer.status_code == 201
    body = answer.json()
    assert body["published"] is None
    assert body["draft"]["variants"] == [{"locale": "", **variant} for variant in examples.TEMPLATE["variants"]]
    assert body["draft"]["sample"] == examples.TEMPLATE["sample"]
    assert ids.read("tpl", body["id"]) == models.Template.objects.of(acme).get().id
    assert ids.read("tv", body["draft"]["id"]) == models.TemplateVersion.objects.of(acme).get().id

    answer = admin.post("/order_shipped/publish")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["version"], body["draft"]) == (1, None)
    assert (body["published"]["number"], body["published"]["is_current"]) == (1, True)
    assert body["published"]["published_by"] == "key checkout"
    assert body == admin.get("/order_shipped").json()

    assert admin.put("/order_shipped", {**examples.TEMPLATE, "name": "New"}).status_code == 200
    assert admin.post("/order_shipped/publish").json()["version"] == 2
    assert admin.post("/order_shipped/rollback", {"version": 1}).json()["version"] == 1
    steps = admin.get("/order_shipped").json()["steps"]
    assert [(step["version"], step["action"], step["by"]) for step in steps] == [
        (1, "rolled_back", "key checkout"),
        (2, "published", "key checkout"),
        (1, "published", "key checkout"),
    ]
    versions = admin.get("/order_shipped/versions").json()
    assert [(each["number"], each["is_current"]) for each in versions["data"]] == [(2, False), (1, True)]


def test_a_broken_draft_names_its_places(admin: Api) -> None:
    variants = [
        {"channel": "sms", "content": {"body": "Hi"}},
        {"channel": "sms", "locale": "de", "content": {"body": "Hallo\n  {{ name }"}},
    ]
    assert admin.put("/order", {"name": "Order", "variants": variants}).status_code == 201
    answer = admin.post("/order/publish")
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert answer.json()["code"] == "template_invalid"
    assert answer.json()["errors"] == [
        {
            "pointer": "/variants/1/body",
            "code": "stray_braces",
            "detail": "`{{` is not closed with `}}`.",
            "line": 2,
            "column": 3,
        }
    ]
    assert admin.get("/order").json()["version"] is None


def test_a_preview_stores_nothing(admin: Api, acme: Tenant) -> None:
    admin.put("/order", examples.TEMPLATE)
    before = list(models.TemplateVariant.objects.of(acme).values("source", "compiled", "updated_at"))
    answer = admin.post("/order/preview", examples.PREVIEW)
    assert answer.status_code == 200
    assert answer.json() == {
        "channel": "sms",
        "locale": "de",
        "version": 1,
        "content": {"body": "Bestellung A-1029 ist unterwegs: https://shop.example/o/A-1029"},
        "size": 62,
        "sms": {"encoding": "gsm7", "segments": 1, "outside_gsm7": ""},
    }
    assert list(models.TemplateVariant.objects.of(acme).values("source", "compiled", "updated_at")) == before


def test_a_preview_uses_the_sample_and_the_reader(admin: Api) -> None:
    admin.put("/order", examples.TEMPLATE)
    html = admin.post("/order/preview", {"channel": "email"}).json()["content"]["html"]
    assert "Hello Rosa," in html
    answer = admin.post("/order/preview", {"channel": "email", "recipient": {"first_name": "Otto <3"}})
    assert "Hello Otto &lt;3," in answer.json()["content"]["html"]
    body = {"channel": "sms", "data": {"order_id": "ł", "url": "/a"}, "recipient": {"locale": "de-AT"}}
    answer = admin.post("/order/preview", body).json()
    assert (answer["locale"], answer["sms"]["encoding"], answer["sms"]["outside_gsm7"]) == ("de", "ucs2", "ł")


def test_a_preview_shows_any_version(admin: Api, acme: Tenant) -> None:
    publish(acme, "base", outer("<html><body>{{ content }}<p>Bye</p></body></html>"), is_layout=True)
    publish(acme, "order", email("<p>One</p>"), layout="base")
    assert "<p>One</p><p>Bye</p>" in admin.post("/order/preview", {"channel": "email"}).json()["content"]["html"]
    draft(acme, "order", email("<p>Two</p>"))
    answer = admin.post("/order/preview", {"channel": "email"}).json()
    assert "<p>Two</p></body>" in answer["content"]["html"]
    assert answer["version"] == 2
    answer = admin.post("/order/preview", {"channel": "email", "version": 1}).json()
    assert "<p>One</p><p>Bye</p>" in answer["content"]["html"]
    assert "<p>Sample</p><p>Bye</p>" in admin.post("/base/preview", {"channel": "email"}).json()["content"]["html"]
    assert admin.post("/order/preview", {"channel": "email", "version": 9}).status_code == 404


def test_a_preview_says_what_is_wrong(admin: Api, acme: Tenant) -> None:
    draft(acme, "order", sms("Hi"), email("<p>\n{{ data.id }}</p>"))
    answer = admin.post("/order/preview", {"channel": "email"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "pointer": "/variants/1/html",
            "code": "missing_data",
            "detail": "`data.id` is missing.",
            "line": 2,
            "column": 4,
        }
    ]
    answer = admin.post("/order/preview", {"channel": "push", "locale": "de"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "no_template")


def test_pages(admin: Api, acme: Tenant) -> None:
    for n in range(3):
        publish(acme, f"t{n}", sms("x"))
    first = admin.get("?limit=2").json()
    assert ([each["key"] for each in first["data"]], first["has_more"]) == (["t2", "t1"], True)
    second = admin.get(f"?limit=2&cursor={first['next_cursor']}").json()
    assert ([each["key"] for each in second["data"]], second["has_more"]) == (["t0"], False)
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"name": "x"}, 400, "missing_field", "/variants"),
        ({"name": "", "variants": []}, 400, "out_of_range", "/name"),
        ({"name": "x", "variants": [{"channel": "fax", "content": {}}]}, 400, "out_of_range", "/variants/0/channel"),
        (
            {"name": "x", "variants": [{"channel": "sms", "content": {"body": 1}}]},
            400,
            "wrong_type",
            "/variants/0/content",
        ),
        ({"name": "x", "variants": [], "colour": 1}, 400, "unknown_field", "/colour"),
        ({"name": "x", "variants": [], "layout": "no"}, 404, "unknown_template", "/layout"),
    ],
)
def test_it_refuses_bodies_that_are_wrong(
    admin: Api, acme: Tenant, body: Any, status: int, code: str, pointer: str
) -> None:
    answer = admin.put("/order", body)
    assert answer.status_code == status
    assert [(error["code"], error["pointer"]) for error in answer.json()["errors"]] == [(code, pointer)]
    assert not models.Template.objects.of(acme).exists()


def test_readers_do_not_write(acme: Tenant) -> None:
    publish(acme, "order", sms("x"))
    reader = Api(acme, Scope.NOTIFICATIONS_READ)
    assert (
        reader.get("").status_code
        == reader.get("/order").status_code
        == reader.get("/order/versions").status_code
        == 200
    )
    assert reader.post("/order/preview", {"channel": "sms"}).status_code == 200
    assert reader.put("/order", examples.TEMPLATE).status_code == 403
    assert reader.post("/order/publish").status_code == 403
    assert reader.post("/order/rollback", {"version": 1}).status_code == 403
    assert Api(acme, Scope.NOTIFICATIONS_WRITE).get("/order").status_code == 403
    assert models.TemplateVersion.objects.of(acme).count() == 1


def test_other_tenants_find_nothing(acme: Tenant) -> None:
    publish(acme, "order", sms("x"))
    globex = Api(tenant("globex"), Scope.ADMIN)
    assert globex.get("").json()["data"] == []
    for answer in (
        globex.get("/order"),
        globex.get("/order/versions"),
        globex.post("/order/publish"),
        globex.post("/order/rollback", {"version": 1}),
        globex.post("/order/preview", {"channel": "sms"}),
    ):
        assert answer.status_code == 404


@pytest.mark.parametrize("key", ["nothing", "a%00b", "a%0Ab", "%F0%9F%9A%97", "a" * 5_000])
def test_what_is_no_key_is_not_found(admin: Api, acme: Tenant, key: str) -> None:
    for answer in (
        admin.get(f"/{key}"),
        admin.get(f"/{key}/versions"),
        admin.post(f"/{key}/publish"),
        admin.post(f"/{key}/rollback", {"version": 1}),
        admin.post(f"/{key}/preview", {"channel": "sms"}),
    ):
        assert answer.status_code == 404
    if key != "nothing":
        assert admin.put(f"/{key}", {"name": "x", "variants": [], "layout": "y"}).status_code == 400
    assert not models.Template.objects.of(acme).exists()


def test_a_version_beyond_all_numbers_is_not_found(admin: Api, acme: Tenant) -> None:
    publish(acme, "order", sms("x"))
    for number in (2**31, 2**63, 2**64 - 1):
        assert admin.post("/order/rollback", {"version": number}).status_code == 404
        assert admin.post("/order/preview", {"channel": "sms", "version": number}).status_code == 404
