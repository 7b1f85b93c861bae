"""/v1/segments: kept, counted, tried; lists filled; other tenants see nothing of it."""

import json
from typing import Any

import pytest

from apps.audience.models import Segment, SegmentMember
from apps.core.enums import Scope
from apps.tenants.models import AuditEntry
from tests.integration import ingest_cast as cast
from tests.integration.admin_cast import person
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db
PRO = {"field": "attributes.plan", "op": "is", "value": "pro"}
NEW = {"key": "pros", "name": "Pros", "rules": PRO}


class Caller(cast.Caller):
    """`tenant`: whose key it is; without anybody yet."""

    def __init__(self, slug: str) -> None:
        self.tenant = cast.acme(slug, people=())
        super().__init__(self.tenant, Scope.USERS_WRITE)

    def put(self, where: str, body: Any) -> Any:
        return self.client.put(where, json.dumps(body), content_type="application/json", headers=self.headers)

    def delete(self, where: str, body: Any = None) -> Any:
        return self.client.delete(where, json.dumps(body), content_type="application/json", headers=self.headers)


@pytest.fixture
def caller() -> Caller:
    return Caller("acme")


def code(answer: Any) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["code"], body["errors"][0]["pointer"] if body.get("errors") else ""


def test_a_segment_lives_from_its_making_to_its_archiving(caller: Caller) -> None:
    made = caller.post("/v1/segments", NEW)
    assert made.status_code == 201
    body = made.json()
    facts = {
        name: body[name] for name in ("key", "name", "kind", "rules", "version", "count", "archived_at", "used_by")
    }
    assert facts == {
        "key": "pros", "name": "Pros", "kind": "rules", "rules": PRO, "version": 1, "count": None, "archived_at": None,
        "used_by": [],
    }  # fmt: skip
    for name in ("pros", body["id"]):
        assert caller.get(f"/v1/segments/{name}").json() == body
    assert caller.get("/v1/segments/pros/count").json() == {"count": 0, "exact": True}
    changed = caller.put("/v1/segments/pros", {"name": "All", "rules": {"everyone": True}, "version": 1}).json()
    assert (changed["name"], changed["version"], changed["count"]) == ("All", 2, None)
    stale = caller.put("/v1/segments/pros", {"name": "All", "rules": {"everyone": True}, "version": 1})
    assert code(stale) == (409, "stale_version", "/version")
    person(caller.tenant)
    assert caller.get("/v1/segments/pros/count").json() == {"count": 1, "exact": True}
    assert caller.get("/v1/segments/pros").json()["count"] == 1
    assert caller.delete("/v1/segments/pros").status_code == 204
    assert caller.delete("/v1/segments/pros").status_code == 204
    assert caller.get("/v1/segments").json()["data"] == []
    assert [one["key"] for one in caller.get("/v1/segments?archived=true").json()["data"]] == ["pros"]
    assert code(caller.put("/v1/segments/pros", {"name": "x", "rules": PRO}))[:2] == (409, "conflict")
    kept = AuditEntry.objects.of(caller.tenant).filter(kind="audience.segment").order_by("id")
    assert list(kept.values_list("action", "label")) == [
        ("add", "pros"),
        ("change", "pros"),
        ("archive", "pros"),
        ("archive", "pros"),
    ]
    assert kept[1].difference["rules"] == [PRO, {"everyone": True}]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (NEW | {"key": "Pros"}, (400, "out_of_range", "/key")),
        (NEW | {"key": "preview"}, (400, "out_of_range", "/key")),
        (NEW | {"name": " "}, (400, "out_of_range", "/name")),
        (NEW | {"rules": {"all": []}}, (400, "invalid_segment_rule", "/rules/all")),
        (NEW | {"rules": {"any": [PRO, {"segment": "x"}]}}, (400, "unknown_segment", "/rules/any/1/segment")),
        (NEW | {"rule": PRO}, (400, "unknown_field", "/rule")),
    ],
)
def test_it_refuses_what_is_no_segment_and_keeps_nothing(
    caller: Caller, body: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    assert code(caller.post("/v1/segments", body)) == expected
    assert Segment.objects.all_tenants().count() == 0


def test_a_list_is_filled_and_emptied_a_fixed_number_of_statements_at_a_time(caller: Caller) -> None:
    caller.post("/v1/segments", {"key": "guests", "name": "Guests"})
    ids = [person(caller.tenant, f"u{n}") for n in range(12)]
    members = "/v1/segments/guests/members"
    counts = []
    for size in (1, 10):
        with counted() as made:
            answer = caller.post(members, {"user_ids": [f"u{n}" for n in range(size)] + ["nobody"]})
        counts.append(len(made))
    assert counts[0] == counts[1]
    assert answer.json() == {"changed": 9, "unknown": ["nobody"]}
    assert caller.get("/v1/segments/guests/count").json() == {"count": 10, "exact": True}
    first = caller.get(f"{members}?limit=7").json()
    rest = caller.get(f"{members}?limit=7&cursor={first['next_cursor']}").json()
    assert (len(first["data"]), rest["has_more"]) == (7, False)
    assert sorted(first["data"] + rest["data"]) == sorted(f"u{n}" for n in range(10))
    assert caller.delete(members, {"user_ids": ["u0", "u11"]}).json() == {"changed": 1, "unknown": []}
    assert set(SegmentMember.objects.of(caller.tenant).values_list("recipient_id", flat=True)) == set(ids[1:10])


def test_rules_are_tried_and_nothing_is_kept(caller: Caller) -> None:
    for user_id in ("rosa", "otto"):
        person(caller.tenant, user_id)
    body = {"rules": {"everyone": True}, "exclude": {"users": ["otto"]}, "channels": ["email", "sms"], "people": 5}
    answer = caller.post("/v1/segments/preview", body).json()
    assert (answer["count"], answer["exact"], answer["warnings"]) == (1, True, [])
    assert answer["funnel"]["channels"] == [
        {"channel": "email", "has_address": 1, "allowed": 1, "not_suppressed": 1, "under_caps": 1},
        {"channel": "sms", "has_address": 0, "allowed": 0, "not_suppressed": 0, "under_caps": 0},
    ]
    assert [one["user_id"] for one in answer["people"]] == ["rosa"]
    assert len(answer["people"][0]["why"]) == 2
    warned = caller.post("/v1/segments/preview", {"rules": {"none": [PRO]}}).json()
    assert warned["count"] == 2
    assert warned["warnings"] == [{"pointer": "/rules/none/0/field", "detail": "Nobody has the attribute `plan`."}]
    assert warned["funnel"]["reached"] == 2
    wrong = caller.post("/v1/segments/preview", {"rules": PRO, "exclude": {"list": "guests"}})
    assert code(wrong) == (400, "unknown_segment", "/exclude/list")
    assert Segment.objects.all_tenants().count() == 0


def test_what_can_be_asked_is_listed(caller: Caller) -> None:
    found = {one["name"]: one for one in caller.get("/v1/segments/fields").json()["data"]}
    assert found["address."]["paths"] == ["email", "sms", "push"]
    assert found["activity.opened."]["ops"]["never"] == "nothing"
    assert {
        "attributes.",
        "user_id",
        "locale",
        "timezone",
        "country",
        "created_at",
        "blocked",
        "preferences.",
        "muted",
    } < set(found)


def test_other_tenants_find_nothing(caller: Caller) -> None:
    caller.post("/v1/segments", {"key": "guests", "name": "Guests"})
    caller.post("/v1/segments", {"key": "everyone", "name": "All", "rules": {"everyone": True}})
    person(caller.tenant)
    beta = Caller("beta")
    shown = caller.get("/v1/segments/guests").json()["id"]
    for name in ("guests", shown):
        assert beta.get(f"/v1/segments/{name}").status_code == 404
        assert beta.put(f"/v1/segments/{name}", {"name": "x"}).status_code == 404
        assert beta.delete(f"/v1/segments/{name}").status_code == 404
        assert beta.post(f"/v1/segments/{name}/members", {"user_ids": ["rosa"]}).status_code == 404
        assert code(beta.post("/v1/segments/preview", {"rules": {"list": name}}))[1] == "unknown_segment"
    assert beta.get("/v1/segments").json()["data"] == []
    assert beta.post("/v1/segments/preview", {"rules": {"everyone": True}}).json()["count"] == 0
    own = beta.post("/v1/segments", {"key": "guests", "name": "Ours"})
    assert own.status_code == 201
    assert beta.post("/v1/segments/guests/members", {"user_ids": ["rosa"]}).json() == {
        "changed": 0,
        "unknown": ["rosa"],
    }
    assert SegmentMember.objects.all_tenants().count() == 0
