"""Tenants and keys: a token is shown once, and only once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants.models import ApiKey, AuditEntry
from apps.tenants.models import Tenant as TenantRow
from apps.tenants.selectors import caller_by_token, forget_cached, tenant_by_id
from apps.tenants.services import create_api_key
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira

pytestmark = pytest.mark.django_db

ADD = reverse("admin:tenants_apikey_add")


def asked(owner: Any, **fields: Any) -> dict[str, Any]:
    known = {
        "tenant": str(owner.id),
        "name": "shop",
        "mode": "live",
        "scopes": ["notifications:write", "notifications:read"],
        "rate_per_second": "50",
        "rate_burst": "100",
        "requires_idempotency_key": "on",
    }
    return known | fields


def page(key_id: UUID, what: str = "change") -> str:
    return reverse("admin:tenants_apikey_change", args=[key_id]).replace("/change/", f"/{what}/")


def token_on(answer: Any) -> str:
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    token = answer.context_data["token"]
    assert f'<code id="token">{token}</code>' in answer.content.decode()
    return str(token)


def is_known_anywhere(token: str) -> bool:
    """In the session, in the log of changes, in the key's row."""
    secret = token.rpartition("_")[2]
    kept = [str(session.get_decoded()) for session in Session.objects.all()]
    kept += [str(row) for row in AuditEntry.objects.all_tenants().values()]
    kept += [str(row) for row in ApiKey.objects.values()]
    return any(secret in text for text in kept)


def test_a_new_key_is_shown_once_and_works(acme: Tenant, mira: Client) -> None:
    token = token_on(mira.post(ADD, asked(acme)))
    caller = caller_by_token(token)
    assert caller is not None
    assert (caller.key_name, caller.mode, caller.rate_per_second) == ("shop", KeyMode.LIVE, 50)
    assert caller.scopes == {Scope.NOTIFICATIONS_READ, Scope.NOTIFICATIONS_WRITE}
    assert caller.requires_idempotency_key
    for address in (page(caller.key_id), reverse("admin:tenants_apikey_changelist")):
        text = mira.get(address).content.decode()
        assert f"ntf_live_{token.split('_')[2]}_…" in text
        assert token not in text
    assert not is_known_anywhere(token)


@pytest.mark.parametrize(
    "fields", [{"scopes": []}, {"scopes": ["root"]}, {"mode": "god"}, {"name": ""}, {"tenant": ""}]
)
def test_it_refuses_a_key_that_is_not_said_whole(acme: Tenant, mira: Client, fields: dict[str, Any]) -> None:
    answer = mira.post(ADD, asked(acme, **fields))
    assert answer.status_code == 200
    assert answer.context_data["errors"]
    assert not ApiKey.objects.exists()


class TestLater:
    @pytest.fixture
    def token(self, acme: Tenant) -> str:
        return create_api_key(tenant=acme, name="shop", mode=KeyMode.TEST, scopes=[Scope.ADMIN]).token

    @pytest.fixture
    def key(self, token: str) -> ApiKey:
        return ApiKey.objects.get()

    def test_a_change_takes_effect_and_leaves_the_secret(self, key: ApiKey, token: str, mira: Client) -> None:
        fields = asked(key.tenant, name="till", mode="live", scopes=["operator"])
        assert mira.post(page(key.id), fields).status_code == 302
        caller = caller_by_token(token)
        assert caller is not None
        assert (caller.key_name, caller.mode, caller.scopes) == ("till", KeyMode.TEST, {Scope.OPERATOR})

    def test_rotating_asks_first_and_shows_the_new_token_once(self, key: ApiKey, token: str, mira: Client) -> None:
        assert mira.get(page(key.id, "rotate")).status_code == 200
        assert caller_by_token(token) is not None
        new = token_on(mira.post(page(key.id, "rotate"), {"hours": "0"}))
        forget_cached()
        assert caller_by_token(token) is None
        assert caller_by_token(new) is not None
        assert not is_known_anywhere(new)

    def test_the_old_token_may_go_on_for_a_while(self, key: ApiKey, token: str, mira: Client) -> None:
        new = token_on(mira.post(page(key.id, "rotate"), {"hours": "24"}))
        forget_cached()
        assert caller_by_token(token) is not None
        assert caller_by_token(new) is not None
        key.refresh_from_db()
        assert key.previous_expires_at is not None
        assert timedelta(hours=23) < key.previous_expires_at - clock.now() <= timedelta(hours=24)

    def test_it_refuses_another_overlap(self, key: ApiKey, token: str, mira: Client) -> None:
        assert "token" not in mira.post(page(key.id, "rotate"), {"hours": "9999"}).context_data
        key.refresh_from_db()
        assert key.previous_hash is None

    def test_revoking_asks_first_and_ends_it(self, key: ApiKey, token: str, mira: Client) -> None:
        assert "cannot be undone" in mira.get(page(key.id, "revoke")).content.decode()
        assert caller_by_token(token) is not None
        assert mira.post(page(key.id, "revoke"))["Location"] == page(key.id)
        assert caller_by_token(token) is None
        text = mira.get(page(key.id)).content.decode()
        assert page(key.id, "rotate") not in text
        assert page(key.id, "revoke") not in text
        for what in ("rotate", "revoke"):
            assert mira.post(page(key.id, what), {"hours": "0"}).status_code == 404

    def test_keys_are_not_deleted(self, key: ApiKey, mira: Client) -> None:
        assert mira.post(page(key.id, "delete"), {"post": "yes"}).status_code == 403
        assert ApiKey.objects.count() == 1

    def test_a_viewer_neither_rotates_nor_revokes(self, key: ApiKey, token: str) -> None:
        vera = cast.viewer("tenants.view_apikey")
        assert vera.get(page(key.id)).status_code == 200
        for what in ("rotate", "revoke"):
            assert vera.get(page(key.id, what)).status_code == 403
            assert vera.post(page(key.id, what), {"hours": "0"}).status_code == 403
        assert caller_by_token(token) is not None


class TestTenants:
    def fields(self, **fields: str) -> dict[str, str]:
        known = {
            "name": "Acme",
            "slug": "acme",
            "locale": "de-ch",
            "timezone": "Europe/Zurich",
            "email_from": "",
            "weight": "1",
            "rate_per_second": "10",
            "rate_burst": "20",
            "retention_days": "90",
            "critical_share_most": "20",
        }
        return known | fields

    def test_a_tenant_is_made_with_a_canonical_locale(self, mira: Client) -> None:
        assert mira.post(reverse("admin:tenants_tenant_add"), self.fields()).status_code == 302
        assert TenantRow.objects.get().locale == "de-CH"

    @pytest.mark.parametrize(("field", "value"), [("locale", "klingon"), ("timezone", "CEST"), ("weight", "0")])
    def test_it_refuses_what_is_none(self, mira: Client, field: str, value: str) -> None:
        answer = mira.post(reverse("admin:tenants_tenant_add"), self.fields(**{field: value}))
        assert field in answer.context_data["adminform"].form.errors
        assert not TenantRow.objects.exists()

    def test_a_tenant_says_whose_mails_are_tracked(self, mira: Client) -> None:
        said = self.fields() | {"tracked_categories": ["marketing", "social"]}
        assert mira.post(reverse("admin:tenants_tenant_add"), said).status_code == 302
        row = TenantRow.objects.latest("created_at")
        found = tenant_by_id(row.id)
        assert found is not None and found.tracked_categories == {"marketing", "social"}
        never = said | {"slug": "b", "tracked_categories": ["critical"]}
        assert mira.post(reverse("admin:tenants_tenant_add"), never).status_code == 200
        assert not TenantRow.objects.filter(slug="b").exists()

    def test_a_tenant_is_not_deleted(self, acme: Tenant, mira: Client) -> None:
        assert mira.post(reverse("admin:tenants_tenant_delete", args=[acme.id]), {"post": "yes"}).status_code == 403
        assert TenantRow.objects.count() == 1
