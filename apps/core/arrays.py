"""Arrays as parameters, in PostgreSQL's binary form (array_send): what the driver would write value by value, and PostgreSQL read back
from text.

Where an array of ids is sorted, `width_bucket(id, ids)` is the place of an id in it, and in the arrays beside it.
"""

from collections.abc import Iterable, Sequence
from struct import Struct, pack
from uuid import UUID

from psycopg import adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = Struct("!5i")
_NULL = b"\xff" * 4
_UUID_LENGTH, _INTEGER_LENGTH = (16).to_bytes(4), 4 << 32


class Uuids(bytes):
    """uuid[]"""


class Integers(bytes):
    """integer[]"""


class Texts(bytes):
    """text[]"""


def uuids(values: Iterable[UUID | None]) -> Uuids:
    items = [_UUID_LENGTH + value.int.to_bytes(16) if value else _NULL for value in values]
    return Uuids(_head(len(items), _UUID) + b"".join(items))


def integers(values: Sequence[int]) -> Integers:
    """From 0 to 2^31 - 1."""
    return Integers(_head(len(values), _INTEGER) + pack(f"!{len(values)}Q", *[_INTEGER_LENGTH | one for one in values]))


def texts(values: Iterable[str]) -> Texts:
    """Without NUL, which PostgreSQL's text cannot hold."""
    items = [one.replace("\0", "").encode() for one in values]
    return Texts(_head(len(items), _TEXT) + b"".join([len(one).to_bytes(4) + one for one in items]))


def _head(count: int, type_: int) -> bytes:
    """One dimension from 1. Whether there are NULLs PostgreSQL sees for itself."""
    return _HEAD.pack(1, 0, type_, count, 1)


def _of(kind: type[bytes], name: str) -> int:
    class _Dumper(Dumper):
        format = Format.BINARY
        oid = adapters.types[name].array_oid

        def dump(self, obj: bytes) -> bytes:
            return obj

    adapters.register_dumper(kind, _Dumper)
    return adapters.types[name].oid


_UUID, _INTEGER, _TEXT = _of(Uuids, "uuid"), _of(Integers, "int4"), _of(Texts, "text")
