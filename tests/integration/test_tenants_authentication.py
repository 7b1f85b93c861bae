"""Who calls: keys at the door of the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.core import clock
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants import models, selectors, services

pytestmark = pytest.mark.django_db
DOOR = "/v1/event-types"


@pytest.fixture
def acme() -> Tenant:
    selectors.forget_cached()
    return services.create_tenant(slug="acme", name="Acme", locale="en-gb", timezone="Europe/London")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the clock of the process-wide cache."""
    real = selectors.monotonic

    def move(seconds: float) -> None:
        monkeypatch.setattr(selectors, "monotonic", lambda: real() + seconds)

    return move


def new_key(tenant: Tenant, **changes: Any) -> services.IssuedKey:
    given = {"name": "checkout", "mode": KeyMode.LIVE, "scopes": [Scope.NOTIFICATIONS_READ]} | changes
    return services.create_api_key(tenant=tenant, **given)


def call(client: Client, token: str | None) -> Any:
    return client.get(DOOR, headers={} if token is None else {"Authorization": f"Bearer {token}"})


def test_it_knows_the_caller_by_the_token(acme: Tenant) -> None:
    key = new_key(acme, rate_per_second=7, rate_burst=9, requires_idempotency_key=True)
    caller = selectors.caller_by_token(key.token)
    assert caller is not None
    assert (caller.tenant, caller.key_id, caller.key_name) == (acme, key.key_id, "checkout")
    assert (caller.mode, caller.scopes) == (KeyMode.LIVE, frozenset({Scope.NOTIFICATIONS_READ}))
    assert (caller.rate_per_second, caller.rate_burst, caller.requires_idempotency_key) == (7, 9, True)


def test_it_stores_no_token(acme: Tenant) -> None:
    key = new_key(acme)
    row = models.ApiKey.objects.of(acme).values().get()
    assert key.token not in repr(row)
    assert row["prefix"] == key.prefix
    assert len(bytes(row["secret_hash"])) == 32


def test_it_answers_missing_wrong_expired_and_revoked_keys_alike(acme: Tenant, client: Client) -> None:
    good = new_key(acme)
    revoked = new_key(acme)
    services.revoke_api_key(tenant=acme, key_id=revoked.key_id)
    expired = new_key(acme, expires_at=clock.now() - timedelta(seconds=1))
    wrong_secret = good.token[:-1] + ("a" if good.token[-1] != "a" else "b")
    wrong_mode = good.token.replace("ntf_live_", "ntf_test_")
    answers = [
        call(client, token) for token in (None, "", "nonsense", wrong_secret, wrong_mode, expired.token, revoked.token)
    ]
    answers.append(client.get(DOOR, headers={"Authorization": f"Basic {good.token}"}))
    for answer in answers:
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == 'Bearer realm="notifier"'
        assert answer["Content-Type"] == "application/problem+json"
        body = answer.json()
        assert body.pop("request_id") == answer["X-Request-Id"]
        assert body == {
            "type": "http://testserver/docs/errors#unauthenticated",
            "title": "The API key is missing or not valid.",
            "status": 401,
            "code": "unauthenticated",
            "detail": "The API key is missing or not valid.",
            "instance": DOOR,
        }
    assert call(client, good.token).status_code == 200


def test_both_secrets_work_while_they_overlap(acme: Tenant, later: Any) -> None:
    old = new_key(acme)
    new = services.rotate_api_key(tenant=acme, key_id=old.key_id, overlap=timedelta(hours=1))
    assert (new.key_id, new.prefix) == (old.key_id, old.prefix)
    assert selectors.caller_by_token(old.token) is not None
    assert selectors.caller_by_token(new.token) is not None
    models.ApiKey.objects.of(acme).update(previous_expires_at=clock.now())
    later(selectors.CACHE_SECONDS)
    assert selectors.caller_by_token(old.token) is None
    assert selectors.caller_by_token(new.token) is not None


def test_a_second_rotation_ends_the_first_secret(acme: Tenant) -> None:
    first = new_key(acme)
    second = services.rotate_api_key(tenant=acme, key_id=first.key_id, overlap=timedelta(hours=1))
    third = services.rotate_api_key(tenant=acme, key_id=first.key_id, overlap=timedelta(hours=1))
    known = [selectors.caller_by_token(key.token) is not None for key in (first, second, third)]
    assert known == [False, True, True]


def test_an_overlap_is_not_stretched_by_the_cache(acme: Tenant, later: Any) -> None:
    old = new_key(acme)
    services.rotate_api_key(tenant=acme, key_id=old.key_id, overlap=timedelta(seconds=1))
    assert selectors.caller_by_token(old.token) is not None
    later(1.0)
    models.ApiKey.objects.of(acme).update(previous_expires_at=clock.now())
    assert selectors.caller_by_token(old.token) is None


def test_it_refuses_to_rotate_a_revoked_key_or_one_of_another_tenant(acme: Tenant) -> None:
    globex = services.create_tenant(slug="globex", name="Globex")
    key = new_key(acme)
    with pytest.raises(services.Problem):
        services.rotate_api_key(tenant=globex, key_id=key.key_id, overlap=timedelta(0))
    assert services.revoke_api_key(tenant=globex, key_id=key.key_id) is False
    assert selectors.caller_by_token(key.token) is not None
    assert services.revoke_api_key(tenant=acme, key_id=key.key_id) is True
    with pytest.raises(services.Problem):
        services.rotate_api_key(tenant=acme, key_id=key.key_id, overlap=timedelta(0))
    assert models.ApiKey.objects.of(acme).get().previous_hash is None


def test_another_processs_revocation_holds_within_two_seconds(acme: Tenant, later: Any) -> None:
    key = new_key(acme)
    assert selectors.caller_by_token(key.token) is not None
    models.ApiKey.objects.of(acme).update(revoked_at=clock.now())
    later(1.9)
    assert selectors.caller_by_token(key.token) is not None
    later(2.0)
    assert selectors.caller_by_token(key.token) is None


def test_a_known_caller_costs_no_query(
    acme: Tenant, django_assert_num_queries: DjangoAssertNumQueries, later: Any
) -> None:
    key = new_key(acme)
    with django_assert_num_queries(2):
        selectors.caller_by_token(key.token)
    with django_assert_num_queries(0):
        for _ in range(100):
            selectors.caller_by_token(key.token)
            selectors.caller_by_token("ntf_live_nonsense")
    later(2.0)
    with django_assert_num_queries(1):
        selectors.caller_by_token(key.token)
    wrong = "ntf_live_abcdefgh_" + "a" * 32
    with django_assert_num_queries(1):
        for _ in range(100):
            selectors.caller_by_token(wrong)


def test_it_notes_the_last_use_once_a_minute(acme: Tenant, later: Any) -> None:
    key = new_key(acme)
    selectors.caller_by_token(key.token)
    first = models.ApiKey.objects.of(acme).get().last_used_at
    assert first is not None
    later(2.0)
    selectors.caller_by_token(key.token)
    assert models.ApiKey.objects.of(acme).get().last_used_at == first
    models.ApiKey.objects.of(acme).update(last_used_at=first - timedelta(minutes=1))
    later(4.0)
    selectors.caller_by_token(key.token)
    assert models.ApiKey.objects.of(acme).get().last_used_at > first


def test_processes_note_it_once_a_minute_together(acme: Tenant) -> None:
    key = new_key(acme)
    first = clock.now()
    selectors._note_use(key.key_id, first)
    selectors._note_use(key.key_id, first + timedelta(seconds=59))
    assert models.ApiKey.objects.of(acme).get().last_used_at == first
    selectors._note_use(key.key_id, first + timedelta(seconds=60))
    assert models.ApiKey.objects.of(acme).get().last_used_at == first + timedelta(seconds=60)


def test_a_key_whose_mode_was_changed_by_hand_is_refused(acme: Tenant) -> None:
    key = new_key(acme, mode=KeyMode.TEST)
    models.ApiKey.objects.of(acme).update(mode="live")
    assert selectors.caller_by_token(key.token) is None


def test_the_cache_of_callers_is_bounded(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "_MOST_CALLERS", 3)
    for number in range(10):
        assert selectors.caller_by_token(f"ntf_live_abcdefgh_{number:032}") is None
        assert len(selectors._callers) <= 3


def test_it_finds_tenants_and_guests(acme: Tenant, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    assert selectors.tenant_by_slug("acme") == acme
    assert (acme.locale, acme.timezone) == ("en-GB", "Europe/London")
    assert dict(selectors.tenants()) == {acme.id: acme}
    globex = services.create_tenant(slug="globex", name="Globex")
    assert set(selectors.tenants()) == {acme.id, globex.id}
    services.add_guest(tenant=acme, user_id="mira")
    services.add_guest(tenant=acme, user_id="mira")
    services.add_guest(tenant=globex, user_id="rosa")
    with django_assert_num_queries(1):
        assert selectors.guests(acme.id, ["mira", "rosa", "otto"]) == frozenset({"mira"})
    assert services.remove_guest(tenant=globex, user_id="mira") is False
    assert services.remove_guest(tenant=acme, user_id="mira") is True
    assert selectors.guests(acme.id, ["mira"]) == frozenset()
