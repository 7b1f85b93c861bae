"""The frozen values that cross doors. No ORM object leaves its app; these do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from apps.core.enums import (
    Category,
    Channel,
    EndpointKind,
    EventKind,
    KeyMode,
    OutcomeKind,
    Priority,
    Reason,
    Scope,
    SuppressionReason,
    WorkKind,
)


@dataclass(frozen=True, slots=True)
class Tenant:
    id: UUID
    slug: str
    name: str
    locale: str
    timezone: str
    email_from: str
    weight: int
    rate_per_second: int
    rate_burst: int
    retention_days: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: what an API key authenticates to. `request.user` of the API."""

    tenant: Tenant
    key_id: UUID
    key_name: str
    mode: KeyMode
    scopes: frozenset[Scope]
    requires_idempotency_key: bool
    rate_per_second: int
    rate_burst: int

    is_authenticated = True

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


@dataclass(frozen=True, slots=True)
class EventType:
    """`fallback`: channels tried one after another when one gives up, e.g. (PUSH, SMS)."""

    id: UUID
    tenant_id: UUID
    key: str
    name: str
    category: Category
    template_key: str
    channels: tuple[Channel, ...]
    fallback: tuple[Channel, ...]
    dedup_window: timedelta
    sensitive_keys: tuple[str, ...]
    owner: str


@dataclass(frozen=True, slots=True)
class Recipient:
    id: UUID
    tenant_id: UUID
    user_id: str
    locale: str
    timezone: str
    attributes: Mapping[str, Any]
    is_blocked: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
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


@dataclass(frozen=True, slots=True)
class Rendered:
    """What goes out on one channel: `content` has the channel's fields (templates/content.py), all plain strings."""

    content: Mapping[str, str]
    locale: str
    template_version_id: UUID | None
    version: int
    size: int


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message for one address, as a provider gets it. `reference` (the attempt's id as shown) travels with it and comes back
    in receipts; `delivery` stays the same over all attempts of a delivery (Message-ID, collapse id)."""

    reference: str
    delivery: str
    tenant: str
    channel: Channel
    category: Category
    address: str
    platform: str
    sender: str
    content: Mapping[str, str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A provider's immediate answer for one message. `retry_after` in seconds; `exchange` redacted: no address, no content."""

    kind: OutcomeKind
    code: str = ""
    detail: str = ""
    provider_message_id: str = ""
    retry_after: float | None = None
    exchange: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider said later about one attempt. `event_id` is the provider's own, for exactly-once."""

    event_id: str
    kind: EventKind
    at: datetime
    reference: str = ""
    provider_message_id: str = ""
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A provider account, credentials in clear: never log it. Time-outs in seconds, `rate` in messages a second (0: no limit)."""

    id: UUID
    key: str
    provider: str
    channel: Channel
    base_url: str
    sender: str
    credentials: Mapping[str, str] = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False, default=())
    settings: Mapping[str, Any] = field(default_factory=dict)
    connect_timeout: float = 3.0
    read_timeout: float = 10.0
    pool_size: int = 16
    batch_size: int = 0
    rate: float = 0.0
    ca_bundle: str = ""


@dataclass(frozen=True, slots=True)
class NewNotification:
    """A validated request for one recipient, ready to be written. `content` is inline content per channel, if no template is named."""

    id: UUID
    recipient_id: UUID
    category: Category
    event_type: str
    template_key: str
    channels: tuple[Channel, ...]
    priority: Priority
    data: Mapping[str, Any]
    content: Mapping[str, str]
    due_at: datetime | None
    expires_at: datetime | None
    event_id: str
    actor_id: str
    object_id: str
    ordering_key: str


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed work item. `id` is the notification's (route) or the delivery's (send). `tries`: attempts burned;
    `calls`: provider calls made."""

    id: UUID
    kind: WorkKind
    queue: str
    lane: Category
    channel: Channel | None
    tenant_id: UUID
    notification_id: UUID
    lease_token: int
    tries: int
    calls: int
    expiries: int
    priority: int
    expires_at: datetime | None
    ordering_key: str
    order_at: datetime


@dataclass(frozen=True, slots=True)
class NotificationFacts:
    """A notification as routing and sending need it, `data` and `content` in clear."""

    id: UUID
    tenant_id: UUID
    recipient_id: UUID
    mode: KeyMode
    category: Category
    event_type: str
    template_key: str
    channels: tuple[Channel, ...]
    priority: Priority
    data: Mapping[str, Any]
    content: Mapping[str, str]
    expires_at: datetime | None
    actor_id: str
    object_id: str
    ordering_key: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """A channel's or endpoint's "no"."""

    channel: Channel
    reason: Reason
    endpoint_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """One preference of a recipient. `topic`: `order.shipped`, `order.*`, `category:marketing` or `*`; `channel`: a channel or `*`."""

    topic: str
    channel: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class NewInboxItem:
    """A feed item to be written; `id` is its delivery's."""

    id: UUID
    tenant_id: UUID
    recipient_id: UUID
    notification_id: UUID
    event_type: str
    category: Category
    content: Mapping[str, str]
    expires_at: datetime | None


class Engagement(NamedTuple):
    """What a recipient did with a feed item: `kind` is SEEN, READ or ARCHIVED; the item's id is its delivery's."""

    item_id: UUID
    kind: EventKind
    at: datetime


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """An address that must not be used any more. `source`: who says so, e.g. a provider's key or `api`."""

    tenant_id: UUID
    channel: Channel
    address_hash: bytes
    masked: str
    reason: SuppressionReason
    source: str
