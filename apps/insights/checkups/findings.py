"""What a check-up finds."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`about`: what was looked at; `said`: how it is; `fix`: what to do, in words, empty when nothing is."""

    level: Level
    about: str
    said: str
    fix: str = ""


def ok(about: str, said: str) -> Finding:
    return Finding("ok", about, said)


def warn(about: str, said: str, fix: str) -> Finding:
    return Finding("warn", about, said, fix)


def fail(about: str, said: str, fix: str) -> Finding:
    return Finding("fail", about, said, fix)
