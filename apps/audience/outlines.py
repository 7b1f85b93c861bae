"""People as a campaign sees them before anything is sent: who they are and where they could be reached, without opening an address.

A campaign decides on a million people and opens an address only of those it sends to, when it sends.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.core import crypto
from apps.core.enums import Channel, EndpointKind
from apps.core.rows import by_value, fetch
from apps.core.types import Endpoint, Recipient

_CHANNELS, _KINDS = by_value(Channel), by_value(EndpointKind)
_PEOPLE = """
SELECT id, tenant_id, user_id, locale, timezone, blocked_at IS NOT NULL, preferences_version
FROM audience_recipient WHERE id = ANY(%(ids)s) AND tenant_id = %(tenant)s
"""
_ENDPOINTS = """
SELECT id, recipient_id, channel, kind, address_hash, masked, platform, verified_at IS NOT NULL, retired_at IS NOT NULL,
    CASE WHEN %(opened)s AND kind = 'phone'
        OR kind = 'email' AND (length(masked) >= 100 OR octet_length(masked) > length(masked)) THEN sealed END
FROM audience_endpoint WHERE recipient_id = ANY(%(ids)s) AND channel = ANY(%(channels)s) ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Outline:
    """`recipient` without attributes, `endpoints` without addresses, oldest first; see `place_of`."""

    recipient: Recipient
    endpoints: tuple[Endpoint, ...]


def outlines(
    tenant_id: UUID, ids: Sequence[UUID], channels: Collection[Channel], *, with_phones: bool = False
) -> dict[UUID, Outline]:
    """Two queries. `with_phones`: numbers are opened, for who must know their country."""
    people = fetch(_PEOPLE, {"ids": list(ids), "tenant": tenant_id})
    wanted = [channel.value for channel in channels if channel is not Channel.IN_APP]
    places: dict[UUID, list[Endpoint]] = {}
    asked = {"ids": list(ids), "channels": wanted, "opened": with_phones}
    for id_, owner, channel, kind, hashed, masked, platform, is_verified, is_retired, sealed in (
        fetch(_ENDPOINTS, asked) if wanted else []
    ):
        endpoint = Endpoint(
            id_,
            owner,
            _CHANNELS[channel],
            _KINDS[kind],
            crypto.decrypt(sealed, bound_to=id_.bytes).decode() if sealed else "",
            bytes(hashed),
            masked,
            platform,
            is_verified,
            is_retired,
        )
        places.setdefault(owner, []).append(endpoint)
    return {
        id_: Outline(
            Recipient(id_, tenant, user_id, locale, timezone, {}, is_blocked, version), tuple(places.get(id_, ()))
        )
        for id_, tenant, user_id, locale, timezone, is_blocked, version in people
    }


def place_of(endpoint: Endpoint) -> str:
    """As addresses.place_of, of what is in an outline."""
    match endpoint.kind:
        case EndpointKind.EMAIL:
            return (endpoint.address or endpoint.masked).rpartition("@")[2].lower()[:100]
        case EndpointKind.PHONE:
            return endpoint.masked.partition("*")[0]
        case _:
            return endpoint.platform
