"""Preferences and suppressions over HTTP."""

from hashlib import sha256

import pytest

from apps.audience.addresses import address_hash
from apps.core import clock
from apps.core.enums import Channel, Scope, SuppressionReason
from apps.core.types import NewSuppression, Switch
from apps.preferences import choosing, selectors, services
from apps.preferences.models import Preference, Suppression
from tests.integration import inbox_cast as cast

pytestmark = pytest.mark.django_db
PATH = "/v1/users/otto/preferences"
ENDPOINT_URL = "https://push.example.com/send/abcdefghijklmnop"


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
def admin(acme):
    return cast.api_key(acme, Scope.ADMIN)


def switches(*people):
    return {id_: chosen.switches for id_, chosen in choosing.stored(people).items()}


def put(client, key, *preferences):
    return client.put(PATH, {"preferences": list(preferences)}, "application/json", headers=key)


def suppress(client, admin, channel, address):
    return client.post("/v1/suppressions", {"channel": channel, "address": address}, "application/json", headers=admin)


def lift(client, admin, channel, address):
    body = {"channel": channel, "address": address}
    return client.delete("/v1/suppressions", body, "application/json", headers=admin)


def test_a_user_without_preferences_has_an_empty_list(client, key, otto):
    assert client.get(PATH, headers=key).json() == {
        "user_id": "otto",
        "version": 0,
        "preferences": [],
        "mutes": [],
        "quiet_hours": None,
        "digest_time": {"hour": 9, "weekday": "monday"},
        "blocked_actors": [],
    }


def test_what_was_put_is_what_is_read_and_what_dispatch_sees(client, key, otto):
    answer = put(client, key, {"topic": "order.*", "channel": "email", "on": False}, {"topic": "*", "on": True})

    assert answer.status_code == 200
    shown = [{name: row[name] for name in ("topic", "channel", "on", "source")} for row in answer.json()["preferences"]]
    assert shown == [
        {"topic": "*", "channel": "*", "on": True, "source": "api"},
        {"topic": "order.*", "channel": "email", "on": False, "source": "api"},
    ]
    assert client.get(PATH, headers=key).json() == answer.json()
    assert switches(otto) == {otto: (Switch("*", "*", True), Switch("order.*", "email", False))}


def test_putting_the_same_again_changes_nothing(client, key, otto):
    first = put(client, key, {"topic": "order.*", "on": False})

    assert put(client, key, {"topic": "order.*", "on": False}).json() == first.json()


def test_putting_replaces_the_whole_list(client, key, otto, acme):
    put(client, key, {"topic": "order.*", "on": False})

    put(client, key, {"topic": "category:social", "on": False})

    assert switches(otto) == {otto: (Switch("category:social", "*", False),)}


@pytest.mark.parametrize(
    ("row", "code", "pointer"),
    [
        ({"topic": "Order Shipped", "on": False}, "invalid_topic", "/preferences/1/topic"),
        ({"topic": "category:news", "on": False}, "invalid_topic", "/preferences/1/topic"),
        ({"topic": "order.*", "on": False}, "contradiction", "/preferences/1"),
        ({"topic": "a", "channel": "fax", "on": False}, "out_of_range", "/preferences/1/channel"),
        ({"topic": "a", "on": "no"}, "wrong_type", "/preferences/1/on"),
        ({"topic": "a"}, "missing_field", "/preferences/1/on"),
        ({"topic": "a", "on": True, "source": "x"}, "unknown_field", "/preferences/1/source"),
    ],
)
def test_it_refuses_a_list_with_anything_wrong_and_keeps_the_old_one(client, key, otto, row, code, pointer):
    put(client, key, {"topic": "kept", "on": False})

    answer = put(client, key, {"topic": "order.*", "on": True}, row)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert switches(otto) == {otto: (Switch("kept", "*", False),)}


def test_it_names_everything_that_is_wrong(client, key, otto):
    answer = put(client, key, {"topic": "A", "on": True}, {"topic": "B", "on": True}, {"topic": "c", "on": True})

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/preferences/0/topic", "/preferences/1/topic"]


def test_it_does_not_know_the_people_of_another_tenant(client, otto):
    cast.recipient(beta := cast.tenant("beta"), "bea")
    key = cast.api_key(beta, Scope.USERS_WRITE)

    for answer in (client.get(PATH, headers=key), put(client, key, {"topic": "a", "on": False})):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")
    assert Preference.objects.all_tenants().count() == 0


def test_preferences_and_suppressions_need_their_scopes(client, acme, otto):
    key = cast.api_key(acme, *(set(Scope) - {Scope.ADMIN, Scope.USERS_WRITE}))

    assert client.get(PATH, headers=key).status_code == 403
    assert put(client, key).status_code == 403
    key = cast.api_key(acme, *(set(Scope) - {Scope.ADMIN}))
    assert client.get("/v1/suppressions", headers=key).status_code == 403
    assert suppress(client, key, "email", "bea@example.com").status_code == 403
    assert lift(client, key, "email", "bea@example.com").status_code == 403
    assert Suppression.objects.all_tenants().count() == 0


@pytest.mark.parametrize(
    ("channel", "address", "same", "hashed", "masked"),
    [
        ("email", "Bea@Example.com", "bea@EXAMPLE.com", "bea@example.com", "B***@example.com"),
        ("sms", "+49 30 123456", "+4930123456", "+4930123456", "+49*****56"),
        ("push", "fcm-registration-token-0001", "fcm-registration-token-0001", None, "token ...0001"),
        ("push", ENDPOINT_URL, ENDPOINT_URL, None, "token ...mnop"),
    ],
)
def test_an_address_is_suppressed_and_lifted_in_the_form_in_which_endpoints_are_hashed(
    client, acme, admin, channel, address, same, hashed, masked
):
    made = suppress(client, admin, channel, address)
    again = suppress(client, admin, channel, same)

    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json() == made.json()
    created_at = made.json().pop("created_at")
    assert clock.datetime.fromisoformat(created_at) <= clock.now()
    assert {name: made.json()[name] for name in ("channel", "address", "reason", "source")} == {
        "channel": channel,
        "address": masked,
        "reason": "manual",
        "source": "api",
    }
    row = (acme, Channel(channel), address_hash(acme, Channel(channel), hashed or address))
    assert selectors.suppressed([row]) == {row}

    assert lift(client, admin, channel, same).status_code == 204
    assert selectors.suppressed([row]) == frozenset()
    assert lift(client, admin, channel, same).json()["code"] == "not_found"


def test_an_address_suppressed_for_another_reason_keeps_it(client, acme, admin):
    digest = address_hash(acme, Channel.EMAIL, "bea@example.com")
    bounce = NewSuppression(acme, Channel.EMAIL, digest, "b***@example.com", SuppressionReason.HARD_BOUNCE, "ses")
    services.suppress([bounce])

    answer = suppress(client, admin, "email", "bea@example.com")

    assert (answer.status_code, answer.json()["reason"], answer.json()["source"]) == (200, "hard_bounce", "ses")


@pytest.mark.parametrize(
    ("channel", "address", "code", "pointer"),
    [
        ("email", "bea", "invalid_email", "/address"),
        ("sms", "030 123", "invalid_phone", "/address"),
        ("push", "with spaces", "invalid_endpoint", "/address"),
        ("in_app", "rosa", "out_of_range", "/channel"),
        ("email", "", "out_of_range", "/address"),
    ],
)
def test_it_refuses_what_is_no_address_of_that_channel(client, admin, channel, address, code, pointer):
    for answer in (suppress(client, admin, channel, address), lift(client, admin, channel, address)):
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert Suppression.objects.all_tenants().count() == 0


def test_the_list_is_masked_latest_first_and_in_pages(client, acme, admin):
    for name in ("ada", "bea", "cleo"):
        suppress(client, admin, "email", f"{name}@example.com")
    suppress(client, cast.api_key(cast.tenant("beta"), Scope.ADMIN), "email", "zoe@example.com")

    first = client.get("/v1/suppressions?limit=2", headers=admin).json()
    second = client.get(f"/v1/suppressions?limit=2&cursor={first['next_cursor']}", headers=admin).json()

    assert [row["address"] for row in first["data"]] == ["c***@example.com", "b***@example.com"]
    assert [row["address"] for row in second["data"]] == ["a***@example.com"]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)


def test_an_address_in_another_tenant_s_list_is_neither_suppressed_nor_lifted_here(client, acme, admin):
    beta = cast.api_key(cast.tenant("beta"), Scope.ADMIN)
    suppress(client, admin, "email", "bea@example.com")

    assert lift(client, beta, "email", "bea@example.com").status_code == 404
    assert client.get("/v1/suppressions", headers=beta).json()["data"] == []
    assert Suppression.objects.of(acme).count() == 1


def test_while_hash_keys_change_an_address_is_found_under_each_of_them(client, acme, admin, settings):
    old = {"h1": sha256(b"old").digest()}
    settings.HASH_KEYS = old
    made = suppress(client, admin, "email", "bea@example.com")
    settings.HASH_KEYS = {"h2": sha256(b"new").digest()} | old

    again = suppress(client, admin, "email", "bea@example.com")

    assert (again.status_code, again.json()) == (200, made.json())
    assert Suppression.objects.of(acme).count() == 1
    assert lift(client, admin, "email", "bea@example.com").status_code == 204
    assert Suppression.objects.of(acme).count() == 0
