"""The judge of fault tests: an append-only file with one JSON line for every message that reached the sandbox."""

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec


class Line(msgspec.Struct, frozen=True):
    """`taken`: whether the message counts as sent to the person; `answer`: `accepted` or the error given. `time` in seconds
    since 1970; `content`: SHA-256 of the content as JSON with sorted keys."""

    time: float
    reference: str
    delivery: str
    channel: str
    address: str
    content: str
    answer: str
    taken: bool


class Record:
    """Written with one write() a call, before the answer: what a provider took is known even if either side dies then."""

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


def content_hash(content: dict[str, str]) -> str:
    return sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()
