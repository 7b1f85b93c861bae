"""The catalogue of event types."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.core.enums import Category, Channel, GroupBy, KeyMode, Scope
from apps.core.types import Grouping, Tenant
from apps.events import models, selectors, services
from apps.tenants.selectors import forget_cached
from apps.tenants.services import create_api_key, create_tenant

pytestmark = pytest.mark.django_db
SHIPPED = {
    "name": "Order shipped",
    "category": "transactional",
    "template_key": "order-shipped",
    "channels": ["push", "email"],
    "fallback": ["push", "sms"],
    "fallback_after_seconds": 300,
    "resend_in_doubt": "once",
    "dedup_window_seconds": 3600,
    "sensitive_keys": ["code"],
    "owner": "Mira",
}

DEFAULTS = {
    "works_as": "transactional",
    "critical": None,
    "template_key": "",
    "channels": [],
    "fallback": [],
    "fallback_after_seconds": 0,
    "resend_in_doubt": "default",
    "dedup_window_seconds": 0,
    "dedup_by": "content",
    "waits_for": [],
    "waits_seconds": 0,
    "grouping": None,
    "overflows": False,
    "digest_template_key": "",
    "sensitive_keys": [],
    "owner": "",
}


@pytest.fixture
def acme() -> Tenant:
    forget_cached()
    selectors.forget_cached()
    return create_tenant(slug="acme", name="Acme")


def call(tenant: Tenant, method: str, path: str, body: Any = None, *scopes: Scope) -> Any:
    key = create_api_key(tenant=tenant, name="a key", mode=KeyMode.TEST, scopes=scopes or [Scope.ADMIN])
    headers = {"Authorization": f"Bearer {key.token}"}
    raw = b"" if body is None else json.dumps(body)
    return Client().generic(method, f"/v1/event-types{path}", raw, content_type="application/json", headers=headers)


def test_an_event_type_is_created_read_replaced_and_removed(acme: Tenant) -> None:
    created = call(acme, "PUT", "/order.shipped", SHIPPED)
    assert (created.status_code, created.json()) == (201, DEFAULTS | {"key": "order.shipped"} | SHIPPED)
    assert call(acme, "GET", "/order.shipped").json() == created.json()
    replaced = call(acme, "PUT", "/order.shipped", {"name": "Shipped", "category": "social"})
    bare = DEFAULTS | {"key": "order.shipped", "name": "Shipped", "category": "social", "works_as": "social"}
    assert (replaced.status_code, replaced.json()) == (200, bare)
    assert models.EventType.objects.of(acme).count() == 1
    assert call(acme, "DELETE", "/order.shipped").status_code == 204
    assert call(acme, "DELETE", "/order.shipped").status_code == 404
    assert call(acme, "GET", "/order.shipped").status_code == 404


def test_the_frozen_value_has_it_all(acme: Tenant) -> None:
    call(acme, "PUT", "/order.shipped", SHIPPED)
    found = selectors.event_type(acme.id, "order.shipped")
    assert found is not None
    assert (found.tenant_id, found.key, found.name, found.owner) == (acme.id, "order.shipped", "Order shipped", "Mira")
    assert (found.category, found.template_key) == (Category.TRANSACTIONAL, "order-shipped")
    assert (found.channels, found.fallback) == ((Channel.PUSH, Channel.EMAIL), (Channel.PUSH, Channel.SMS))
    assert (found.dedup_window, found.sensitive_keys) == (timedelta(hours=1), ("code",))
    assert (found.fallback_after, found.resend_in_doubt) == (timedelta(minutes=5), "once")


@pytest.mark.parametrize(
    ("key", "body", "code", "pointer"),
    [
        ("Order", {}, "out_of_range", "#path/key"),
        ("order..shipped", {}, "out_of_range", "#path/key"),
        ("order.", {}, "out_of_range", "#path/key"),
        ("a" * 101, {}, "out_of_range", "#path/key"),
        ("ok%0A", {}, "out_of_range", "#path/key"),
        ("ok", {"category": "urgent"}, "out_of_range", "/category"),
        ("ok", {"name": ""}, "out_of_range", "/name"),
        ("ok", {"channels": ["fax"]}, "out_of_range", "/channels/0"),
        ("ok", {"channels": ["push", "push"]}, "out_of_range", "/channels"),
        ("ok", {"fallback": ["sms", "sms"]}, "out_of_range", "/fallback"),
        ("ok", {"fallback_after_seconds": 86_401}, "out_of_range", "/fallback_after_seconds"),
        ("ok", {"resend_in_doubt": "always"}, "out_of_range", "/resend_in_doubt"),
        ("ok", {"dedup_window_seconds": -1}, "out_of_range", "/dedup_window_seconds"),
        ("ok", {"dedup_by": "luck"}, "out_of_range", "/dedup_by"),
        ("ok", {"waits_for": ["ok"], "waits_seconds": 5}, "contradiction", "/waits_for"),
        ("ok", {"waits_for": ["fuller"]}, "contradiction", "/waits_seconds"),
        ("ok", {"waits_for": ["fuller"], "waits_seconds": 3_601}, "out_of_range", "/waits_seconds"),
        ("ok", {"colour": "red"}, "unknown_field", "/colour"),
    ],
)
def test_it_refuses_what_is_not_valid_and_writes_nothing(
    acme: Tenant, key: str, body: Any, code: str, pointer: str
) -> None:
    answer = call(acme, "PUT", f"/{key}", {"name": "x", "category": "social"} | body)
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"][0]["pointer"]) == (400, code, pointer)
    assert not models.EventType.objects.of(acme).exists()


def test_what_cannot_be_stored_is_not_found(acme: Tenant) -> None:
    assert [call(acme, method, "/a%00b").status_code for method in ("GET", "DELETE")] == [404, 404]
    assert call(acme, "PUT", "/a%00b", SHIPPED).status_code == 400


def test_they_are_listed_in_pages_newest_first(acme: Tenant) -> None:
    for n in range(3):
        services.put_event_type(tenant=acme, key=f"k{n}", name="x", category=Category.SOCIAL)
    services.put_event_type(
        tenant=create_tenant(slug="globex", name="G"), key="theirs", name="x", category=Category.SOCIAL
    )
    first = call(acme, "GET", "?limit=2").json()
    assert ([row["key"] for row in first["data"]], first["has_more"]) == (["k2", "k1"], True)
    second = call(acme, "GET", f"?limit=2&cursor={first['next_cursor']}").json()
    assert second == {"data": [{**first["data"][0], "key": "k0"}], "has_more": False, "next_cursor": None}


def test_reading_and_changing_need_different_scopes(acme: Tenant) -> None:
    services.put_event_type(tenant=acme, key="k", name="x", category=Category.SOCIAL)
    reader = Scope.NOTIFICATIONS_READ
    assert call(acme, "GET", "/k", None, reader).status_code == 200
    assert call(acme, "GET", "", None, reader).status_code == 200
    assert call(acme, "PUT", "/k", SHIPPED, reader, Scope.OPERATOR).status_code == 403
    assert call(acme, "DELETE", "/k", None, reader, Scope.USERS_WRITE).status_code == 403
    assert models.EventType.objects.of(acme).get().name == "x"


def test_other_tenants_have_their_own(acme: Tenant) -> None:
    globex = create_tenant(slug="globex", name="Globex")
    services.put_event_type(tenant=acme, key="k", name="ours", category=Category.SOCIAL)
    assert call(globex, "GET", "/k").status_code == 404
    assert call(globex, "DELETE", "/k").status_code == 404
    services.put_event_type(tenant=globex, key="k", name="theirs", category=Category.MARKETING)
    found = selectors.event_types([(acme.id, "k"), (globex.id, "k"), (globex.id, "unknown")])
    assert {pair: kind.name for pair, kind in found.items()} == {(acme.id, "k"): "ours", (globex.id, "k"): "theirs"}


def test_a_bulk_look_up_does_not_mix_tenants(acme: Tenant) -> None:
    globex = create_tenant(slug="globex", name="Globex")
    services.put_event_type(tenant=acme, key="a", name="x", category=Category.SOCIAL)
    services.put_event_type(tenant=globex, key="b", name="x", category=Category.SOCIAL)
    assert selectors.event_types([(acme.id, "b"), (globex.id, "a")]) == {}


def test_what_is_known_costs_one_query_a_second(
    acme: Tenant, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.put_event_type(tenant=acme, key="k", name="old", category=Category.SOCIAL)
    with django_assert_num_queries(1):
        for _ in range(50):
            assert selectors.event_type(acme.id, "k") is not None
    models.EventType.objects.of(acme).update(name="new")
    assert selectors.event_type(acme.id, "k").name == "old"  # type: ignore[union-attr]
    later = selectors.monotonic() + selectors.CACHE_SECONDS
    monkeypatch.setattr(selectors, "monotonic", lambda: later)
    assert selectors.event_type(acme.id, "k").name == "new"  # type: ignore[union-attr]


def test_a_new_event_type_is_known_at_once(acme: Tenant) -> None:
    assert selectors.event_type(acme.id, "k") is None
    models.EventType.objects.create(tenant_id=acme.id, key="k", name="x", category="social")
    assert selectors.event_type(acme.id, "k") is not None


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_a_bulk_look_up_is_one_query(
    acme: Tenant, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [models.EventType(tenant_id=acme.id, key=f"k{n}", name="x", category="social") for n in range(count)]
    models.EventType.objects.bulk_create(rows)
    with django_assert_num_queries(1):
        assert len(selectors.event_types([(acme.id, f"k{n}") for n in range(count)])) == count


GROUPED = {"by": "object", "window_seconds": 600, "most": 20, "leads": True, "low_only": False}


def test_messages_can_be_summed_up(acme: Tenant) -> None:
    body = {
        "name": "Likes",
        "category": "social",
        "grouping": GROUPED,
        "overflows": True,
        "digest_template_key": "likes",
    }
    answer = call(acme, "PUT", "/post.liked", body)
    assert answer.status_code == 201
    said = answer.json()
    assert (said["grouping"], said["overflows"], said["digest_template_key"]) == (GROUPED, True, "likes")
    kind = selectors.event_type(acme.id, "post.liked")
    assert kind is not None
    assert kind.grouping == Grouping(GroupBy.OBJECT, timedelta(seconds=600), 20, leads=True)
    assert call(acme, "PUT", "/post.liked", {"name": "Likes", "category": "social"}).json()["grouping"] is None
    row = models.EventType.objects.of(acme).get()
    assert (row.group_by, row.group_window_seconds, row.group_most, row.group_leads) == ("", 0, 100, False)


@pytest.mark.parametrize(
    ("grouping", "code", "pointer"),
    [
        ({"by": "colour", "window_seconds": 60}, "out_of_range", "/grouping/by"),
        ({"by": "type"}, "missing_field", "/grouping/window_seconds"),
        ({"by": "type", "window_seconds": 0}, "out_of_range", "/grouping/window_seconds"),
        ({"by": "type", "window_seconds": 604_801}, "out_of_range", "/grouping/window_seconds"),
        ({"by": "type", "window_seconds": 60, "most": 1}, "out_of_range", "/grouping/most"),
        ({"by": "type", "window_seconds": 60, "size": 5}, "unknown_field", "/grouping/size"),
    ],
)
def test_it_refuses_a_wrong_grouping(acme: Tenant, grouping: Any, code: str, pointer: str) -> None:
    answer = call(acme, "PUT", "/post.liked", {"name": "Likes", "category": "social", "grouping": grouping})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["errors"][0]["pointer"]) == (400, code, pointer), problem
    assert not models.EventType.objects.of(acme).exists()


def test_it_refuses_to_sum_up_what_is_critical(acme: Tenant) -> None:
    body = {"name": "Login", "category": "critical", "critical_reason": "x", "owner": "y", "grouping": GROUPED}
    answer = call(acme, "PUT", "/login.code", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "contradiction")
    assert not models.EventType.objects.of(acme).exists()


def test_event_types_cannot_wait_for_each_other(acme: Tenant) -> None:
    for key, fuller in (("a", "b"), ("b", "c")):
        assert call(acme, "PUT", f"/{key}", {**SHIPPED, "waits_for": [fuller], "waits_seconds": 5}).status_code == 201
    refused = call(acme, "PUT", "/c", {**SHIPPED, "waits_for": ["a"], "waits_seconds": 5})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/waits_for")
    assert not models.EventType.objects.of(acme).filter(key="c").exists()


def test_what_is_at_hand_of_some_stays_when_there_is_no_room_for_others(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Of as many tenants as are kept, and one more."""
    monkeypatch.setattr(selectors, "_MOST_CACHED", 1)
    globex = create_tenant(slug="globex", name="Globex")
    call(acme, "PUT", "/a", {**SHIPPED, "waits_for": ["b"], "waits_seconds": 5})
    waiting = {"b": (selectors.event_type(acme.id, "a"),)}
    assert selectors.waiting_for([acme.id]) == {acme.id: waiting}
    with django_assert_num_queries(1):
        assert selectors.waiting_for([acme.id, globex.id]) == {acme.id: waiting, globex.id: {}}
