"""API keys as text: `ntf_<mode>_<8 of prefix>_<32 of secret>`, base62. Only the prefix and the SHA-256 of the whole are stored."""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from apps.core.enums import KeyMode

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"ntf_(test|team|live)_([0-9A-Za-z]{8})_[0-9A-Za-z]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is the secret itself: shown once, never stored, never logged (it is left out of repr)."""

    mode: KeyMode
    prefix: str
    text: str = field(repr=False)

    @property
    def hash(self) -> bytes:
        """32 bytes. A plain hash is enough: the secret has 190 bits, so there is nothing to guess."""
        return sha256(self.text.encode()).digest()


def new_token(mode: KeyMode, prefix: str | None = None) -> Token:
    prefix = prefix or _letters(8)
    return Token(mode, prefix, f"ntf_{mode}_{prefix}_{_letters(32)}")


def read_token(text: str) -> Token | None:
    """None when it has not the shape of a key."""
    found = _SHAPE.fullmatch(text)
    return Token(KeyMode(found[1]), found[2], text) if found else None


def _letters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key just made or rotated. `token` is the clear text: show it once, keep it nowhere."""

    key_id: UUID
    prefix: str
    token: str = field(repr=False)
