"""/v1/webhook-endpoints: made, shown, changed, rotated, replayed, tried, removed; and none of another tenant's."""

from datetime import timedelta
from time import sleep
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.test import Client, override_settings
from standardwebhooks import Webhook

from apps.core import clock, ids
from apps.core.enums import KeyMode, Scope
from apps.dispatch.ringer import ringer
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import create_api_key
from apps.webhooks import replaying, services
from apps.webhooks.catalogue import DEFAULT
from apps.webhooks.models import WebhookAttempt, WebhookCall, WebhookEndpoint
from tests.contract.scripted import answer
from tests.integration.receipts_cast import tenant
from tests.integration.webhooks_cast import become, deliveries, due_now, open_calls, receiver, row_of, send_due, told

pytestmark = pytest.mark.django_db
PATH = "/v1/webhook-endpoints"
PLACE = "https://93.184.215.14/hooks"


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(ringer, "ask", heard.append)
    return heard


class Api:
    """Calls as a tenant; what it answers."""

    def __init__(self, slug: str = "acme", *scopes: Scope) -> None:
        owner = tenant_by_id(tenant(slug))
        assert owner is not None
        scopes = scopes or (Scope.ADMIN,)
        self._token = create_api_key(tenant=owner, name="k", mode=KeyMode.LIVE, scopes=scopes).token

    def __call__(self, method: str, path: str = "", body: Any = None, *, status: int = 200) -> Any:
        said = Client().generic(
            method,
            path if path.startswith("/v1") else f"{PATH}{path}",
            b"" if body is None else msgspec.json.encode(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self._token}"},
        )
        assert said.status_code == status, said.content
        return said.json() if said.content else None

    def made(self, url: str = PLACE, **body: Any) -> Any:
        return self("POST", body={"url": url, **body}, status=201)


def id_of(shown: str) -> UUID:
    found = ids.read(ids.WEBHOOK_ENDPOINT, shown)
    assert found is not None
    return found


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once() -> None:
    api = Api()
    made = api.made(description="orders")
    secret = made.pop("secret")
    assert secret.startswith("whsec_") and Webhook(secret)
    assert made == {
        "id": made["id"],
        "url": PLACE,
        "events": sorted(DEFAULT),
        "description": "orders",
        "on": True,
        "off_reason": None,
        "failing_since": None,
        "previous_secret_until": None,
        "created_at": made["created_at"],
    }
    assert api("GET", f"/{made['id']}") == made
    assert api("GET")["data"] == [made]
    assert secret.encode() not in bytes(row_of(id_of(made["id"])).sealed)


def test_pages() -> None:
    api = Api()
    newest_first = [api.made(f"{PLACE}/{number}")["id"] for number in range(5)][::-1]
    first = api("GET", "?limit=3")
    second = api("GET", f"?limit=3&cursor={first['next_cursor']}")
    assert [[one["id"] for one in page["data"]] for page in (first, second)] == [newest_first[:3], newest_first[3:]]
    assert [page["has_more"] for page in (first, second)] == [True, False]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "missing_field", "/url"),
        ({"url": "http://example.com/"}, "webhook_url_refused", "/url"),
        ({"url": "https://169.254.169.254/"}, "webhook_url_refused", "/url"),
        ({"url": PLACE, "events": []}, "out_of_range", "/events"),
        ({"url": PLACE, "events": ["message.seen"]}, "out_of_range", "/events/0"),
        ({"url": PLACE, "secret": "x"}, "unknown_field", "/secret"),
        ({"url": "x" * 2001}, "out_of_range", "/url"),
    ],
)
def test_it_refuses_what_is_no_endpoint(body: Any, code: str, pointer: str) -> None:
    problem = Api()("POST", body=body, status=400)
    assert (problem["code"], [error["pointer"] for error in problem["errors"]]) == (code, [pointer])
    assert not WebhookEndpoint.objects.all_tenants().exists()


def test_a_tenant_has_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST", 2)
    api = Api()
    api.made()
    api.made()
    assert api("POST", body={"url": PLACE}, status=409)["code"] == "conflict"
    Api("globex").made()


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope != Scope.ADMIN])
def test_it_takes_an_admin(scope: Scope) -> None:
    assert Api("acme", scope)("GET", status=403)["code"] == "forbidden"


def test_it_is_changed_switched_off_and_on() -> None:
    api = Api()
    one = f"/{api.made()['id']}"
    changed = api("PATCH", one, {"url": f"{PLACE}/2", "events": ["message.sent", "message.sent"], "description": "x"})
    assert (changed["url"], changed["events"], changed["description"]) == (f"{PLACE}/2", ["message.sent"], "x")
    become(deliveries(), "sent")
    off = api("PATCH", one, {"on": False})
    assert (off["on"], off["off_reason"]) == (False, "Switched off by request.")
    for door, body in (("test", {}), ("replay", {"event_id": ids.show("evt", ids.new())})):
        assert api("POST", f"{one}/{door}", body, status=409)["code"] == "webhook_off"
    on = api("PATCH", one, {"on": True})
    assert (on["on"], on["off_reason"], on["url"]) == (True, None, f"{PLACE}/2")
    assert api("PATCH", one, {"url": "https://10.0.0.1/"}, status=400)["code"] == "webhook_url_refused"
    assert api("GET", one)["url"] == f"{PLACE}/2"


def test_it_is_removed_with_all_that_belongs_to_it() -> None:
    with receiver(answer(500)) as server:
        api = Api()
        made = api.made(server.url)
        become(deliveries(2), "sent")
        send_due()
        api("DELETE", f"/{made['id']}", status=204)
    for model in (WebhookEndpoint, WebhookAttempt, WebhookCall):
        assert not model.objects.all_tenants().exists()
    api("GET", f"/{made['id']}", status=404)
    api("DELETE", f"/{made['id']}", status=404)


def test_a_test_event_is_an_example_that_is_signed(rung: list[str], django_capture_on_commit_callbacks: Any) -> None:
    with receiver() as server:
        api = Api()
        made = api.made(server.url)
        with django_capture_on_commit_callbacks(execute=True):
            event = api("POST", f"/{made['id']}/test", {"type": "message.bounced"}, status=202)["event_id"]
        send_due()
        (attempt,) = api("GET", f"/{made['id']}/attempts")["data"]
    (seen,) = server.requests
    assert Webhook(made["secret"]).verify(seen.body, seen.headers) == told(seen)
    assert (told(seen)["type"], told(seen)["data"]["mode"], seen.headers["webhook-id"]) == (
        "message.bounced",
        "test",
        event,
    )
    assert attempt == {
        "event_id": event,
        "type": "message.bounced",
        "number": 1,
        "at": attempt["at"],
        "took_ms": attempt["took_ms"],
        "success": True,
        "status": 200,
        "error": None,
        "next_at": None,
    }
    assert rung == ["webhooks"]


def test_attempts_are_pages_of_all_events_or_of_one() -> None:
    with receiver(answer(500, b"a secret of theirs")) as server:
        api = Api()
        one = f"/{api.made(server.url)['id']}"
        become(deliveries(2), "sent")
        send_due()
        due_now()
        send_due()
    first = api("GET", f"{one}/attempts?limit=3")
    second = api("GET", f"{one}/attempts?limit=3&cursor={first['next_cursor']}")
    assert [attempt["number"] for attempt in first["data"] + second["data"]] == [2, 2, 1, 1]
    assert "theirs" not in str(first)
    event = first["data"][0]["event_id"]
    assert [attempt["number"] for attempt in api("GET", f"{one}/attempts?event_id={event}")["data"]] == [2, 1]
    assert api("GET", f"{one}/attempts?event_id=x", status=400)["code"] == "out_of_range"


def test_an_event_is_replayed_with_the_same_id(rung: list[str]) -> None:
    with receiver() as server:
        api = Api()
        one = f"/{api.made(server.url)['id']}"
        become(deliveries(), "sent")
        send_due()
        event = server.requests[0].headers["webhook-id"]
        assert api("POST", f"{one}/replay", {"event_id": event}, status=202) == {"queued": 1, "rest_from": None}
        send_due()
    assert [seen.headers["webhook-id"] for seen in server.requests] == [event, event]
    assert server.requests[0].body == server.requests[1].body
    other = ids.show(ids.WEBHOOK_EVENT, ids.new())
    assert api("POST", f"{one}/replay", {"event_id": other}, status=404)["code"] == "not_found"


def test_a_range_is_replayed_without_what_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [answer(200), answer(410)]
    with receiver(lambda seen, peer: (answers.pop(0) if answers else answer(200))(seen, peer)) as server:
        api = Api()
        one = f"/{api.made(server.url)['id']}"
        begun = clock.now() - timedelta(seconds=1)
        for _ in range(2):
            become(deliveries(), "sent")
            send_due()
        for _ in range(2):
            # an id says its time to the millisecond
            sleep(0.002)
            become(deliveries(), "sent")
        send_due()
        api("PATCH", one, {"on": True})
        span = {"start": begun.isoformat(), "end": (clock.now() + timedelta(seconds=5)).isoformat()}
        before = {**span, "end": begun.isoformat(), "start": (begun - timedelta(days=1)).isoformat()}
        assert api("POST", f"{one}/replay", before, status=202)["queued"] == 0
        monkeypatch.setattr(replaying, "AT_ONCE", 2)
        some = api("POST", f"{one}/replay", span, status=202)
        assert (some["queued"], some["rest_from"] is not None) == (2, True)
        rest = api("POST", f"{one}/replay", {**span, "start": some["rest_from"]}, status=202)
        assert (rest["queued"], rest["rest_from"]) == (1, None)
        assert len(send_due()) == 3
        monkeypatch.setattr(replaying, "AT_ONCE", 100)
        assert api("POST", f"{one}/replay", span, status=202)["queued"] == 0
        assert api("POST", f"{one}/replay", {**span, "only_failed": False}, status=202)["queued"] == 4


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "missing_field", "/start"),
        ({"start": "2027-03-01T00:00:00Z"}, "missing_field", "/end"),
        ({"event_id": "evt_x"}, "out_of_range", "/event_id"),
        ({"event_id": "evt_x", "start": "2027-03-01T00:00:00Z"}, "contradiction", "/event_id"),
        ({"start": "2027-03-01T00:00:00Z", "end": "2027-03-01T00:00:00Z"}, "contradiction", "/end"),
    ],
)
def test_it_refuses_to_replay_what_is_not_said(body: Any, code: str, pointer: str) -> None:
    api = Api()
    problem = api("POST", f"/{api.made()['id']}/replay", body, status=400)
    assert (problem["code"], problem["errors"][0]["pointer"]) == (code, pointer)
    assert open_calls() == 0


def test_a_secret_is_rotated() -> None:
    api = Api()
    made = api.made()
    one = f"/{made['id']}"
    for overlap, is_kept in ((0, False), (168, True)):
        said = api("POST", f"{one}/rotate-secret", {"overlap_hours": overlap})
        assert said["secret"] != made["secret"]
        assert (said["previous_secret_until"] is not None, api("GET", one)["previous_secret_until"]) == (
            is_kept,
            said["previous_secret_until"],
        )
    assert api("POST", f"{one}/rotate-secret", {"overlap_hours": 169}, status=400)["code"] == "out_of_range"


def test_another_tenants_endpoint_is_not_there() -> None:
    foreign = Api("globex")
    made = foreign.made()
    api = Api()
    one = f"/{made['id']}"
    become(deliveries(slug="globex"), "sent")
    for method, door, body in (
        ("GET", "", None),
        ("PATCH", "", {"on": False}),
        ("DELETE", "", None),
        ("GET", "/attempts", None),
        ("POST", "/replay", {"start": "2027-03-01T00:00:00Z", "end": "2027-03-02T00:00:00Z"}),
        ("POST", "/rotate-secret", {}),
        ("POST", "/test", {}),
    ):
        assert api(method, f"{one}{door}", body, status=404)["code"] == "not_found"
    assert api("GET")["data"] == []
    with override_settings(WEBHOOK_ALLOWED_NETWORKS=()):
        assert foreign("GET", one) == {name: value for name, value in made.items() if name != "secret"}
