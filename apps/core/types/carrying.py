"""What providers get, and what they say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from apps.core.enums import Category, Channel, EventKind, OutcomeKind


@dataclass(frozen=True, slots=True)
class Account:
    """A provider account, credentials in clear: never log it. Time-outs in seconds, `rate` in messages a second (0: no limit).
    `receipts_url`: our door for its receipts, as the world sees it."""

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
    receipts_url: str = ""
    order: int = 100


class OutboundMessage(msgspec.Struct, frozen=True):
    """One message for one address, as a provider gets it. `reference` (the attempt's id as shown) travels with it and comes back
    in receipts; `delivery` stays the same over all attempts of a delivery (Message-ID, collapse id). `ttl`: whole seconds until
    `expires_at`, at least 1, as of when it was made ready to be sent."""

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
    ttl: int | None = None


class Outcome(msgspec.Struct, frozen=True):
    """A provider's immediate answer for one message. `retry_after` in seconds; `exchange` redacted: no address, no content.
    `dead_since`: with INVALID_ADDRESS, when the provider knows it to be dead from (None: it is dead now)."""

    kind: OutcomeKind
    code: str = ""
    detail: str = ""
    provider_message_id: str = ""
    retry_after: float | None = None
    exchange: Mapping[str, Any] = msgspec.field(default_factory=dict)
    dead_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """A provider's call of ours, as it came in. `url`: whole, as the provider sees us, with the query; `headers` by lower-case name.
    `received_at`: the time of events that say none themselves; known once the call is stored."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InboundText:
    """A text that somebody sent to one of our numbers. `address`: theirs, E.164. `keyword`: stop, start or help where the provider
    has recognised one itself."""

    event_id: str
    at: datetime
    address: str = field(repr=False)
    text: str = field(repr=False)
    keyword: str = ""


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
