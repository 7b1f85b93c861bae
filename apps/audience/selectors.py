"""Who is known, and where they are reached. Every function asks once, however many are asked for."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from msgspec import structs

from apps.audience import models
from apps.audience.addresses import address_hashes, hashed_form
from apps.core import crypto
from apps.core.enums import Channel, EndpointKind
from apps.core.rows import fetch
from apps.core.types import Endpoint, Recipient

# truth values are made by PostgreSQL: a timestamp costs more to read than all else of a row together
_IS_BLOCKED = Q(blocked_at__isnull=False)
_STATE = {"is_verified": Q(verified_at__isnull=False), "is_retired": Q(retired_at__isnull=False)}
_RECIPIENT = ("id", "tenant_id", "user_id", "locale", "timezone", "attributes", "is_blocked", "preferences_version")
_ENDPOINT = (
    *("id", "tenant_id", "recipient_id", "channel", "kind", "sealed", "address_hash"),
    *("masked", "platform", "is_verified", "is_retired"),
)
# asked with every request: building the query would cost more than all else of it
_RECIPIENT_IDS = (
    "SELECT user_id, id FROM audience_recipient WHERE tenant_id = %(tenant)s AND user_id = ANY(%(user_ids)s)"
)
_CHANNELS = {channel.value: channel for channel in Channel}
_KINDS = {kind.value: kind for kind in EndpointKind}


def recipient_ids(tenant_id: UUID, user_ids: Iterable[str]) -> dict[str, UUID]:
    """By user_id; unknown ones are left out, and so is what PostgreSQL could not store (NUL)."""
    wanted = [user_id for user_id in user_ids if "\x00" not in user_id]
    return dict(fetch(_RECIPIENT_IDS, {"tenant": tenant_id, "user_ids": wanted})) if wanted else {}


def recipients(ids: Iterable[UUID]) -> dict[UUID, Recipient]:
    """By id, of whatever tenant: the ids come from rows that are the tenant's own."""
    rows = models.Recipient.objects.all_tenants().filter(id__any=list(ids)).annotate(is_blocked=_IS_BLOCKED)
    return {row[0]: _recipient(row) for row in rows.values_list(*_RECIPIENT)}


def endpoints_of(
    recipient_ids: Iterable[UUID], channels: Collection[Channel] = tuple(Channel)
) -> dict[UUID, tuple[Endpoint, ...]]:
    """By recipient id, oldest first, unverified and retired ones included; a recipient without any is left out.

    Raises UndecipherableError when a key is missing.
    """
    rows = models.Endpoint.objects.all_tenants().filter(recipient_id__any=list(recipient_ids)).annotate(**_STATE)
    if len(channels) < len(Channel):
        rows = rows.filter(channel__in=sorted(channels))
    is_rotating = len(settings.HASH_KEYS) > 1
    found: dict[UUID, list[Endpoint]] = {}
    for row in rows.order_by("id").values_list(*_ENDPOINT):
        found.setdefault(row[2], []).append(_endpoint(row, is_rotating))
    return {recipient_id: tuple(endpoints) for recipient_id, endpoints in found.items()}


def endpoints(ids: Iterable[UUID]) -> dict[UUID, Endpoint]:
    """By id. Raises UndecipherableError when a key is missing."""
    rows = models.Endpoint.objects.all_tenants().filter(id__in=list(ids)).annotate(**_STATE)
    is_rotating = len(settings.HASH_KEYS) > 1
    return {row[0]: _endpoint(row, is_rotating) for row in rows.values_list(*_ENDPOINT)}


def _recipient(row: tuple[Any, ...]) -> Recipient:
    return Recipient(*row)


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
        bytes(address_hash),
        masked,
        platform,
        is_verified,
        is_retired,
    )
    if not is_rotating:
        return endpoint
    hashes = address_hashes(tenant_id, endpoint.channel, hashed_form(endpoint.kind, address))
    return structs.replace(endpoint, other_hashes=tuple(found for found in hashes if found != endpoint.address_hash))
