"""Putting items into feeds, and what a recipient does with them.

What a recipient does is idempotent: a second call changes nothing and tells nobody. Every real change is reported
(engagement.py) in its transaction and pokes the recipient's open streams after it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from apps.core import clock, ids
from apps.core.crypto import encrypt
from apps.core.enums import EventKind
from apps.core.types import Engagement, NewInboxItem
from apps.inbox import engagement
from apps.inbox.pokes import poke

__all__ = ["add_items", "archive", "mark_all", "mark_read", "mark_seen", "mark_unread", "poke", "unarchive"]

CHUNK = 1_000

# one JSON parameter costs Python less than half of what an array per column does, and the server two thirds
_ADD = """
INSERT INTO inbox_inboxitem (id, position, tenant_id, recipient_id, notification_id, event_type, category, "group", sealed,
                             expires_at, created_at, updated_at)
SELECT item.*, %(now)s, %(now)s
FROM json_to_recordset(%(items)s) AS item (id uuid, position uuid, tenant_id uuid, recipient_id uuid, notification_id uuid,
                                           event_type text, category text, "group" text, sealed bytea, expires_at timestamptz)
ON CONFLICT (id) DO NOTHING
"""

_REPLACE = """
DELETE FROM inbox_inboxitem AS item
USING json_to_recordset(%(replaced)s) AS by (tenant_id uuid, recipient_id uuid, notification_id uuid, by_id uuid)
WHERE item.tenant_id = by.tenant_id AND item.recipient_id = by.recipient_id AND item.notification_id = by.notification_id
  AND item.read_at IS NULL AND item.archived_at IS NULL
RETURNING item.id, by.by_id
"""

# old and new in RETURNING: PostgreSQL 18
_CHANGE = """
UPDATE inbox_inboxitem AS item SET {assignments}, updated_at = %(now)s
FROM (SELECT id FROM inbox_inboxitem WHERE tenant_id = %(tenant)s AND recipient_id = %(recipient)s AND {condition}
      ORDER BY id LIMIT %(limit)s FOR UPDATE) AS mine
WHERE item.id = mine.id
RETURNING item.id,
          old.seen_at IS NULL AND new.seen_at IS NOT NULL,
          old.read_at IS NULL AND new.read_at IS NOT NULL,
          old.archived_at IS NULL AND new.archived_at IS NOT NULL,
          (old.seen_at, old.read_at, old.archived_at) IS DISTINCT FROM (new.seen_at, new.read_at, new.archived_at)
"""
_ONE = "id = %(item)s"
_UNREAD = "read_at IS NULL AND archived_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)"
_SEE = "seen_at = coalesce(item.seen_at, %(now)s)"
_READ = f"{_SEE}, read_at = coalesce(item.read_at, %(now)s)"
_KINDS = (EventKind.SEEN, EventKind.READ, EventKind.ARCHIVED)


def add_items(items: Sequence[NewInboxItem]) -> dict[UUID, UUID]:
    """One statement, inside the caller's transaction, which then calls `poke`; one more where any takes the place of others. An item
    whose id is there already stays as it is. Returns the ids of items that were unread and have gone, with the notification that took
    the place."""
    if not items:
        return {}
    rows = [
        {
            "id": item.id,
            "position": ids.new(),
            "tenant_id": item.tenant_id,
            "recipient_id": item.recipient_id,
            "notification_id": item.notification_id,
            "event_type": item.event_type,
            "category": item.category,
            "group": item.group,
            "sealed": "\\x" + encrypt(msgspec.json.encode(dict(item.content)), bound_to=item.id.bytes).hex(),
            "expires_at": item.expires_at,
        }
        for item in items
    ]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, {"now": clock.now(), "items": msgspec.json.encode(rows).decode()})
        if not (replaced := [_replaced(item, id_) for item in items for id_ in item.replaces]):
            return {}
        cursor.execute(_REPLACE, {"replaced": msgspec.json.encode(replaced).decode()})
        return dict(cursor.fetchall())


def _replaced(item: NewInboxItem, notification_id: UUID) -> Mapping[str, UUID]:
    return {
        "tenant_id": item.tenant_id,
        "recipient_id": item.recipient_id,
        "notification_id": notification_id,
        "by_id": item.notification_id,
    }


def mark_seen(*, tenant_id: UUID, recipient_id: UUID, now: datetime) -> None:
    """All that the feed holds unseen."""
    _change_all(_SEE, f"{_UNREAD} AND seen_at IS NULL", tenant_id, recipient_id, now)


def mark_all(*, tenant_id: UUID, recipient_id: UUID, now: datetime) -> None:
    """Read, all that the feed holds unread."""
    _change_all(_READ, _UNREAD, tenant_id, recipient_id, now)


def mark_read(*, tenant_id: UUID, recipient_id: UUID, item_id: UUID, now: datetime) -> bool:
    """Whether the recipient has this item at all; so do the next three."""
    return _change_one(_READ, tenant_id, recipient_id, item_id, now)


def mark_unread(*, tenant_id: UUID, recipient_id: UUID, item_id: UUID, now: datetime) -> bool:
    return _change_one("read_at = NULL", tenant_id, recipient_id, item_id, now)


def archive(*, tenant_id: UUID, recipient_id: UUID, item_id: UUID, now: datetime) -> bool:
    return _change_one(
        f"{_SEE}, archived_at = coalesce(item.archived_at, %(now)s)", tenant_id, recipient_id, item_id, now
    )


def unarchive(*, tenant_id: UUID, recipient_id: UUID, item_id: UUID, now: datetime) -> bool:
    return _change_one("archived_at = NULL", tenant_id, recipient_id, item_id, now)


def _change_one(assignments: str, tenant_id: UUID, recipient_id: UUID, item_id: UUID, now: datetime) -> bool:
    known = {"tenant": tenant_id, "recipient": recipient_id, "item": item_id, "now": now, "limit": 1}
    return _change(assignments, _ONE, known) == 1


def _change_all(assignments: str, condition: str, tenant_id: UUID, recipient_id: UUID, now: datetime) -> None:
    """One statement and one transaction per CHUNK."""
    known = {"tenant": tenant_id, "recipient": recipient_id, "now": now, "limit": CHUNK}
    while _change(assignments, condition, known) == CHUNK:
        pass


def _change(assignments: str, condition: str, known: Mapping[str, Any]) -> int:
    """How many matched. Locks in the order of ids, so that two tabs do not wait for each other."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CHANGE.format(assignments=assignments, condition=condition), known)
        rows = cursor.fetchall()
        happened = [
            Engagement(item_id, kind, known["now"])
            for item_id, *became, _ in rows
            for kind, is_so in zip(_KINDS, became, strict=True)
            if is_so
        ]
        engagement.report(happened)
        if any(is_changed for *_, is_changed in rows):
            poke([known["recipient"]])
    return len(rows)
