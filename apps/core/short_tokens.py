"""Signed tokens that are short enough for links and push payloads: base64url of the payload and half a HMAC-SHA256.

16 bytes of MAC (RFC 2104, section 5: not less than half of the hash). Each purpose has its own key, made of SECRET_KEY; tokens of
SECRET_KEY_FALLBACKS are read, too. A payload can be read by everybody: it is signed, not encrypted.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

from django.conf import settings

from apps.core.crypto import hmac_of

MAC_BYTES = 16


def sign(purpose: str, payload: bytes) -> str:
    """Letters, digits, `-` and `_` only."""
    return _signed(purpose, payload, settings.SECRET_KEY)


def read(purpose: str, token: str) -> bytes | None:
    """The payload; None when it is malformed, changed, or signed for another purpose."""
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (Base64Error, ValueError):
        return None
    payload, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if len(mac) < MAC_BYTES or _written(raw) != token:
        return None
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return payload if any(hmac.compare_digest(mac, _mac(purpose, payload, key)) for key in keys) else None


# a mail names the same link in its text and in its header
@lru_cache(1024)
def _signed(purpose: str, payload: bytes, key: str) -> str:
    return _written(payload + _mac(purpose, payload, key))


def _written(raw: bytes) -> str:
    """The one way to write a token: decoding ignores foreign characters and the last bits."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _mac(purpose: str, payload: bytes, key: str) -> bytes:
    return _hashed(purpose, key)(payload)[:MAC_BYTES]


@lru_cache(64)
def _hashed(purpose: str, secret: str) -> Callable[[bytes], bytes]:
    """With a key as Django's salted_hmac derives it."""
    return hmac_of(sha256(f"notifier.{purpose}{secret}".encode()).digest())
