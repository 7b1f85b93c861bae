"""Who is known: callers by their token, tenants, guest lists.

Tenants and callers are kept in this process for CACHE_SECONDS: a revoked key, a changed rate or a new scope takes effect
everywhere at most that much later. A key's own expiry time is kept to the second.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from datetime import datetime, timedelta
from time import monotonic
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.core import clock
from apps.core.enums import KeyMode, Scope
from apps.core.tenant_scope import bound
from apps.core.types import Caller, Tenant
from apps.tenants import models
from apps.tenants.brand import Brand, brand_of
from apps.tenants.keys import read_token

CACHE_SECONDS = 2.0
LAST_USED_EVERY = timedelta(minutes=1)
_MOST_CALLERS = 10_000
_TENANT = (
    *("id", "slug", "name", "locale", "timezone", "email_from"),
    *("weight", "rate_per_second", "rate_burst", "retention_days", "tracked_categories"),
)
_KEY = (
    *("id", "name", "mode", "scopes", "requires_idempotency_key", "rate_per_second", "rate_burst"),
    *("secret_hash", "previous_hash", "previous_expires_at", "expires_at", "last_used_at"),
)

_callers: dict[bytes, tuple[float, Caller | None]] = {}
_tenants: tuple[float, Mapping[UUID, Tenant]] = (0.0, {})


def caller_by_token(text: str) -> Caller | None:
    """Who this token stands for; None when it is malformed, unknown, expired or revoked.

    One query per token, process and CACHE_SECONDS; refusals are kept as long as callers are.
    """
    token = read_token(text)
    if token is None:
        return None
    given = token.hash
    kept = _callers.get(given)
    if kept is not None and kept[0] > monotonic():
        return kept[1]
    now = clock.now()
    caller, until = _authenticated(token.prefix, token.mode, given, now)
    seconds = CACHE_SECONDS if until is None else min(CACHE_SECONDS, (until - now).total_seconds())
    if len(_callers) >= _MOST_CALLERS:
        _callers.clear()
    _callers[given] = (monotonic() + seconds, caller)
    return caller


def _authenticated(prefix: str, mode: KeyMode, given: bytes, now: datetime) -> tuple[Caller | None, datetime | None]:
    """The caller and when this secret ends by itself. No tenant is known yet: the prefix is unique among all."""
    keys = models.ApiKey.objects.all_tenants().filter(prefix=prefix, mode=mode, revoked_at=None)
    row = keys.values_list(*_KEY, *(f"tenant__{field}" for field in _TENANT)).first()
    if row is None:
        return None, None
    key: dict[str, Any] = dict(zip(_KEY, row, strict=False))
    is_current = hmac.compare_digest(bytes(key["secret_hash"]), given)
    is_previous = hmac.compare_digest(bytes(key["previous_hash"] or bytes(32)), given)
    ends = [key["expires_at"], None if is_current else key["previous_expires_at"]]
    until = min((end for end in ends if end is not None), default=None)
    if not (is_current or is_previous) or (until is not None and until <= now):
        return None, None
    if key["last_used_at"] is None or key["last_used_at"] <= now - LAST_USED_EVERY:
        _note_use(key["id"], now)
    caller = Caller(
        tenant=_tenant(row[len(_KEY) :]),
        key_id=key["id"],
        key_name=key["name"],
        mode=KeyMode(key["mode"]),
        scopes=frozenset(Scope(scope) for scope in key["scopes"]),
        requires_idempotency_key=key["requires_idempotency_key"],
        rate_per_second=key["rate_per_second"],
        rate_burst=key["rate_burst"],
    )
    return caller, until


def _note_use(key_id: UUID, now: datetime) -> None:
    """Compare-and-set, so that several processes write it once a minute together."""
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - LAST_USED_EVERY)
    models.ApiKey.objects.all_tenants().filter(stale, id=key_id).update(last_used_at=now)


def tenants() -> Mapping[UUID, Tenant]:
    """All of them by id, at most CACHE_SECONDS old. In the admin: those that whoever looks may see."""
    view = bound()
    found = _all_tenants()
    return found if view is None else {id_: tenant for id_, tenant in found.items() if id_ in view.tenants}


def _all_tenants() -> Mapping[UUID, Tenant]:
    global _tenants
    until, found = _tenants
    if until <= monotonic():
        found = MappingProxyType({row[0]: _tenant(row) for row in models.Tenant.objects.values_list(*_TENANT)})
        _tenants = (monotonic() + CACHE_SECONDS, found)
    return found


def tenant_by_id(tenant_id: UUID) -> Tenant | None:
    """At most CACHE_SECONDS old; a tenant made since then is found at once. In the admin: None for one that is not to be seen."""
    if (view := bound()) is not None and tenant_id not in view.tenants:
        return None
    found = _all_tenants().get(tenant_id)
    if found is None and (row := models.Tenant.objects.filter(id=tenant_id).values_list(*_TENANT).first()):
        found = _tenant(row)
    return found


def branded(tenant_id: UUID) -> tuple[Tenant, Brand] | None:
    """A tenant and how it looks. One query."""
    row = models.Tenant.objects.filter(id=tenant_id).values_list("brand_color", "logo", *_TENANT).first()
    if row is None:
        return None
    color, logo, *rest = row
    tenant = _tenant(tuple(rest))
    return tenant, brand_of(tenant.name, color, logo)


def tenant_by_slug(slug: str) -> Tenant | None:
    row = models.Tenant.objects.filter(slug=slug).values_list(*_TENANT).first()
    return _tenant(row) if row else None


def _tenant(row: tuple[Any, ...]) -> Tenant:
    values: tuple[Any, ...] = (*row[:-1], frozenset(row[-1]))
    return Tenant(*values)


def critical_share_limits() -> dict[UUID, tuple[str, int]]:
    """By tenant: its slug, and how many percent of an hour's notifications may be critical before an alert is raised."""
    rows = models.Tenant.objects.values_list("id", "slug", "critical_share_most")
    return {id_: (slug, most) for id_, slug, most in rows}


def key_id_by_prefix(tenant: Tenant, prefix: str) -> UUID | None:
    return models.ApiKey.objects.of(tenant).filter(prefix=prefix).values_list("id", flat=True).first()


def key_id_by_name(tenant: Tenant, name: str) -> UUID | None:
    """The newest of that name that is not revoked."""
    keys = models.ApiKey.objects.of(tenant).filter(name=name, revoked_at=None).order_by("-id")
    return keys.values_list("id", flat=True).first()


def key_names(tenant: Tenant, key_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Revoked ones too. One query."""
    return dict(models.ApiKey.objects.of(tenant).filter(id__in=list(key_ids)).values_list("id", "name"))


def has_keys() -> bool:
    """Whether any tenant has a key at all."""
    return models.ApiKey.objects.all_tenants().exists()


def guests(tenant_id: UUID, user_ids: Iterable[str]) -> frozenset[str]:
    """Those of `user_ids` that team keys may reach. One query."""
    return frozenset(
        models.Guest.objects.of(tenant_id).filter(user_id__in=list(user_ids)).values_list("user_id", flat=True)
    )


@dataclass(frozen=True, slots=True)
class AuditRow:
    """`difference`: field -> [before, after] or "changed"."""

    id: UUID
    at: datetime
    actor_kind: str
    actor: str
    action: str
    kind: str
    object_id: str
    label: str
    said: str
    difference: dict[str, Any]
    request_id: str


def audit_entries(tenant_id: UUID, wanted: Mapping[str, str], *, before: UUID | None, limit: int) -> list[AuditRow]:
    """Newest first. `wanted`: columns and their values. One query."""
    rows = models.AuditEntry.objects.of(tenant_id).filter(**wanted)
    rows = rows if before is None else rows.filter(id__lt=before)
    fields = [field.name for field in dataclass_fields(AuditRow)]
    return [AuditRow(*row) for row in rows.order_by("-id").values_list(*fields)[:limit]]


def forget_cached() -> None:
    """For tests, and for services that changed a row in this very process."""
    global _tenants
    _callers.clear()
    _tenants = (0.0, {})
