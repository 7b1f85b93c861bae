"""Names under which devices and push services replace an older message by a newer one, in the forms that providers take.

By default the delivery: stable over all its attempts, so that a repetition replaces itself and nothing else. With the content's
`collapse_id`, whatever carries the same one.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from re import ASCII, compile

from apps.core.types import OutboundMessage

MOST_TOPIC = 32
_TOPIC = compile(rf"[A-Za-z0-9_-]{{1,{MOST_TOPIC}}}", ASCII)


def collapse_id(message: OutboundMessage, most: int = 64) -> str:
    """At most so many bytes (64: `apns-collapse-id`); a longer one becomes its digest."""
    name = message.content.get("collapse_id") or message.delivery
    return name if len(name.encode()) <= most else _digest(name)[:most]


def topic(message: OutboundMessage) -> str:
    """As RFC 8030 section 5.4 has it: at most 32 characters of base64url."""
    name = message.content.get("collapse_id") or message.delivery
    return name if _TOPIC.fullmatch(name) else _digest(name)[:MOST_TOPIC]


def _digest(name: str) -> str:
    return urlsafe_b64encode(sha256(name.encode()).digest()).decode().rstrip("=")
