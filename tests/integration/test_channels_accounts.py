"""Provider accounts: which ones carry a channel, who may see their secrets, and the switch."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings as django_settings

from apps.channels import selectors, services
from apps.channels.models import ProviderAccount
from apps.core import crypto
from apps.core.enums import Channel, KeyMode
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.tenants.models import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_cached() -> Iterator[None]:
    selectors.forget_cached()
    yield
    selectors.forget_cached()


@pytest.fixture
def acme() -> UUID:
    return Tenant.objects.create(slug="acme", name="Acme").id


def make(key: str, tenant: UUID | None = None, **given: Any) -> UUID:
    own = {"provider": "smtp", "channel": Channel.EMAIL, "base_url": "smtp://mail.acme.test"} | given
    return services.create_account(key=key, tenant_id=tenant, **own).id


def keys(tenant: UUID, mode: KeyMode = KeyMode.LIVE, channel: Channel = Channel.EMAIL) -> list[str]:
    return [account.key for account in selectors.accounts_for(tenant, mode, channel)]


def test_a_tenants_own_accounts_come_in_their_order(acme: UUID) -> None:
    other = Tenant.objects.create(slug="other", name="Other").id
    make("second", acme, order=20)
    make("first", acme, order=10)
    make("shared")
    make("others", other)
    assert keys(acme) == keys(acme, KeyMode.TEAM) == ["first", "second"]
    assert keys(other) == ["others"]
    assert keys(uuid4()) == ["shared"]
    assert keys(acme, channel=Channel.SMS) == []


def test_shared_accounts_serve_when_the_tenants_own_are_off(acme: UUID) -> None:
    own = make("own", acme)
    make("shared")
    assert services.switch_off(own, "The provider refused our credentials.")
    assert keys(acme) == ["shared"]
    assert services.switch_on(own)
    assert keys(acme) == ["own"]


def test_the_switch_says_whether_it_changed_anything(acme: UUID) -> None:
    own = make("own", acme)
    assert services.switch_off(own, "x" * 400)
    assert not services.switch_off(own, "again")
    row = ProviderAccount.objects.of(acme).get()
    assert (row.is_on, row.off_reason) == (False, "x" * 300)
    assert keys(acme) == []
    assert selectors.has_account(acme, KeyMode.LIVE, Channel.EMAIL)
    assert services.switch_on(own)
    assert not services.switch_on(own)
    assert ProviderAccount.objects.of(acme).get().off_reason == ""
    assert not services.switch_off(selectors.sandbox_account(Channel.SMS).id, "never")


def test_a_test_key_reaches_the_sandbox_only(acme: UUID) -> None:
    make("own", acme)
    make("shared")
    for channel in (Channel.EMAIL, Channel.SMS, Channel.PUSH):
        (account,) = selectors.accounts_for(acme, KeyMode.TEST, channel)
        assert (account.key, account.provider, account.channel) == (f"sandbox-{channel}", "sandbox", channel)
        assert account.base_url == django_settings.SANDBOX_URL
        assert account.id == selectors.sandbox_account(channel).id
        assert selectors.account_by_key(account.key) == selectors.account_by_id(account.id) == account
    assert keys(acme, KeyMode.TEST, Channel.IN_APP) == []
    assert not selectors.has_account(acme, KeyMode.TEST, Channel.IN_APP)


def test_without_a_secret_there_is_no_sandbox(acme: UUID, settings: Any) -> None:
    settings.SANDBOX_SECRET = ""
    assert keys(acme, KeyMode.TEST) == []
    assert selectors.account_by_key("sandbox-email") is None


def test_it_asks_once_in_two_seconds(
    acme: UUID, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("own", acme)
    moment = [1000.0]
    monkeypatch.setattr(selectors, "monotonic", lambda: moment[0])
    with django_assert_num_queries(1):
        for _ in range(5):
            assert keys(acme) == ["own"]
            assert selectors.has_account(acme, KeyMode.LIVE, Channel.EMAIL)
    with django_assert_num_queries(2):
        for _ in range(5):
            assert selectors.account_by_key("own") is not None
            assert selectors.account_by_key("nobody") is None
    moment[0] += 2.0
    with django_assert_num_queries(1):
        keys(acme)


def test_credentials_are_sealed_and_bound_to_their_row(acme: UUID) -> None:
    own = make("own", acme, credentials={"password": "open-sesame"}, webhook_secrets=["whsec_a", "whsec_b"])
    other = make("other", acme)
    rows = {row.id: row for row in ProviderAccount.objects.of(acme)}
    assert b"sesame" not in bytes(rows[own].sealed)
    account = selectors.account_by_key("own")
    assert account is not None
    assert account.credentials == {"password": "open-sesame"}
    assert account.webhook_secrets == ("whsec_a", "whsec_b")
    assert "sesame" not in repr(account) and "whsec" not in repr(account)
    ProviderAccount.objects.of(acme).filter(id=other).update(sealed=rows[own].sealed)
    selectors.forget_cached()
    assert keys(acme) == ["own"]
    with pytest.raises(crypto.UndecipherableError):
        selectors.opened(ProviderAccount.objects.of(acme).get(id=other))


def test_an_update_changes_what_it_names(acme: UUID) -> None:
    own = make("own", acme, credentials={"password": "old"}, webhook_secrets=["whsec_a"], settings={"rate": 5})
    account = services.update_account(own, credentials={"password": "new"}, base_url="smtps://mail.acme.test/")
    assert (account.credentials, account.webhook_secrets) == ({"password": "new"}, ("whsec_a",))
    assert (account.base_url, account.rate) == ("smtps://mail.acme.test", 5.0)
    account = services.update_account(own, webhook_secrets=[], settings={"read_timeout": 4, "helo": "acme.test"})
    assert (account.credentials, account.webhook_secrets) == ({"password": "new"}, ())
    assert (account.rate, account.read_timeout, account.settings) == (
        0.0,
        4.0,
        {"read_timeout": 4, "helo": "acme.test"},
    )
    with pytest.raises(TypeError, match="provider"):
        services.update_account(own, provider="sandbox")
    with pytest.raises(Problem) as refused:
        services.update_account(uuid4(), sender="x")
    assert refused.value.code == Code.NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"key": "Own Key"}, "/key"),
        ({"key": "sandbox-mine"}, "/key"),
        ({"provider": "pigeon"}, "/provider"),
        ({"channel": Channel.SMS}, "/channel"),
        ({"settings": {"pool_size": 0}}, "/settings/pool_size"),
        ({"settings": {"read_timeout": "10"}}, "/settings/read_timeout"),
        ({"settings": {"rate": True}}, "/settings/rate"),
    ],
)
def test_it_refuses_an_account_that_could_not_work(acme: UUID, changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Problem) as refused:
        make(changes.pop("key", "own"), acme, **changes)
    assert refused.value.code == Code.OUT_OF_RANGE
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert not ProviderAccount.objects.all_tenants().exists()


def test_it_refuses_a_key_that_is_taken(acme: UUID) -> None:
    make("own", acme)
    with pytest.raises(Problem) as refused:
        make("own")
    assert refused.value.code == Code.CONFLICT
    assert ProviderAccount.objects.all_tenants().count() == 1


def test_an_account_whose_provider_is_gone_is_left_out(acme: UUID, caplog: pytest.LogCaptureFixture) -> None:
    make("own", acme)
    ProviderAccount.objects.of(acme).update(provider="pigeon")
    selectors.forget_cached()
    assert keys(acme) == []
    assert [record.message for record in caplog.records] == ["account of an unknown provider"]


def test_nonsense_in_a_rows_settings_falls_back_to_defaults(acme: UUID) -> None:
    make("own", acme)
    ProviderAccount.objects.of(acme).update(settings={"connect_timeout": "soon", "pool_size": -1, "rate": None})
    selectors.forget_cached()
    (account,) = selectors.accounts_for(acme, KeyMode.LIVE, Channel.EMAIL)
    assert (account.connect_timeout, account.pool_size, account.rate) == (3.0, 16, 0.0)
