"""Typed readers of environment variables. Every variable NAME may be given as NAME_FILE, a path to a file with the value.

All problems are collected and raised together by `check()`, so that one start shows everything that is wrong.
"""

import os
from base64 import b64decode
from binascii import Error as Base64Error
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

_problems: list[str] = []


def text(name: str, default: str | None = None) -> str:
    """The variable, or the content of the file that NAME_FILE names, without surrounding white space."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            _problems.append(f"{name}_FILE: cannot read {path}: {error.strerror}")
            return ""
    value = os.environ.get(name, default)
    if value is None:
        _problems.append(f"{name} is not set. Set it, or {name}_FILE.")
        return ""
    return value


def integer(name: str, default: int, *, low: int = 0, high: int = 2**31) -> int:
    raw = text(name, str(default))
    try:
        value = int(raw)
    except ValueError:
        _problems.append(f"{name} must be a whole number, not {raw!r}.")
        return default
    if not low <= value <= high:
        _problems.append(f"{name} must be between {low} and {high}, not {value}.")
    return value


def flag(name: str, default: bool) -> bool:
    raw = text(name, "1" if default else "0").lower()
    if raw not in {"0", "1", "true", "false", "yes", "no"}:
        _problems.append(f"{name} must be 1 or 0, not {raw!r}.")
    return raw in {"1", "true", "yes"}


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def url(name: str, default: str | None = None, *, schemes: tuple[str, ...]) -> str:
    value = text(name, default)
    if value and urlsplit(value).scheme not in schemes:
        _problems.append(f"{name} must begin with {' or '.join(s + '://' for s in schemes)}.")
    return value


def keys(name: str) -> dict[str, bytes]:
    """`kid:base64,kid:base64`, the first one in use, the others for what was written before. 32 bytes each."""
    found: dict[str, bytes] = {}
    for entry in words(name):
        kid, _, encoded = entry.partition(":")
        try:
            key = b64decode(encoded, validate=True)
        except (Base64Error, ValueError):
            key = b""
        if len(key) != 32 or not kid.isalnum() or len(kid) > 8:
            _problems.append(f"{name}: entries are kid:base64 of 32 bytes; {kid!r} is not.")
        else:
            found[kid] = key
    if not found and f"{name} is not set. Set it, or {name}_FILE." not in _problems:
        _problems.append(f"{name} needs at least one key, e.g. k1:$(openssl rand -base64 32).")
    return found


def networks(texts: list[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """IP networks in CIDR form."""
    found = []
    for entry in texts:
        try:
            found.append(ip_network(entry))
        except ValueError as error:
            _problems.append(f"Not a network: {error}.")
    return tuple(found)


def note(problem: str) -> None:
    """Remembers a problem for `check`."""
    _problems.append(problem)


def check() -> None:
    """Raises ImproperlyConfigured with every problem met so far, one a line."""
    if _problems:
        raise ImproperlyConfigured("The environment is not right:\n  " + "\n  ".join(_problems))
