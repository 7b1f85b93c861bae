"""Secrets of endpoints: made, sealed, opened; and the headers that they sign (Standard Webhooks, two secrets while one is rotated)."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from apps.channels.standard_webhooks import sign
from apps.core import crypto


def new_secret() -> str:
    """`whsec_` and 32 random bytes as base64."""
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


def seal(endpoint_id: UUID, found: Sequence[str]) -> bytes:
    return crypto.encrypt(msgspec.json.encode(list(found)), bound_to=endpoint_id.bytes)


def opened(endpoint_id: UUID, sealed: bytes) -> list[str]:
    """Newest first. Raises UndecipherableError."""
    return msgspec.json.decode(crypto.decrypt(sealed, bound_to=endpoint_id.bytes), type=list[str])


def valid(found: Sequence[str], previous_until: datetime | None, now: datetime) -> list[str]:
    """Those that sign now: the newest, and the one before it while it lives."""
    is_rotating = previous_until is not None and now < previous_until
    return list(found[: 2 if is_rotating else 1])


def headers(found: Sequence[str], *, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a call, with a signature by each secret."""
    signed = [sign(secret, message_id=message_id, timestamp=int(now.timestamp()), body=body) for secret in found]
    return signed[0] | {"webhook-signature": " ".join(one["webhook-signature"] for one in signed)}
