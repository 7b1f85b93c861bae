"""Who it is for, where they are reached, and what they do not want."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from apps.core.enums import Channel, EndpointKind, SuppressionReason


class Recipient(msgspec.Struct, frozen=True):
    id: UUID
    tenant_id: UUID
    user_id: str
    locale: str
    timezone: str
    attributes: Mapping[str, Any]
    is_blocked: bool
    preferences_version: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    """An address as a caller gave it, checked. `text`: as it is sent to; `hashed`: the form that is compared."""

    kind: EndpointKind
    channel: Channel
    text: str = field(repr=False)
    hashed: str = field(repr=False)
    masked: str = ""
    platform: str = ""
    is_verified: bool = True


@dataclass(frozen=True, slots=True)
class InlineRecipient:
    """What a caller says about a person, checked. None leaves what is stored, "" clears it; `addresses` are added."""

    user_id: str
    locale: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] | None = None
    is_blocked: bool | None = None
    addresses: tuple[Address, ...] = ()


class Endpoint(msgspec.Struct, frozen=True):
    """`address`: clear text (email address, E.164 number, device token, web-push subscription JSON). `masked` may be shown.
    `other_hashes`: the same address under the other hash keys, while a change of key is under way."""

    id: UUID
    recipient_id: UUID
    channel: Channel
    kind: EndpointKind
    address: str
    address_hash: bytes
    masked: str
    platform: str
    is_verified: bool
    is_retired: bool
    other_hashes: tuple[bytes, ...] = ()

    @property
    def hashes(self) -> tuple[bytes, ...]:
        return (self.address_hash, *self.other_hashes)

    @property
    def carried_as(self) -> str:
        """What a provider must be able to carry: the platform, and `web_push` for a browser's own subscription, which is no
        token of anybody's. Empty for what is no device."""
        return EndpointKind.WEB_PUSH.value if self.kind is EndpointKind.WEB_PUSH else self.platform


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """An address that must not be used any more. `source`: who says so, e.g. a provider's key or `api`."""

    tenant_id: UUID
    channel: Channel
    address_hash: bytes
    masked: str
    reason: SuppressionReason
    source: str


@dataclass(frozen=True, slots=True)
class Veto:
    """Why and since when an address must not be used, and who said so."""

    reason: SuppressionReason
    since: datetime
    source: str
