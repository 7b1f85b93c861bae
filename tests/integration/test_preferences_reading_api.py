"""Reading what people chose over HTTP: what holds, for many, its history; and who may."""

from datetime import timedelta

import pytest

from apps.audience.models import Recipient
from apps.core import clock
from apps.core.enums import Scope
from apps.core.types import Default
from apps.events.models import EventType
from apps.preferences import choosing, links
from apps.preferences.defaults import put_default
from tests.integration import inbox_cast as cast
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db
PATH = "/v1/users/otto/preferences"
LOCK = Default("category:social", "*", True, is_locked=True, reason="You are among friends.")


@pytest.fixture
def acme():
    return cast.tenant()


@pytest.fixture
def otto(acme):
    return cast.recipient(acme, "otto")


@pytest.fixture
def key(acme):
    return cast.api_key(acme, Scope.USERS_WRITE)


@pytest.fixture
def stranger():
    cast.recipient(beta := cast.tenant("beta"), "bea")
    return cast.api_key(beta, Scope.USERS_WRITE)


def patch(client, key, body, **headers):
    return client.patch(PATH, body, "application/json", headers=key | headers)


def chosen(otto):
    return choosing.stored([otto])[otto]


def ahead(**time):
    return (clock.now() + timedelta(**time)).replace(microsecond=0)


def test_a_locked_choice_is_kept_without_effect_and_says_why(client, key, acme, otto):
    EventType.objects.create(tenant_id=acme, key="post.liked", name="Liked", category="social")
    put_default(tenant_id=acme, default=LOCK)
    answer = patch(client, key, {"preferences": [{"topic": "post.liked", "on": False}, {"topic": "a.b", "on": False}]})

    said = {row["topic"]: (row["on"], row["locked"], row["locked_reason"]) for row in answer.json()["preferences"]}
    assert said == {"a.b": (False, False, None), "post.liked": (False, True, "You are among friends.")}


def test_what_holds_is_told_with_who_decided_it(client, key, acme, otto):
    EventType.objects.create(
        tenant_id=acme, key="order.shipped", name="Shipped", category="transactional", channels=["email"]
    )
    put_default(tenant_id=acme, default=Default("category:marketing", "*", False))
    put_default(tenant_id=acme, default=Default("*", "sms", True, is_locked=True, reason="By contract."))
    until = ahead(days=1)
    patch(
        client,
        key,
        {
            "preferences": [
                {"topic": "order.*", "on": True, "digest": "daily"},
                {"topic": "*", "channel": "sms", "on": False},
            ],
            "mutes": [{"topic": "category:social", "channel": "push", "until": until.isoformat()}],
        },
    )

    answer = client.get(f"{PATH}/effective", headers=key).json()

    held = {(row["event_type"] or row["category"]): row["channels"] for row in answer["data"]}
    assert (answer["user_id"], answer["version"]) == ("otto", 1)
    assert list(held) == ["critical", "transactional", "social", "marketing", "order.shipped"]
    assert list(held["order.shipped"]) == ["email"]
    since = held["order.shipped"]["email"].pop("since")
    assert since == client.get(PATH, headers=key).json()["preferences"][1]["updated_at"]
    nobody = dict.fromkeys(("digest", "topic", "channel", "source", "since", "reason", "muted_until"))
    theirs = {
        "on": True,
        "digest": "daily",
        "decided_by": "recipient",
        "topic": "order.*",
        "channel": "*",
        "source": "api",
    }
    assert held["order.shipped"]["email"] | {"since": None} == nobody | theirs | {"locked": False}
    assert held["social"]["email"] == nobody | {"on": True, "decided_by": "nobody", "locked": False}
    assert held["social"]["push"]["muted_until"] == until.isoformat().replace("+00:00", "Z")
    off = {"on": False, "decided_by": "tenant", "topic": "category:marketing", "channel": "*", "source": "tenant"}
    assert held["marketing"]["email"] == nobody | off | {"locked": False}
    sms = held["social"]["sms"]
    assert (sms["on"], sms["decided_by"], sms["locked"], sms["reason"]) == (True, "tenant", True, "By contract.")
    critical = held["critical"]["push"]
    assert (critical["on"], critical["locked"], critical["decided_by"]) == (True, True, "nobody")


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_many_are_read_with_a_fixed_number_of_statements(client, key, acme, count):
    Recipient.objects.bulk_create([Recipient(tenant_id=acme, user_id=f"u{n}") for n in range(count)])
    mine = {"blocked_actors": ["u_1"], "preferences": [{"topic": "a.b", "on": False}]}
    client.patch("/v1/users/u0/preferences", mine, "application/json", headers=key)
    put_default(tenant_id=acme, default=LOCK)
    asked = [*(f"u{n}" for n in reversed(range(count))), "nobody", "u0"]
    client.get("/v1/users/u0/preferences", headers=key)

    with counted() as statements:
        answer = client.post("/v1/users/preferences/read", {"user_ids": asked[:1000]}, "application/json", headers=key)

    assert answer.status_code == 200
    assert [row["user_id"] for row in answer.json()["data"]] == asked[:count]
    assert answer.json()["unknown"] == (["nobody"] if count < 1_000 else [])
    assert answer.json()["data"][-1]["blocked_actors"] == ["u_1"]
    ours = [text for text in statements if "tenants_" not in text]
    assert len(ours) == 3  # people, choices, the event types that they name


def test_many_of_another_tenant_are_unknown(client, stranger, otto):
    answer = client.post("/v1/users/preferences/read", {"user_ids": ["otto"]}, "application/json", headers=stranger)
    assert answer.json() == {"data": [], "unknown": ["otto"]}


def test_a_link_opens_this_persons_settings(client, key, otto):
    answer = client.post("/v1/users/otto/preference-links", headers=key)
    assert (answer.status_code, answer.json()) == (201, {"url": links.settings_url(otto)})


def test_another_tenants_people_are_not_found(client, stranger, otto):
    answers = [
        patch(client, stranger, {"blocked_actors": ["u_1"]}),
        client.get(f"{PATH}/effective", headers=stranger),
        client.get("/v1/users/otto/consents", headers=stranger),
        client.post("/v1/users/otto/preference-links", headers=stranger),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "unknown_user")] * 4
    assert chosen(otto).version == 0


def test_each_door_needs_its_scope(client, acme, otto):
    key = cast.api_key(acme, *(set(Scope) - {Scope.ADMIN, Scope.USERS_WRITE}))
    answers = [
        patch(client, key, {}),
        client.get(f"{PATH}/effective", headers=key),
        client.get("/v1/users/otto/consents", headers=key),
        client.post("/v1/users/otto/preference-links", headers=key),
        client.post("/v1/users/preferences/read", {"user_ids": ["otto"]}, "application/json", headers=key),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5


def test_the_history_is_a_chain_in_pages(client, key, otto):
    for topic in ("a", "b", "c"):
        patch(client, key, {"preferences": [{"topic": topic, "on": False}]})

    first = client.get("/v1/users/otto/consents?limit=2", headers=key).json()
    second = client.get(f"/v1/users/otto/consents?limit=2&cursor={first['next_cursor']}", headers=key).json()

    assert [row["number"] for row in (*first["data"], *second["data"])] == [3, 2, 1]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    rows = [*first["data"], *second["data"]]
    assert [row["previous_hash"] for row in rows] == [rows[1]["hash"], rows[2]["hash"], "00" * 32]
    assert first["chain"] == {"is_whole": True, "broken_at": None, "records": 3, "head": rows[0]["hash"]}
    last = rows[0]
    assert {
        name: last[name] for name in ("what", "topic", "channel", "before", "after", "source", "text", "address")
    } == {
        **{"what": "preference", "topic": "c", "channel": "*", "before": None, "after": {"on": False}, "source": "api"},
        **{"text": None, "address": None},
    }
