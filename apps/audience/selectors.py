"""Who is known, and where they are reached. Every function asks once, however many are asked for."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from msgspec import structs

from apps.audience.addresses import address_hashes, hashed_form
from apps.core import crypto
from apps.core.arrays import uuids
from apps.core.enums import Channel, EndpointKind
from apps.core.rows import by_value, fetch
from apps.core.tenant_scope import bound
from apps.core.types import Endpoint, Recipient

# asked with every request and every batch: building the queries would cost more than all else of them
_RECIPIENTS = """
SELECT id, tenant_id, user_id, locale, timezone, attributes, blocked_at IS NOT NULL, preferences_version
FROM audience_recipient WHERE id = ANY(%(ids)s)
"""
_ENDPOINTS = """
SELECT id, tenant_id, recipient_id, channel, kind, sealed, address_hash, masked, platform, verified_at IS NOT NULL,
    retired_at IS NOT NULL
FROM audience_endpoint
"""
_RECIPIENT_IDS = (
    "SELECT user_id, id FROM audience_recipient WHERE tenant_id = %(tenant)s AND user_id = ANY(%(user_ids)s)"
)
# the hash is keyed by tenant and channel: it alone tells whose it is. Counted, since before a table is analyzed for the first time
# EXISTS, and each condition beside it, is a reason for PostgreSQL to read another index whole
_SHARED = """
SELECT e.id FROM audience_endpoint e WHERE e.id = ANY(%(ids)s) AND (
    SELECT count(*) FILTER (WHERE o.id <> e.id AND o.retired_at IS NULL)
    FROM audience_endpoint o WHERE o.address_hash = e.address_hash) > 0
"""
_CHANNELS, _KINDS = by_value(Channel), by_value(EndpointKind)


def recipient_ids(tenant_id: UUID, user_ids: Iterable[str]) -> dict[str, UUID]:
    """By user_id; unknown ones are left out, and so is what PostgreSQL could not store (NUL)."""
    wanted = [user_id for user_id in user_ids if "\x00" not in user_id]
    return dict(fetch(_RECIPIENT_IDS, {"tenant": tenant_id, "user_ids": wanted})) if wanted else {}


def recipients(ids: Iterable[UUID]) -> dict[UUID, Recipient]:
    """By id, of whatever tenant: the ids come from rows that are the tenant's own."""
    return {row[0]: Recipient(*row) for row in _of_ids(_RECIPIENTS, ids)}


def endpoints_of(
    recipient_ids: Iterable[UUID], channels: Collection[Channel] = tuple(Channel)
) -> dict[UUID, tuple[Endpoint, ...]]:
    """By recipient id, oldest first, unverified and retired ones included; a recipient without any is left out.

    Raises UndecipherableError when a key is missing.
    """
    sql = f"{_ENDPOINTS} WHERE recipient_id = ANY(%(ids)s) AND channel = ANY(%(channels)s) ORDER BY id"
    is_rotating = len(settings.HASH_KEYS) > 1
    found: dict[UUID, list[Endpoint]] = {}
    for row in _of_ids(sql, recipient_ids, channels=sorted(channels)):
        found.setdefault(row[2], []).append(_endpoint(row, is_rotating))
    return {recipient_id: tuple(endpoints) for recipient_id, endpoints in found.items()}


def endpoints(ids: Iterable[UUID]) -> dict[UUID, Endpoint]:
    """By id. Raises UndecipherableError when a key is missing."""
    is_rotating = len(settings.HASH_KEYS) > 1
    return {row[0]: _endpoint(row, is_rotating) for row in _of_ids(f"{_ENDPOINTS} WHERE id = ANY(%(ids)s)", ids)}


def at_shared_addresses(endpoint_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Those of them whose address is in use as somebody else's, too. One query; none for none."""
    wanted = list(endpoint_ids)
    return frozenset(id_ for (id_,) in fetch(_SHARED, {"ids": uuids(wanted)})) if wanted else frozenset()


def _of_ids(sql: str, ids: Iterable[UUID], **more: Any) -> list[tuple[Any, ...]]:
    """Rows of (id, tenant id, ...). In the admin: of those tenants that whoever looks may see."""
    wanted = list(ids)
    rows = fetch(sql, {"ids": uuids(wanted), **more}) if wanted else []
    view = bound()
    return rows if view is None else [row for row in rows if row[1] in view.tenants]


def _endpoint(row: tuple[Any, ...], is_rotating: bool) -> Endpoint:
    (
        endpoint_id,
        tenant_id,
        recipient_id,
        channel,
        kind,
        sealed,
        address_hash,
        masked,
        platform,
        is_verified,
        is_retired,
    ) = row
    address = crypto.decrypt(sealed, bound_to=endpoint_id.bytes).decode()
    endpoint = Endpoint(
        endpoint_id,
        recipient_id,
        _CHANNELS[channel],
        _KINDS[kind],
        address,
        address_hash,
        masked,
        platform,
        is_verified,
        is_retired,
    )
    if not is_rotating:
        return endpoint
    hashes = address_hashes(tenant_id, endpoint.channel, hashed_form(endpoint.kind, address))
    return structs.replace(endpoint, other_hashes=tuple(found for found in hashes if found != endpoint.address_hash))
