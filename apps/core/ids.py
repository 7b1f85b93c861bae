"""UUIDv7 ids, shown as a type prefix and 26 characters of Crockford base32 (`nt_06ax...`), ordered by time.

RFC 9562 sections 5.7 (UUIDv7) and 5.8 (UUIDv8).
"""

from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import uuid_utils

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)} | {"i": 1, "l": 1, "o": 0}
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]

NOTIFICATION = "nt"
DELIVERY = "dl"
ATTEMPT = "at"
TEMPLATE = "tpl"
TEMPLATE_VERSION = "tv"
EVENT_TYPE = "et"
ENDPOINT = "ep"
INBOX_ITEM = "in"
DEAD_LETTER = "dead"
REQUEST = "req"
WEBHOOK_ENDPOINT = "whk"
WEBHOOK_EVENT = "evt"
SCHEDULE = "sch"
SCHEDULE_RUN = "run"
SEGMENT = "seg"
IMPORT = "imp"
CAMPAIGN = "cmp"
VARIANT = "var"
CAMPAIGN_RUN = "crn"
AUDIT_ENTRY = "aud"


def new() -> UUID:
    """A UUIDv7: 48 bits of Unix milliseconds, then randomness; increasing within this process."""
    return UUID(int=uuid_utils.uuid7().int)


def derived(source: UUID, *parts: object) -> UUID:
    """A UUIDv8 that begins like `source`, version aside, and ends with 62 bits of a hash of it and the parts (UUIDs: their 16 bytes): the
    same input gives the same id, in the same partition, and beside those that were made together with it."""
    digest = sha256(source.bytes + b"\x1f".join(map(_bytes, parts))).digest()
    value = source.int >> 64 << 64 | int.from_bytes(digest[:8], "big")
    value = value & ~(0xF << 76) | 8 << 76
    return UUID(int=value & ~(0x3 << 62) | 2 << 62)


def _bytes(part: object) -> bytes:
    return part.bytes if isinstance(part, UUID) else str(part).encode()


def show(prefix: str, value: UUID) -> str:
    number, p = value.int, _PAIRS
    high, low = number >> 60, number & (1 << 60) - 1
    return (
        f"{prefix}_{p[high >> 60]}{p[high >> 50 & 1023]}{p[high >> 40 & 1023]}{p[high >> 30 & 1023]}{p[high >> 20 & 1023]}"
        f"{p[high >> 10 & 1023]}{p[high & 1023]}{p[low >> 50]}{p[low >> 40 & 1023]}{p[low >> 30 & 1023]}{p[low >> 20 & 1023]}"
        f"{p[low >> 10 & 1023]}{p[low & 1023]}"
    )


def read(prefix: str, text: str) -> UUID | None:
    """The id shown as `text`, or None when it is not one of that prefix."""
    head, _, tail = text.partition("_")
    if head != prefix or len(tail) != 26:
        return None
    number = 0
    for char in tail.lower():
        value = _VALUES.get(char)
        if value is None:
            return None
        number = number << 5 | value
    return UUID(int=number) if number < 1 << 128 else None


def find(text: str) -> UUID | None:
    """The id in any shown form: with whatever prefix, or as a plain UUID."""
    prefix, _, tail = text.strip().rpartition("_")
    if prefix:
        return read(prefix, f"{prefix}_{tail}")
    try:
        return UUID(tail)
    except ValueError:
        return None


def time_of(value: UUID) -> datetime:
    """When a UUIDv7 or a derived id was made (milliseconds)."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC)


def bound(moment: datetime) -> UUID:
    """The smallest id of that millisecond: a partition bound."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
