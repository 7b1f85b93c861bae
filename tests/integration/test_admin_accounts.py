"""Provider accounts: secrets go in and never come out, and each is switched off with a reason."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.channels import alerts, health
from apps.channels.breaking import Tally
from apps.channels.models import Alert, ProviderAccount
from apps.channels.selectors import account_by_id, accounts_for, forget_cached
from apps.channels.services import create_account
from apps.core import redis
from apps.core.enums import Channel, KeyMode
from apps.core.types import Account, Tenant
from apps.tenants.models import AuditEntry
from tests.integration import admin_cast as cast

pytestmark = pytest.mark.django_db

ADD = reverse("admin:channels_provideraccount_add")


@pytest.fixture
def mira() -> Client:
    forget_cached()
    return cast.mira()


@pytest.fixture
def relay() -> UUID:
    forget_cached()
    credentials = {"username": "acme", "password": "hunter2-relay"}
    return create_account(
        key="relay",
        provider="smtp",
        channel=Channel.EMAIL,
        base_url="smtp://relay.example",
        credentials=credentials,
        webhook_secrets=["whsec-1"],
    ).id


def typed(**fields: str) -> dict[str, str]:
    known = {
        "key": "relay",
        "provider": "smtp",
        "channel": "email",
        "tenant": "",
        "base_url": "smtp://relay.example:587",
        "sender": "Acme <hello@acme.example>",
        "order": "10",
        "settings": '{"rate": 5}',
        "credentials": "username = acme\r\npassword = hunter2=relay \r\n",
        "webhook_secrets": "",
    }
    return known | fields


def page(account_id: UUID, what: str = "change") -> str:
    return reverse("admin:channels_provideraccount_change", args=[account_id]).replace("/change/", f"/{what}/")


def test_an_account_is_made_with_its_secrets(mira: Client) -> None:
    answer = mira.post(ADD, typed())
    assert answer.status_code == 302, answer.context_data["errors"]
    row = ProviderAccount.objects.get()
    account = account_by_id(row.id)
    assert account is not None
    assert account.credentials == {"username": "acme", "password": "hunter2=relay"}
    assert (account.key, account.rate, row.order) == ("relay", 5.0, 10)
    assert str(row.id) == AuditEntry.objects.all_tenants().get().object_id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "Relay One"),
        ("key", "sandbox-email"),
        ("key", "Relay"),
        ("provider", "pigeon"),
        ("provider", "sandbox"),
        ("channel", "sms"),
        ("credentials", "no equals sign"),
        ("credentials", "= value"),
        ("settings", '{"rate": -1}'),
        ("settings", "[1]"),
        ("settings", "{"),
    ],
)
def test_it_refuses_what_does_not_fit_at_its_field(mira: Client, field: str, value: str) -> None:
    answer = mira.post(ADD, typed(**{field: value}))
    assert list(answer.context_data["adminform"].form.errors) == [field]
    assert "hunter2" not in answer.content.decode() or field != "credentials"
    assert not ProviderAccount.objects.exists()


def test_it_refuses_a_key_that_is_taken(relay: UUID, mira: Client) -> None:
    assert "key" in mira.post(ADD, typed()).context_data["adminform"].form.errors
    assert ProviderAccount.objects.count() == 1


def test_secrets_are_never_shown(relay: UUID, mira: Client) -> None:
    for address in (page(relay), reverse("admin:channels_provideraccount_changelist"), page(relay, "history")):
        text = mira.get(address).content.decode()
        assert "hunter2" not in text
        assert "whsec-1" not in text
    assert "password, username; 1 webhook secret" in mira.get(page(relay)).content.decode()
    assert "/v1/receipts/relay" in mira.get(page(relay)).content.decode()


def test_empty_secrets_keep_what_is_stored_and_new_ones_replace_all(relay: UUID, mira: Client) -> None:
    assert mira.post(page(relay), typed(credentials="", settings="{}")).status_code == 302
    account = account_by_id(relay)
    assert account is not None
    assert (account.credentials["password"], account.webhook_secrets) == ("hunter2-relay", ("whsec-1",))
    assert account.sender == "Acme <hello@acme.example>"
    mira.post(page(relay), typed(credentials="token = t", settings="{}"))
    account = account_by_id(relay)
    assert account is not None
    assert (account.credentials, account.webhook_secrets) == ({"token": "t"}, ("whsec-1",))


def test_what_identifies_an_account_is_not_changed(relay: UUID, mira: Client) -> None:
    mira.post(page(relay), typed(key="other", channel="sms", provider="sandbox", credentials=""))
    row = ProviderAccount.objects.get()
    assert (row.key, row.channel, row.provider) == ("relay", "email", "smtp")


def test_switching_off_needs_a_reason_and_takes_it_out_of_use(relay: UUID, mira: Client) -> None:
    tenant = cast.acme()
    off = page(relay, "off")
    assert mira.get(off).status_code == 200
    assert mira.post(off, {"reason": ""}).status_code == 200
    assert [account.key for account in accounts_for(tenant.id, KeyMode.LIVE, Channel.EMAIL)] == ["relay"]
    assert mira.post(off, {"reason": "too many bounces"})["Location"] == page(relay)
    assert accounts_for(tenant.id, KeyMode.LIVE, Channel.EMAIL) == ()
    assert ProviderAccount.objects.get().off_reason == "too many bounces (operator mira)"
    text = mira.get(page(relay)).content.decode()
    assert page(relay, "on") in text
    assert off not in text


def test_switching_on_puts_it_back(relay: UUID, mira: Client) -> None:
    tenant = cast.acme()
    mira.post(page(relay, "off"), {"reason": "x"})
    assert mira.get(page(relay, "on")).status_code == 200
    assert accounts_for(tenant.id, KeyMode.LIVE, Channel.EMAIL) == ()
    mira.post(page(relay, "on"))
    assert [account.key for account in accounts_for(tenant.id, KeyMode.LIVE, Channel.EMAIL)] == ["relay"]


def test_only_what_is_off_is_deleted(relay: UUID, mira: Client) -> None:
    assert mira.post(page(relay, "delete"), {"post": "yes"}).status_code == 403
    assert ProviderAccount.objects.count() == 1
    mira.post(page(relay, "off"), {"reason": "gone"})
    assert mira.post(page(relay, "delete"), {"post": "yes"}).status_code == 302
    assert not ProviderAccount.objects.exists()


def test_a_viewer_switches_nothing(relay: UUID) -> None:
    vera = cast.viewer("channels.view_provideraccount")
    assert "hunter2" not in vera.get(page(relay)).content.decode()
    for what in ("on", "off"):
        assert vera.post(page(relay, what), {"reason": "x"}).status_code == 403
    assert ProviderAccount.objects.get().is_on


def test_an_account_may_belong_to_one_tenant(mira: Client) -> None:
    tenant: Tenant = cast.acme()
    mira.post(ADD, typed(tenant=str(tenant.id)))
    found: Any = ProviderAccount.objects.get()
    assert found.tenant_id == tenant.id


def in_trouble(key: str) -> None:
    account = Account(UUID(int=1), key, "smtp", Channel.EMAIL, "", "", {})
    wrong = Tally(calls=1, errors=1, messages=1, firsts=1, codes={"503": 1})
    alerts.note_change(account, [health.note(account, wrong) for _ in range(20)][-1])


@pytest.fixture
def fresh() -> None:
    redis.quick().flushdb()


@pytest.mark.usefixtures("fresh")
def test_the_list_shows_the_health_of_each_account(relay: UUID, mira: Client) -> None:
    changelist = reverse("admin:channels_provideraccount_changelist")
    assert "well" in mira.get(changelist).content.decode()
    assert page(relay, "reset") not in mira.get(page(relay)).content.decode()
    in_trouble("relay")
    text = mira.get(changelist).content.decode()
    assert "in trouble" in text
    assert "breaker open for 0 s, probed in 5 s; 503 20x" in text
    home = mira.get(reverse("admin:index")).content.decode()
    assert "relay (smtp, email) is in trouble and rests: 503 20x." in home


@pytest.mark.usefixtures("fresh")
def test_resetting_the_breaker_closes_it_and_ends_its_alert(relay: UUID, mira: Client) -> None:
    in_trouble("relay")
    assert page(relay, "reset") in mira.get(page(relay)).content.decode()
    assert mira.get(page(relay, "reset")).status_code == 200
    assert health.records(["relay"])["relay"].state == 1
    assert mira.post(page(relay, "reset"))["Location"] == page(relay)
    assert health.records(["relay"])["relay"].state == 0
    assert Alert.objects.all_tenants().get().ended_at is not None
    assert AuditEntry.objects.all_tenants().latest("id").said == "Breaker reset."


@pytest.mark.usefixtures("fresh")
def test_a_viewer_resets_nothing(relay: UUID) -> None:
    in_trouble("relay")
    assert cast.viewer("channels.view_provideraccount").post(page(relay, "reset")).status_code == 403
    assert health.records(["relay"])["relay"].state == 1


def test_the_order_is_changed_in_the_list_and_nothing_else_is(relay: UUID, mira: Client) -> None:
    rows = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(relay), "form-0-order": "7"}
    answer = mira.post(reverse("admin:channels_provideraccount_changelist"), rows | {"_save": "Save"})
    assert answer.status_code == 302
    account = account_by_id(relay)
    assert account is not None
    assert (account.order, account.credentials["password"], account.webhook_secrets) == (
        7,
        "hunter2-relay",
        ("whsec-1",),
    )


@pytest.mark.parametrize(
    "settings",
    [
        '{"breaker_share": 2}',
        '{"breaker_calls": "many"}',
        '{"warm_up": {"from": "soon"}}',
        '{"domain_rates": {"a": 0}}',
    ],
)
def test_it_refuses_settings_of_health_that_make_no_sense(mira: Client, settings: str) -> None:
    answer = mira.post(ADD, typed(settings=settings))
    assert list(answer.context_data["adminform"].form.errors) == ["settings"]
    assert not ProviderAccount.objects.exists()
