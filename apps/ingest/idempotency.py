"""The idempotency key of a request: where it comes from, what it is bound to, what a replay gets.

draft-ietf-httpapi-idempotency-key-header-07: the same key with the same body answers again; with another body it is refused (422).
Scope: tenant, key mode, method and path.
"""

from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

import msgspec
from django.conf import settings
from rest_framework.request import Request

from apps.core import crypto
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller

HEADER = "Idempotency-Key"


class Stored(msgspec.Struct, array_like=True):
    """What is kept with a key: one entry per notification and per refusal, by position in the request."""

    form: str
    items: list[tuple[int, str, str, str, bytes | None]]
    refused: list[tuple[int, str, str, list[dict[str, Any]]]]


def key_of(request: Request, caller: Caller, in_body: str | None) -> str:
    """The caller's key, or a new one. Raises Problem: idempotency_key_required, idempotency_key_invalid, contradiction."""
    in_header = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if in_header is not None and in_body is not None and in_header != in_body:
        raise Problem(Code.CONTRADICTION, "Header and body name different keys.", pointer="/idempotency_key")
    key = in_header if in_header is not None else in_body
    if key is None:
        if caller.requires_idempotency_key:
            raise Problem(Code.IDEMPOTENCY_KEY_REQUIRED, pointer=f"#header/{HEADER}")
        return token_urlsafe(18)
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Problem(Code.IDEMPOTENCY_KEY_INVALID, pointer=f"#header/{HEADER}")
    return key


def scoped(request: Request, caller: Caller, key: str) -> bytes:
    """32 bytes that stand for this key of this tenant and mode on this method and path."""
    parts = (caller.mode.value, request.method or "", request.path, key)
    return crypto.fingerprint(b"idempotency", caller.tenant.id.bytes, *(part.encode() for part in parts))


def fingerprint(body: bytes) -> bytes:
    """SHA-256 of the body's meaning: order of members and white space do not count."""
    return sha256(msgspec.json.encode(msgspec.json.decode(body), order="deterministic")).digest()


def key_ttl() -> timedelta:
    return timedelta(hours=settings.IDEMPOTENCY_TTL_HOURS)


def event_ttl(caller: Caller) -> timedelta:
    """An event stands as long as the ledger remembers it."""
    return timedelta(days=caller.tenant.retention_days)
