"""Signatures by Standard Webhooks (standardwebhooks.com, spec of 2023): HMAC-SHA256 over `id.timestamp.body`, base64, `v1,...`."""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from datetime import datetime

TOLERANCE_SECONDS = 300


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers for a call with this body."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{_digest(secret, message_id, str(timestamp), body)}",
    }


def is_signed(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether any secret signed this body no more than five minutes from `now`. `headers` by lower-case name."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    given = [part[3:].encode() for part in headers.get("webhook-signature", "").split(" ") if part.startswith("v1,")]
    expected = [_digest(secret, message_id, timestamp, body).encode() for secret in secrets if secret]
    return any(hmac.compare_digest(one, other) for one in expected for other in given)


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def _key(secret: str) -> bytes:
    """`whsec_` and base64, as the specification shows secrets; any other text is taken as it is."""
    if secret.startswith("whsec_"):
        try:
            return b64decode(secret.removeprefix("whsec_"), validate=True)
        except Base64Error:
            pass
    return secret.encode()
