"""One click takes a change back: the page carries what has to be done for it, signed, for this person and this state of their choices.

A change made meanwhile by somebody else is not overwritten: what has another version is not undone.
"""

import zlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from apps.core import short_tokens
from apps.core.types import Change

_PURPOSE = "preferences.done"
# a page's address carries it
MOST_CHARACTERS = 6_000


@dataclass(frozen=True, slots=True)
class Done:
    """`said`: what was done, in words. What takes it back: a change of choices of that `version`, an address to be used again, or
    the time zone that it was."""

    recipient_id: UUID
    said: str
    version: int = 0
    change: Change | None = None
    endpoint_id: UUID | None = None
    timezone: str | None = None

    @property
    def can_be_undone(self) -> bool:
        return (self.change, self.endpoint_id, self.timezone) != (None, None, None)


def token_of(done: Done) -> str:
    """Without the way back where it is too long to be carried."""
    token = _sign(done)
    return token if len(token) <= MOST_CHARACTERS else _sign(Done(done.recipient_id, done.said))


def read(token: str, recipient_id: UUID) -> Done | None:
    """None for what is not ours, or another person's."""
    payload = short_tokens.read(_PURPOSE, token) if len(token) <= MOST_CHARACTERS else None
    if payload is None:
        return None
    done = msgspec.msgpack.decode(zlib.decompress(payload), type=Done)
    return done if done.recipient_id == recipient_id else None


def _sign(done: Done) -> str:
    plain: Any = msgspec.to_builtins(done)
    return short_tokens.sign(_PURPOSE, zlib.compress(msgspec.msgpack.encode(plain)))
