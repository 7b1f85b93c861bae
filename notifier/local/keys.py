"""The secrets of a local installation, made once and kept in `.local/env` (mode 600, one NAME=value a line)."""

import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path


def _key(kid: str) -> str:
    return f"{kid}:{b64encode(secrets.token_bytes(32)).decode()}"


_MAKERS: dict[str, Callable[[], str]] = {
    "NOTIFIER_SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "NOTIFIER_ENCRYPTION_KEYS": lambda: _key("k1"),
    "NOTIFIER_HASH_KEYS": lambda: _key("h1"),
    "NOTIFIER_SANDBOX_SECRET": lambda: secrets.token_urlsafe(32),
    "NOTIFIER_ADMIN_PASSWORD": lambda: secrets.token_urlsafe(12),
}


def load_or_make(path: Path) -> dict[str, str]:
    """The file's variables; those that are missing are made and written. The file is replaced whole, never half written."""
    found = read(path)
    missing = {name: make() for name, make in _MAKERS.items() if not found.get(name)}
    if missing:
        found.update(missing)
        write(path, found)
    return found


def read(path: Path) -> dict[str, str]:
    """NAME=value lines; comments and anything else are skipped. Empty if there is no file."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def write(path: Path, variables: dict[str, str]) -> None:
    """Mode 600 from the first byte on."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.writelines(f"{name}={value}\n" for name, value in variables.items())
    unfinished.replace(path)
