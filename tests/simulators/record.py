"""The judge of drills, fault tests and benches: one JSON line for each message of each request, written before the answer."""

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec


class Line(msgspec.Struct, frozen=True):
    """`time` in seconds since 1970; `request` counts from 1; `address`: SHA-256; `status`: what was answered, 0 for no answer;
    `taken`: whether the message counts as sent to the person; `silent`: taken, but lost on the way, and no receipt will say so.
    A request without any message has one line with an empty reference."""

    time: float
    request: int
    connection: int
    method: str
    path: str
    reference: str
    delivery: str
    message_id: str
    address: str
    status: int
    taken: bool
    silent: bool = False


class Record:
    """Append-only, one write() a request."""

    def __init__(self, path: Path | None) -> None:
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(self, lines: Iterable[Line]) -> None:
        if self._file is not None:
            os.write(self._file, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read(path: Path) -> list[Line]:
    """All lines so far. A last line that is not complete is left out."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [msgspec.json.decode(line, type=Line) for line in lines[:-1]]


def hashed(address: str) -> str:
    return sha256(address.encode()).hexdigest()
