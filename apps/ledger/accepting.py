"""Acceptance: idempotency key, notifications and their work in one SQL statement. What it returned is committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import OperationalError
from psycopg import errors

from apps.core import crypto
from apps.core.enums import KeyMode
from apps.core.rows import fetch, recordset
from apps.core.types import NewNotification


class StillRunningError(Exception):
    """Another request with this key holds it and has not committed yet."""


class KeyReusedError(Exception):
    """The key was used for a different request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One API call. `key` and `fingerprint`: 32 bytes; `answer`: what a replay gets back."""

    tenant_id: UUID
    api_key_id: UUID | None
    mode: KeyMode
    source: str
    request_id: str
    key: bytes
    fingerprint: bytes
    answer: bytes
    key_ttl: timedelta
    event_ttl: timedelta


@dataclass(frozen=True, slots=True)
class Accepted:
    """`answer`: the first request's, when this one is a replay of it. `is_partial`: some stood under their event before."""

    is_replay: bool
    answer: bytes
    is_partial: bool


_ACCEPT = """
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS r(
        id uuid, recipient_id uuid, category text, event_type text, template_key text, channels text[],
        priority smallint, sealed bytea, due_at timestamptz, expires_at timestamptz, event_id text, actor_id text,
        object_id text, ordering_key text, event_key bytea)
), request AS (
    INSERT INTO ledger_seen_key AS s (key, ref_id, fingerprint, answer, expires_at)
    VALUES (%(key)s, %(ref)s, %(fingerprint)s, %(answer)s, now() + %(key_ttl)s)
    ON CONFLICT (key) DO UPDATE
        SET ref_id = excluded.ref_id, fingerprint = excluded.fingerprint, answer = excluded.answer,
            expires_at = excluded.expires_at
        WHERE s.expires_at < now()
    RETURNING 1
), natural_key AS (
    INSERT INTO ledger_seen_key AS s (key, ref_id, expires_at)
    SELECT event_key, id, now() + %(event_ttl)s FROM input, request WHERE event_key IS NOT NULL ORDER BY event_key
    ON CONFLICT (key) DO UPDATE SET ref_id = excluded.ref_id, expires_at = excluded.expires_at
        WHERE s.expires_at < now()
    RETURNING ref_id
), fresh AS MATERIALIZED (
    SELECT input.* FROM input, request
    WHERE event_key IS NULL OR id IN (SELECT ref_id FROM natural_key)
), notification AS (
    INSERT INTO ledger_notification (
        id, tenant_id, recipient_id, api_key_id, mode, category, event_type, template_key, channels, priority, sealed,
        due_at, expires_at, event_id, actor_id, object_id, ordering_key, source, request_id)
    SELECT id, %(tenant_id)s, recipient_id, %(api_key_id)s, %(mode)s, category, event_type, template_key, channels,
        priority, sealed, due_at, expires_at, event_id, actor_id, object_id, ordering_key, %(source)s, %(request_id)s
    FROM fresh
), work AS (
    INSERT INTO ledger_work_item (
        id, lane, queue, kind, tenant_id, notification_id, priority, due_at, expires_at, ordering_key, order_at)
    SELECT id, category, 'route.' || category, 'route', %(tenant_id)s, id, priority, coalesce(due_at, now()),
        expires_at, CASE WHEN ordering_key <> '' THEN recipient_id || '/' || ordering_key ELSE '' END,
        coalesce(due_at, now())
    FROM fresh
)
SELECT EXISTS (SELECT FROM request), (SELECT count(*) FROM fresh)
"""


def accept(request: Request, notifications: Sequence[NewNotification]) -> Accepted:
    """Writes all or nothing. Raises StillRunningError, KeyReusedError, or a database error (then nothing was written).

    A notification whose event (tenant, mode, type, event_id, recipient) was accepted before is not written again:
    `standing` tells which one stands for it.
    """
    event_keys = [event_key(request.tenant_id, request.mode, n) for n in notifications]
    first: dict[bytes, int] = {}
    rows = []
    for position, (notification, key) in enumerate(zip(notifications, event_keys, strict=True)):
        if key is None or first.setdefault(key, position) == position:
            rows.append(_row(notification, key))
    try:
        is_new, written = fetch(_ACCEPT, _parameters(request, rows))[0]
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable):
            raise StillRunningError from error
        raise
    if not is_new:
        return _replay(request)
    return Accepted(is_replay=False, answer=request.answer, is_partial=written < len(notifications))


def standing(event_keys: Sequence[bytes | None]) -> dict[int, UUID]:
    """The notification that stands under each event key, by position."""
    wanted = [key for key in event_keys if key is not None]
    found = dict(fetch("SELECT key, ref_id FROM ledger_seen_key WHERE key = ANY(%(keys)s)", {"keys": wanted}))
    return {i: found[key] for i, key in enumerate(event_keys) if key is not None and key in found}


def event_key(tenant_id: UUID, mode: KeyMode, notification: NewNotification) -> bytes | None:
    """32 bytes. What a test key sent must not keep the live event from being sent."""
    if not notification.event_id:
        return None
    return crypto.fingerprint(
        b"event",
        tenant_id.bytes,
        mode.encode(),
        notification.event_type.encode(),
        b"" if notification.event_type else f"{notification.category}/{notification.template_key}".encode(),
        notification.event_id.encode(),
        notification.recipient_id.bytes,
    )


def _replay(request: Request) -> Accepted:
    rows = fetch("SELECT fingerprint, answer FROM ledger_seen_key WHERE key = %(key)s", {"key": request.key})
    if not rows:
        raise StillRunningError
    fingerprint, answer = rows[0]
    if bytes(fingerprint) != request.fingerprint:
        raise KeyReusedError
    return Accepted(is_replay=True, answer=bytes(answer), is_partial=True)


def answer_of(key: bytes, fingerprint: bytes) -> bytes | None:
    """What is stored under a live key, if the request is the same."""
    rows = fetch(
        "SELECT answer FROM ledger_seen_key WHERE key = %(key)s AND fingerprint = %(fingerprint)s AND expires_at > now()",
        {"key": key, "fingerprint": fingerprint},
    )
    return bytes(rows[0][0]) if rows else None


def seal(notification_id: UUID, data: Any, content: Any) -> bytes:
    return crypto.encrypt(msgspec.json.encode({"data": data, "content": content}), bound_to=notification_id.bytes)


def _row(n: NewNotification, key: bytes | None) -> dict[str, Any]:
    return {
        "id": n.id,
        "recipient_id": n.recipient_id,
        "category": n.category,
        "event_type": n.event_type,
        "template_key": n.template_key,
        "channels": n.channels,
        "priority": n.priority.rank,
        "sealed": memoryview(seal(n.id, n.data, n.content)),
        "due_at": n.due_at,
        "expires_at": n.expires_at,
        "event_id": n.event_id,
        "actor_id": n.actor_id,
        "object_id": n.object_id,
        "ordering_key": n.ordering_key,
        "event_key": None if key is None else memoryview(key),
    }


def _parameters(request: Request, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "rows": recordset(rows),
        "key": request.key,
        "ref": rows[0]["id"],
        "fingerprint": request.fingerprint,
        "answer": request.answer,
        "key_ttl": request.key_ttl,
        "event_ttl": request.event_ttl,
        "tenant_id": request.tenant_id,
        "api_key_id": request.api_key_id,
        "mode": request.mode.value,
        "source": request.source,
        "request_id": request.request_id,
    }
