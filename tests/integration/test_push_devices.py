"""Devices: registered, listed, moved, retired on proof and revived; badges and collapse ids on their way to them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from msgspec import structs

from apps.audience import selectors, services
from apps.audience.addresses import device_token
from apps.audience.models import Endpoint
from apps.core import clock
from apps.core.enums import Channel, OutcomeKind, Platform
from apps.core.types import Outcome
from apps.dispatch.messages import with_badges
from apps.events.models import EventType
from apps.events.selectors import forget_cached as forget_event_types
from apps.inbox.models import InboxItem
from apps.templates.proving import Source
from apps.tenants.selectors import forget_cached, tenant_by_id
from tests.integration.dispatch_cast import Carrier, delivery, endpoint, notify, people, person, route, send, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.templates_cast import publish
from tests.integration.test_audience_api import Api
from tests.simulators.webpush import browser

pytestmark = pytest.mark.django_db
PUSH = "send.transactional.push"
TOKEN = {"token": "registration-token-a1b2", "platform": "android"}


@pytest.fixture
def acme() -> Api:
    forget_cached()
    api = Api("acme")
    for user in ("rosa", "otto"):
        api("PUT", f"/users/{user}", {})
    return api


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield lambda moment: monkeypatch.setattr(clock, "now", lambda: moment)


# the door


def test_devices_are_registered_seen_again_and_listed(acme: Api) -> None:
    first = acme("POST", "/users/rosa/devices", TOKEN)
    again = acme("PUT", "/users/rosa/devices", TOKEN)
    subscription = browser("sim-1").subscription | {"expirationTime": None}
    web = acme("PUT", "/users/rosa/devices", {"subscription": subscription})
    acme("POST", "/users/rosa/endpoints", {"kind": "email", "address": "rosa@example.com"})
    assert (first.status_code, again.status_code, web.status_code) == (201, 200, 201)
    assert again.json() | {"last_seen_at": None} == first.json() | {"last_seen_at": None}
    assert again.json()["last_seen_at"] > first.json()["last_seen_at"]
    listed = acme("GET", "/users/rosa/devices").json()
    assert [(row["kind"], row["platform"]) for row in listed["data"]] == [("web_push", "web"), ("device", "android")]
    assert listed["data"][1] == again.json()
    assert acme("GET", "/users/otto/devices").json()["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "t"},
        {"platform": "ios"},
        {"token": "t", "platform": "windows"},
        TOKEN | {"subscription": {"endpoint": "https://a.example/x", "keys": {"p256dh": "", "auth": ""}}},
        {"subscription": {"endpoint": "http://a.example/x", "keys": {"p256dh": "", "auth": ""}}},
        TOKEN | {"colour": "red"},
    ],
)
def test_what_is_no_device_is_refused(acme: Api, body: dict[str, Any]) -> None:
    assert acme("POST", "/users/rosa/devices", body).status_code == 400
    assert not Endpoint.objects.of(acme.tenant).exists()


def test_only_devices_are_removed_at_their_door(acme: Api) -> None:
    device = acme("POST", "/users/rosa/devices", TOKEN).json()["id"]
    mail = acme("POST", "/users/rosa/endpoints", {"kind": "email", "address": "rosa@example.com"}).json()["id"]
    assert acme("DELETE", f"/users/otto/devices/{device}").status_code == 404
    assert acme("DELETE", f"/users/rosa/devices/{mail}").status_code == 404
    assert acme("DELETE", f"/users/rosa/devices/{device}").status_code == 204
    assert acme("GET", "/users/rosa/devices").json()["data"] == []
    assert Endpoint.objects.of(acme.tenant).get().kind == "email"


def test_the_same_token_for_another_person_moves(acme: Api) -> None:
    acme("POST", "/users/rosa/devices", TOKEN)
    acme("POST", "/users/otto/devices", TOKEN)
    (rosas,) = acme("GET", "/users/rosa/devices").json()["data"]
    (ottos,) = acme("GET", "/users/otto/devices").json()["data"]
    assert (rosas["retired_reason"], ottos["retired_reason"]) == ("moved", None)
    acme("PUT", "/users/rosa/devices", TOKEN)
    (rosas,) = acme("GET", "/users/rosa/devices").json()["data"]
    (ottos,) = acme("GET", "/users/otto/devices").json()["data"]
    assert (rosas["retired_reason"], ottos["retired_reason"]) == (None, "moved")


def test_a_browser_that_comes_back_with_other_keys_is_sent_to_with_those(acme: Api) -> None:
    before, after = browser("sim-1").subscription, browser("sim-2").subscription
    first = acme("POST", "/users/rosa/devices", {"subscription": before})
    again = acme("PUT", "/users/rosa/devices", {"subscription": before | {"keys": after["keys"]}})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    (rosa,) = selectors.recipient_ids(acme.tenant.id, ["rosa"]).values()
    (found,) = selectors.endpoints_of([rosa])[rosa]
    assert msgspec.json.decode(found.address) == {"endpoint": before["endpoint"], "keys": after["keys"]}


# dead and alive again


@pytest.mark.parametrize(
    ("days", "expected"), [(-1, False), (0, True), (1, True), (None, True)], ids=["before", "at", "after", "now"]
)
def test_only_what_died_after_it_was_registered_is_retired(at: Any, days: int | None, expected: bool) -> None:
    registered = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
    at(registered)
    rosa = person()
    acme = tenant_by_id(tenant())
    assert acme is not None
    made = services.register_endpoint(
        tenant=acme, recipient_id=rosa, address=device_token("token-1", Platform.IOS, "")
    ).endpoint_id
    since = None if days is None else registered + timedelta(days=days)
    now = registered + timedelta(days=3)
    with CaptureQueriesContext(connection) as queries:
        assert services.retire_endpoints(dead={made: since}, reason="invalid_address", now=now) == int(expected)
    assert len(queries) == 1
    assert selectors.endpoints([made])[made].is_retired is expected
    assert services.retire_endpoints(dead={}, reason="invalid_address", now=now) == 0


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_any_number_is_retired_with_one_query(count: int) -> None:
    recipients = people(count)
    dead = {one.id: None for found in selectors.endpoints_of(recipients).values() for one in found}
    with CaptureQueriesContext(connection) as queries:
        assert services.retire_endpoints(dead=dead, reason="invalid_address", now=clock.now()) == count
    assert len(queries) == 1


def test_push_goes_to_every_device_and_a_dead_one_is_retired_on_the_first_proof(
    rung: list[str], carrier: Carrier
) -> None:
    rosa = person()
    dead = endpoint(rosa, Channel.PUSH, "token-dead", platform="android")
    alive = {endpoint(rosa, Channel.PUSH, f"token-{n}", platform="ios") for n in range(2)}
    notify([rosa], channels=[Channel.PUSH])
    route()
    outcomes = {"token-dead": Outcome(OutcomeKind.INVALID_ADDRESS, "UNREGISTERED")}
    carrier.send = lambda account, messages, **_: [  # type: ignore[method-assign]
        outcomes.get(m.address, Outcome(OutcomeKind.ACCEPTED, provider_message_id="m1")) for m in messages
    ]
    send(PUSH)
    retired = Endpoint.objects.of(tenant()).exclude(retired_at=None)
    assert [(row.id, row.retired_reason) for row in retired] == [(dead, "invalid_address")]
    notify([rosa], channels=[Channel.PUSH])
    route()
    assert {message.address for message in _asked(carrier)} == {"token-0", "token-1"}
    assert len(alive) == 2


def _asked(carrier: Carrier) -> list[Any]:
    seen: list[Any] = []

    def note(account: Any, messages: Any, **_: Any) -> list[Outcome]:
        seen.extend(messages)
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id="m2")] * len(messages)

    carrier.send = note  # type: ignore[method-assign]
    send(PUSH)
    return seen


def test_what_was_registered_after_the_provider_lost_it_stays(rung: list[str], carrier: Carrier) -> None:
    """An APNs 410 of an hour ago says nothing about the registration of a minute ago."""
    rosa = person()
    device = endpoint(rosa, Channel.PUSH, "token-1", platform="ios", last_seen_at=clock.now() - timedelta(minutes=1))
    notify([rosa], channels=[Channel.PUSH])
    route()
    an_hour_ago = clock.now() - timedelta(hours=1)
    carrier.says = [Outcome(OutcomeKind.INVALID_ADDRESS, "Unregistered", dead_since=an_hour_ago)]
    send(PUSH)
    assert (delivery().status, delivery().reason) == ("failed", "invalid_address")
    assert not selectors.endpoints([device])[device].is_retired


# what they show


def order_shipped(**variant: str) -> None:
    forget_event_types()
    acme = tenant_by_id(tenant())
    assert acme is not None
    source = Source(Channel.PUSH, "", {"title": "Shipped", "body": "On its way", **variant})
    publish(acme, "order_shipped", source)
    EventType.objects.create(
        tenant_id=acme.id,
        key="order.shipped",
        name="Shipped",
        category="transactional",
        template_key="order_shipped",
    )


def unread(recipient: Any, count: int) -> None:
    for _ in range(count):
        InboxItem.objects.create(
            tenant_id=tenant(), recipient_id=recipient, notification_id=recipient, category="social", sealed=b"x"
        )


def test_the_badge_is_the_number_of_unread_messages(rung: list[str], carrier: Carrier) -> None:
    rosa = person()
    endpoint(rosa, Channel.PUSH, "token-1", platform="ios")
    unread(rosa, 3)
    order_shipped(badge="unread", collapse_id="{{ event.type }}:{{ event.object_id }}")
    notify([rosa], channels=[Channel.PUSH], event_type="order.shipped", object_id="42")
    route()
    send(PUSH)
    (message,) = carrier.messages
    content = {name: value for name, value in message.content.items() if name != "engagement_token"}
    assert content == {
        "title": "Shipped",
        "body": "On its way",
        "badge": "3",
        "collapse_id": "order.shipped:42",
    }


@pytest.mark.parametrize("count", [1, 10, 100])
def test_badges_cost_one_query_for_all_and_none_when_nobody_asks(rung: list[str], carrier: Carrier, count: int) -> None:
    rosa = person()
    others = people(count)
    unread(others[0], 2)
    endpoint(rosa, Channel.PUSH, "token-1", platform="ios")
    notify([rosa], channels=[Channel.PUSH])
    route()
    send(PUSH)
    (message,) = carrier.messages
    asking = [(id_, structs.replace(message, content={"title": "Hi", "badge": "unread"})) for id_ in others]
    with CaptureQueriesContext(connection) as queries:
        badges = [one.content["badge"] for one in with_badges(asking)]
    assert badges == ["2"] + ["0"] * (count - 1)
    assert len(queries) == 1
    quiet = [(id_, structs.replace(message, content={"title": "Hi", "badge": "7"})) for id_ in others]
    with CaptureQueriesContext(connection) as queries:
        assert [one.content["badge"] for one in with_badges(quiet)] == ["7"] * count
    assert len(queries) == 0
