"""Which accounts carry a channel. Kept in this process for CACHE_SECONDS: what an operator changes takes effect that much later."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from django.conf import settings
from django.db.models import Q

from apps.channels import models, registry
from apps.core import crypto
from apps.core.enums import Channel, KeyMode
from apps.core.tenant_scope import looking
from apps.core.types import Account

log = logging.getLogger(__name__)
CACHE_SECONDS = 2.0
MOST_CACHED = 10_000
SANDBOX_PREFIX = "sandbox-"
# what a row's settings may say about transport: default, smallest, largest
NUMBERS: Mapping[str, tuple[float, float, float]] = {
    "connect_timeout": (3.0, 0.1, 30.0),
    "read_timeout": (10.0, 0.1, 120.0),
    "pool_size": (16, 1, 256),
    "batch_size": (0, 0, 10_000),
    "rate": (0.0, 0.0, 1_000_000.0),
}


class Secrets(msgspec.Struct, frozen=True):
    """What a row has sealed. Of several webhook secrets any may have signed (rotation)."""

    credentials: dict[str, str] = {}
    webhook_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    account: Account
    is_own: bool
    is_on: bool


_by_channel: dict[tuple[UUID, Channel], tuple[float, tuple[_Entry, ...]]] = {}
_by_key: dict[str, tuple[float, Account | None]] = {}


def accounts_for(tenant_id: UUID, mode: KeyMode, channel: Channel) -> tuple[Account, ...]:
    """Accounts that are on, in the order to try them: the tenant's own, or else those that belong to no tenant.

    With a test key always and only the sandbox.
    """
    if mode == KeyMode.TEST:
        return _sandbox(channel)
    active = [entry for entry in _entries(tenant_id, channel) if entry.is_on]
    own = tuple(entry.account for entry in active if entry.is_own)
    return own or tuple(entry.account for entry in active)


def has_account(tenant_id: UUID, mode: KeyMode, channel: Channel) -> bool:
    """Whether the channel has any account, on or off."""
    return bool(_sandbox(channel) if mode == KeyMode.TEST else _entries(tenant_id, channel))


def has_carrier(tenant_id: UUID, mode: KeyMode, channel: Channel, platform: str) -> bool:
    """Whether any account of the channel, on or off, reaches such a device."""
    accounts = _sandbox(channel) if mode == KeyMode.TEST else [e.account for e in _entries(tenant_id, channel)]
    return any(registry.provider(account.provider).carries(platform, account) for account in accounts)


def account_by_key(key: str) -> Account | None:
    """On or off: receipts for what an account sent come long after it was switched off."""
    if key.startswith(SANDBOX_PREFIX):
        return next((account for channel in Channel for account in _sandbox(channel) if account.key == key), None)
    kept = _by_key.get(key)
    if kept is None or kept[0] <= monotonic():
        with looking(None):
            rows = models.ProviderAccount.objects.all_tenants().filter(key=key)
        found = next((entry.account for entry in _loaded(rows)), None)
        kept = _keep(_by_key, key, found)
    return kept[1]


def account_by_id(account_id: UUID) -> Account | None:
    """Not cached."""
    sandbox = (account for channel in Channel for account in _sandbox(channel) if account.id == account_id)
    rows = models.ProviderAccount.objects.all_tenants().filter(id=account_id)
    return next(sandbox, None) or next((entry.account for entry in _loaded(rows)), None)


def every_account() -> tuple[tuple[Account, bool], ...]:
    """All that have a row, with whether they are on, by channel and order. Not cached. Those that cannot be opened are left out."""
    rows = models.ProviderAccount.objects.all_tenants().order_by("channel", "order", "key")
    return tuple((entry.account, entry.is_on) for entry in _loaded(rows))


def sandbox_account(channel: Channel) -> Account:
    """The built-in account of every test key; it has no row."""
    return _sandbox_accounts(channel, settings.SANDBOX_URL, settings.SANDBOX_SECRET)[0]


@cache
def _sandbox_accounts(channel: Channel, url: str, secret: str) -> tuple[Account]:
    account = Account(
        id=uuid5(NAMESPACE_URL, f"notifier:sandbox:{channel}"),
        key=f"{SANDBOX_PREFIX}{channel}",
        provider="sandbox",
        channel=channel,
        base_url=url,
        sender="",
        credentials={"secret": secret},
        webhook_secrets=(secret,),
        receipts_url=receipts_url(f"{SANDBOX_PREFIX}{channel}"),
    )
    return (account,)


def receipts_url(key: str) -> str:
    """Our door for an account's receipts, as the world sees it."""
    return f"{settings.PUBLIC_URL}/v1/receipts/{key}"


def forget_cached() -> None:
    """For services that changed a row in this very process, and for tests."""
    _by_channel.clear()
    _by_key.clear()


def _sandbox(channel: Channel) -> tuple[Account, ...]:
    """None without a secret: everybody could sign with an empty one."""
    if channel is Channel.IN_APP or not (secret := settings.SANDBOX_SECRET):
        return ()
    return _sandbox_accounts(channel, settings.SANDBOX_URL, secret)


def _entries(tenant_id: UUID, channel: Channel) -> tuple[_Entry, ...]:
    kept = _by_channel.get((tenant_id, channel))
    if kept is None or kept[0] <= monotonic():
        with looking(None):
            usable = models.ProviderAccount.objects.all_tenants().filter(Q(tenant=tenant_id) | Q(tenant=None))
        rows = usable.filter(channel=channel).order_by("order", "key")
        kept = _keep(_by_channel, (tenant_id, channel), tuple(_loaded(rows)))
    return kept[1]


def _keep(cache: dict[Any, Any], key: Any, value: Any) -> tuple[float, Any]:
    if len(cache) >= MOST_CACHED:
        cache.clear()
    kept = cache[key] = (monotonic() + CACHE_SECONDS, value)
    return kept


def _loaded(rows: Iterable[Any]) -> Iterable[_Entry]:
    """Rows whose provider is not installed any more or whose credentials cannot be opened are left out, and said so."""
    for row in rows:
        if row.provider not in registry.names():
            log.error("account of an unknown provider", extra={"account": row.key, "provider": row.provider})
            continue
        try:
            yield _Entry(account_of(row), row.tenant_id is not None, row.is_on)
        except (crypto.UndecipherableError, msgspec.DecodeError):
            log.error("account cannot be opened", extra={"account": row.key})


def account_of(row: models.ProviderAccount) -> Account:
    """Raises UndecipherableError."""
    secrets = opened(row)
    numbers = {name: _number(row.settings, name) for name in NUMBERS}
    return Account(
        id=row.id,
        key=row.key,
        provider=row.provider,
        channel=Channel(row.channel),
        base_url=row.base_url.rstrip("/"),
        sender=row.sender,
        credentials=secrets.credentials,
        webhook_secrets=secrets.webhook_secrets,
        settings=row.settings,
        connect_timeout=numbers["connect_timeout"],
        read_timeout=numbers["read_timeout"],
        pool_size=int(numbers["pool_size"]),
        batch_size=int(numbers["batch_size"]),
        rate=numbers["rate"],
        ca_bundle=str(row.settings.get("ca_bundle", "")),
        receipts_url=receipts_url(row.key),
        order=row.order,
    )


def opened(row: models.ProviderAccount) -> Secrets:
    """Raises UndecipherableError."""
    sealed = bytes(row.sealed)
    return msgspec.json.decode(crypto.decrypt(sealed, bound_to=row.id.bytes), type=Secrets) if sealed else Secrets()


def _number(found: Mapping[str, Any], name: str) -> float:
    default, low, high = NUMBERS[name]
    value = found.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return float(value) if is_number else default
