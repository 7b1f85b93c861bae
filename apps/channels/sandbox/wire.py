"""What is said between the sandbox adapter and the sandbox server."""

from typing import Any

import msgspec

BATCH_LIMIT = 500


class SandboxMessage(msgspec.Struct, frozen=True):
    """One message. `delivery` stays the same over all tries; `reference` is one try's and comes back in receipts."""

    reference: str
    delivery: str
    tenant: str
    category: str
    address: str
    platform: str
    sender: str
    content: dict[str, str]


class SandboxBatch(msgspec.Struct, frozen=True):
    """The body of POST /<channel>/messages. `account`: whose receipts door the receipts go to."""

    account: str
    messages: list[SandboxMessage]


class SandboxResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """`error` is empty when the message was accepted. `retry_after` in seconds."""

    reference: str
    id: str = ""
    error: str = ""
    retry_after: float | None = None


class SandboxAnswer(msgspec.Struct, frozen=True):
    results: list[SandboxResult]


class SandboxRefusal(msgspec.Struct, frozen=True):
    """The body of an answer outside 2xx."""

    error: str


class SandboxEvent(msgspec.Struct, frozen=True):
    """One receipt. `event_id` stays the same when it is sent again; `at` in seconds since 1970."""

    event_id: str
    kind: str
    at: float
    reference: str
    message_id: str
    code: str = ""


class SandboxEvents(msgspec.Struct, frozen=True):
    """The body of a call to the receipts door, up to 500 events."""

    events: list[SandboxEvent]


def encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
