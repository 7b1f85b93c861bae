"""Encryption of what must not be readable in a dump, and keyed hashes to look it up.

Cipher text: 1 byte length of the key id, the key id, 12 bytes nonce, AES-256-GCM of the plain text (NIST SP 800-38D).
The first key of settings.ENCRYPTION_KEYS encrypts; the others decrypt what was written before (rotation).
"""

import hmac
import os
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


class UndecipherableError(Exception):
    """The key is gone, or the bytes were changed or moved to another row."""


@cache
def _cipher(kid: str) -> AESGCM:
    return AESGCM(settings.ENCRYPTION_KEYS[kid])


def current_key() -> str:
    return next(iter(settings.ENCRYPTION_KEYS))


def encrypt(plain: bytes, *, bound_to: bytes) -> bytes:
    """`bound_to` is authenticated with it: the same bytes in another row do not decrypt."""
    kid = current_key()
    nonce = os.urandom(12)
    return bytes([len(kid)]) + kid.encode() + nonce + _cipher(kid).encrypt(nonce, plain, bound_to)


def encrypt_all(plain: Sequence[bytes], *, bound_to: Sequence[bytes]) -> list[bytes]:
    """What `encrypt` gives for each; the nonces of all are read at once."""
    kid, nonces = current_key(), os.urandom(12 * len(plain))
    head, cipher = bytes([len(kid)]) + kid.encode(), _cipher(kid)
    starts = range(0, 12 * len(plain), 12)
    return [
        head + (nonce := nonces[at : at + 12]) + cipher.encrypt(nonce, text, bound)
        for text, bound, at in zip(plain, bound_to, starts, strict=True)
    ]


def decrypt(sealed: bytes, *, bound_to: bytes) -> bytes:
    sealed = bytes(sealed)
    end = 1 + sealed[0]
    try:
        return _cipher(sealed[1:end].decode()).decrypt(sealed[end : end + 12], sealed[end + 12 :], bound_to)
    except (KeyError, InvalidTag) as error:
        raise UndecipherableError("This value cannot be decrypted with the keys at hand.") from error


def key_of(sealed: bytes) -> str:
    """The id of the key that sealed it."""
    return bytes(sealed)[1 : 1 + sealed[0]].decode()


def keyed_hash(scope: bytes, value: str) -> bytes:
    """HMAC-SHA256 of `value` within `scope` under the current hash key: 32 bytes."""
    return hmac.digest(next(iter(settings.HASH_KEYS.values())), scope + b"\x1f" + value.encode(), "sha256")


def keyed_hashes(scope: bytes, value: str) -> list[bytes]:
    """The hash under every hash key, the current one first: what to look for while a rotation is under way."""
    return [hmac.digest(key, scope + b"\x1f" + value.encode(), "sha256") for key in settings.HASH_KEYS.values()]


def hashers(scope: bytes) -> list[Callable[[str], bytes]]:
    """For many values: what `keyed_hashes` gives, a function for each hash key, the current one first."""
    return [_of_text(hmac_of(key, scope + b"\x1f")) for key in settings.HASH_KEYS.values()]


def _of_text(hashed: Callable[[bytes], bytes]) -> Callable[[str], bytes]:
    return lambda value: hashed(value.encode())


def hmac_of(key: bytes, begin: bytes = b"") -> Callable[[bytes], bytes]:
    """HMAC-SHA256 (RFC 2104) of `begin` and a value. What they have in common is hashed once: a third of the time of hmac.digest."""
    block = (sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inside = sha256(bytes(byte ^ 0x36 for byte in block) + begin)
    outside = sha256(bytes(byte ^ 0x5C for byte in block))

    def hashed(value: bytes) -> bytes:
        inner, outer = inside.copy(), outside.copy()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()

    return hashed


def fingerprint(*parts: bytes) -> bytes:
    """SHA-256 over length-prefixed parts: 32 bytes, not secret."""
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
