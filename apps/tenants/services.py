"""Tenants, their keys and their guests: made, rotated, revoked."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F

from apps.core import clock
from apps.core.enums import KeyMode, Scope
from apps.core.locales import canonical_locale, is_timezone
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.tenants import models
from apps.tenants.keys import IssuedKey, new_token
from apps.tenants.selectors import forget_cached, tenant_by_id


def create_tenant(
    *,
    slug: str,
    name: str,
    locale: str = "en",
    timezone: str = "UTC",
    email_from: str = "",
    rate_per_second: int = 2_000,
    rate_burst: int = 10_000,
) -> Tenant:
    """Raises Problem: invalid_locale, invalid_timezone; ValidationError: a slug that is taken or not a slug."""
    canonical = canonical_locale(locale)
    if canonical is None:
        raise Problem(Code.INVALID_LOCALE, f"`{locale}` is not a known locale.", pointer="/locale")
    if not is_timezone(timezone):
        raise Problem(Code.INVALID_TIMEZONE, f"`{timezone}` is not a known time zone.", pointer="/timezone")
    row = models.Tenant(
        slug=slug,
        name=name,
        locale=canonical,
        timezone=timezone,
        email_from=email_from,
        rate_per_second=rate_per_second,
        rate_burst=rate_burst,
    )
    row.full_clean()
    row.save(force_insert=True)
    forget_cached()
    found = tenant_by_id(row.id)
    assert found is not None
    return found


def create_api_key(
    *,
    tenant: Tenant,
    name: str,
    mode: KeyMode,
    scopes: Iterable[Scope],
    expires_at: datetime | None = None,
    requires_idempotency_key: bool = False,
    rate_per_second: int = 1_000,
    rate_burst: int = 5_000,
) -> IssuedKey:
    """The answer holds the token in clear: it can be read here and never again."""
    token = new_token(mode)
    key = models.ApiKey.objects.create(
        tenant_id=tenant.id,
        name=name,
        mode=mode,
        prefix=token.prefix,
        secret_hash=token.hash,
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        requires_idempotency_key=requires_idempotency_key,
        rate_per_second=rate_per_second,
        rate_burst=rate_burst,
    )
    return IssuedKey(key.id, token.prefix, token.text)


def rotate_api_key(*, tenant: Tenant, key_id: UUID, overlap: timedelta) -> IssuedKey:
    """A new secret under the same prefix; the old one works on for `overlap`. One that still overlapped before ends now.

    Raises Problem: not_found (also for a revoked key).
    """
    keys = models.ApiKey.objects.of(tenant).filter(id=key_id, revoked_at=None)
    found = keys.values_list("mode", "prefix").first()
    if found is None:
        raise Problem(Code.NOT_FOUND, "There is no such key, or it is revoked.")
    token = new_token(KeyMode(found[0]), found[1])
    now = clock.now()
    keys.update(
        previous_hash=F("secret_hash"), previous_expires_at=now + overlap, secret_hash=token.hash, updated_at=now
    )
    forget_cached()
    return IssuedKey(key_id, token.prefix, token.text)


def revoke_api_key(*, tenant: Tenant, key_id: UUID) -> bool:
    """False when it was revoked before or never was. Other processes may honour it for 2 s more (selectors.CACHE_SECONDS)."""
    now = clock.now()
    changed = models.ApiKey.objects.of(tenant).filter(id=key_id, revoked_at=None).update(revoked_at=now, updated_at=now)
    forget_cached()
    return bool(changed)


def add_guest(*, tenant: Tenant, user_id: str) -> None:
    """One at a time: a guest list is a handful of people, typed by hand. Adding twice adds once."""
    models.Guest.objects.bulk_create([models.Guest(tenant_id=tenant.id, user_id=user_id)], ignore_conflicts=True)


def remove_guest(*, tenant: Tenant, user_id: str) -> bool:
    return bool(models.Guest.objects.of(tenant).filter(user_id=user_id).delete()[0])
