"""What is in a feed, and how much of it is new. What has expired is not in it."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Count, Q

from apps.core import clock
from apps.core.crypto import UndecipherableError, decrypt
from apps.inbox.models import InboxItem

log = logging.getLogger(__name__)

Person = tuple[UUID, UUID]

_NEW = Q(read_at=None, archived_at=None)
_COUNTS = """
SELECT asked.tenant_id, asked.recipient_id, new.unread, new.unseen
FROM unnest(%s::uuid[], %s::uuid[]) AS asked (tenant_id, recipient_id),
     LATERAL (SELECT count(*) AS unread, count(*) FILTER (WHERE item.seen_at IS NULL) AS unseen
              FROM inbox_inboxitem AS item
              WHERE item.tenant_id = asked.tenant_id AND item.recipient_id = asked.recipient_id AND item.read_at IS NULL
                AND item.archived_at IS NULL AND (item.expires_at IS NULL OR item.expires_at > %s)) AS new
"""
_ITEM = ("id", "position", "event_type", "category", "sealed", "created_at", "seen_at", "read_at", "archived_at")


@dataclass(frozen=True, slots=True)
class FeedItem:
    """`content`: title, body, action_url, icon, whichever the item has."""

    id: UUID
    event_type: str
    category: str
    content: dict[str, str]
    created_at: datetime
    seen_at: datetime | None
    read_at: datetime | None
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Newest first. `last`: the position of the last one, from which the next page goes on; None when there is no next page."""

    items: tuple[FeedItem, ...]
    last: UUID | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Neither archived nor expired. `unseen` is what a badge shows: new since the feed was last opened."""

    unread: int
    unseen: int


def feed_page(
    *,
    tenant_id: UUID,
    recipient_id: UUID,
    limit: int,
    before: UUID | None,
    is_unread_only: bool,
    is_archived: bool,
    now: datetime,
) -> FeedPage:
    """One query over the index inbox_feed. `before`: only items put into the feed earlier than this position."""
    rows = InboxItem.objects.of(tenant_id).filter(_current(now), recipient_id=recipient_id)
    rows = rows.filter(archived_at__isnull=not is_archived)
    if is_unread_only:
        rows = rows.filter(read_at=None)
    if before is not None:
        rows = rows.filter(position__lt=before)
    found = list(rows.order_by("-position").values_list(*_ITEM)[: limit + 1])
    items = tuple(item for row in found[:limit] if (item := _opened(*row)) is not None)
    return FeedPage(items, found[limit - 1][1] if len(found) > limit else None)


def _opened(item_id: UUID, _: UUID, event_type: str, category: str, sealed: bytes, *times: Any) -> FeedItem | None:
    """None for an item that cannot be read any more: the others still can."""
    try:
        content = msgspec.json.decode(decrypt(sealed, bound_to=item_id.bytes), type=dict[str, str])
    except UndecipherableError:
        log.error("an inbox item cannot be decrypted", extra={"item": str(item_id)})
        return None
    return FeedItem(item_id, event_type, category, content, *times)


def items_by_id(ids: Iterable[UUID]) -> dict[UUID, FeedItem]:
    """Of whatever tenant: the ids come from deliveries. Unknown and unreadable ones are left out. One query."""
    rows = InboxItem.objects.all_tenants().filter(id__in=list(ids)).values_list(*_ITEM)
    return {item.id: item for row in rows if (item := _opened(*row)) is not None}


def counts(*, tenant_id: UUID, recipient_id: UUID, now: datetime) -> Counts:
    """One query over the index inbox_unread."""
    return counts_of([(tenant_id, recipient_id)], now=now)[tenant_id, recipient_id]


def counts_of(people: Iterable[Person], *, now: datetime) -> dict[Person, Counts]:
    """One entry for each tenant and recipient given. One query, whatever their number."""
    asked = set(people)
    if not asked:
        return {}
    tenant_ids, recipient_ids = zip(*asked, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [list(tenant_ids), list(recipient_ids), now])
        return {
            (tenant_id, recipient_id): Counts(unread, unseen)
            for tenant_id, recipient_id, unread, unseen in cursor.fetchall()
        }


def unread_of_groups(groups: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], list[UUID]]:
    """By (recipient, group): the notifications of its unread items, oldest first. One query."""
    asked = set(groups)
    rows = InboxItem.objects.all_tenants().filter(
        _NEW,
        _current(clock.now()),
        recipient_id__in={recipient_id for recipient_id, _ in asked},
        group__in={group for _, group in asked},
    )
    found: dict[tuple[UUID, str], list[UUID]] = {}
    for recipient_id, group, notification_id in rows.order_by("position").values_list(
        "recipient_id", "group", "notification_id"
    ):
        if (recipient_id, group) in asked:
            found.setdefault((recipient_id, group), []).append(notification_id)
    return found


def unread_counts(recipient_ids: Iterable[UUID]) -> dict[UUID, int]:
    """For badges on push messages: one entry for each id given, of whatever tenant. One query."""
    wanted = dict.fromkeys(recipient_ids, 0)
    if not wanted:
        return wanted
    rows = InboxItem.objects.all_tenants().filter(_NEW, _current(clock.now()), recipient_id__in=list(wanted))
    return wanted | dict(rows.order_by().values_list("recipient_id").annotate(Count("id")))


def _current(now: datetime) -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=now)
