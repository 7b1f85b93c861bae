"""Provider accounts: made, changed, switched off and on."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.db import IntegrityError, transaction

from apps.channels import models, registry
from apps.channels.alerts import AlertKind, end_alert, raise_alert
from apps.channels.breaking import NUMBERS as HEALTH_NUMBERS
from apps.channels.limits import domain_rates_problem, warm_up_problem
from apps.channels.selectors import NUMBERS, SANDBOX_PREFIX, Secrets, account_of, forget_cached, opened
from apps.core import clock, crypto
from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Account

log = logging.getLogger(__name__)
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PLAIN = ("base_url", "sender", "order")


def create_account(
    *,
    key: str,
    provider: str,
    channel: Channel,
    tenant_id: UUID | None = None,
    base_url: str = "",
    sender: str = "",
    credentials: Mapping[str, str] | None = None,
    webhook_secrets: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    order: int = 100,
) -> Account:
    """Without a tenant it serves all who have none of their own. Raises Problem: out_of_range, conflict."""
    check_account(key, provider, channel, settings or {})
    row = models.ProviderAccount(
        tenant_id=tenant_id,
        key=key,
        provider=provider,
        channel=channel,
        base_url=base_url,
        sender=sender,
        settings=dict(settings or {}),
        order=order,
    )
    row.sealed = _sealed(row.id, Secrets(dict(credentials or {}), tuple(webhook_secrets)))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Problem(Code.CONFLICT, f"There is an account {key} already, or no such tenant.", pointer="/key") from None
    forget_cached()
    return account_of(row)


def update_account(
    account_id: UUID,
    *,
    credentials: Mapping[str, str] | None = None,
    webhook_secrets: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    **plain: Any,
) -> Account:
    """None leaves what is there; what is given replaces it whole. `plain`: base_url, sender, order.

    Raises Problem: not_found, out_of_range.
    """
    if unknown := plain.keys() - set(_PLAIN):
        raise TypeError(f"An account's {', '.join(sorted(unknown))} cannot be changed.")
    with transaction.atomic():
        row = models.ProviderAccount.objects.all_tenants().select_for_update().filter(id=account_id).first()
        if row is None:
            raise Problem(Code.NOT_FOUND)
        if settings is not None:
            check_settings(settings)
            row.settings = dict(settings)
        if credentials is not None or webhook_secrets is not None:
            row.sealed = _sealed(row.id, _merged(row, credentials, webhook_secrets))
        for name, value in plain.items():
            setattr(row, name, value)
        row.save()
    forget_cached()
    return account_of(row)


def switch_off(account_id: UUID, reason: str) -> bool:
    """Takes it out of use; whether it was in use. The built-in sandbox has no switch."""
    rows = models.ProviderAccount.objects.all_tenants().filter(id=account_id, is_on=True)
    is_changed = bool(rows.update(is_on=False, off_reason=reason[:300], updated_at=clock.now()))
    forget_cached()
    if is_changed:
        log.warning("provider account switched off", extra={"account_id": str(account_id), "reason": reason})
    return is_changed


def switch_off_misconfigured(account: Account, code: str) -> bool:
    """After the provider refused our credentials: one alert, however many calls it was said to."""
    is_changed = switch_off(account.id, f"The provider refused our credentials or sender ({code}).")
    if is_changed:
        text = f"{account.key} ({account.provider}, {account.channel}) is off: the provider refused our credentials ({code})."
        raise_alert(kind=AlertKind.OFF, subject=account.key, text=text)
    return is_changed


def switch_on(account_id: UUID) -> bool:
    """Puts it back into use; whether it was out of use."""
    rows = models.ProviderAccount.objects.all_tenants().filter(id=account_id, is_on=False)
    key = rows.values_list("key", flat=True).first()
    is_changed = bool(rows.update(is_on=True, off_reason="", updated_at=clock.now()))
    forget_cached()
    if key and is_changed:
        end_alert(kind=AlertKind.OFF, subject=key)
    return is_changed


def check_account(key: str, provider: str, channel: Channel, settings: Mapping[str, Any]) -> None:
    """Raises Problem: out_of_range, with a pointer to what is wrong."""
    if not _KEY.fullmatch(key) or key.startswith(SANDBOX_PREFIX):
        detail = f"Use 1 to 63 of a-z, 0-9, - and _, not beginning with {SANDBOX_PREFIX}."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer="/key")
    if provider not in registry.names():
        raise Problem(Code.OUT_OF_RANGE, f"There is no provider called {provider}.", pointer="/provider")
    if channel not in registry.provider(provider).channels:
        raise Problem(Code.OUT_OF_RANGE, f"{provider} does not carry {channel}.", pointer="/channel")
    check_settings(settings)


def check_settings(settings: Mapping[str, Any]) -> None:
    known = {**NUMBERS, **HEALTH_NUMBERS}
    for name in known.keys() & settings.keys():
        _, low, high = known[name]
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Problem(Code.OUT_OF_RANGE, f"{name} is a number from {low} to {high}.", pointer=f"/settings/{name}")
    for name, problem in (("warm_up", warm_up_problem), ("domain_rates", domain_rates_problem)):
        if sentence := problem(settings.get(name)):
            raise Problem(Code.OUT_OF_RANGE, sentence, pointer=f"/settings/{name}")


def _merged(
    row: models.ProviderAccount, credentials: Mapping[str, str] | None, webhook_secrets: Sequence[str] | None
) -> Secrets:
    """What was sealed is only opened when a part of it stays, so that a lost key does not stand in the way of new ones."""
    if credentials is not None and webhook_secrets is not None:
        return Secrets(dict(credentials), tuple(webhook_secrets))
    old = opened(row)
    return Secrets(
        old.credentials if credentials is None else dict(credentials),
        old.webhook_secrets if webhook_secrets is None else tuple(webhook_secrets),
    )


def _sealed(row_id: UUID, secrets: Secrets) -> bytes:
    return crypto.encrypt(msgspec.json.encode(secrets), bound_to=row_id.bytes)
