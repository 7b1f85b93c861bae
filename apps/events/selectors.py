"""The catalogue of event types."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.core.enums import Category, Channel, DedupBy, GroupBy, ResendInDoubt
from apps.core.tenant_scope import looking
from apps.core.types import Critical, EventType, Grouping
from apps.events import models

CACHE_SECONDS = 1.0
_MOST_CACHED = 5_000
_FIELDS = (
    *("id", "tenant_id", "key", "name", "category", "template_key", "channels", "fallback"),
    *("dedup_window_seconds", "sensitive_keys", "owner", "fallback_after_seconds", "resend_in_doubt", "dedup_by"),
    *("group_by", "group_window_seconds", "group_most", "group_leads", "group_low_only"),
    *("digest_template_key", "overflows", "waits_for", "waits_seconds"),
    *("critical_reason", "critical_asked_by", "critical_approved_by", "critical_approved_at"),
)

_cache: dict[tuple[UUID, str], tuple[float, EventType]] = {}
_waiting: dict[UUID, tuple[float, dict[str, tuple[EventType, ...]]]] = {}


def event_type(tenant_id: UUID, key: str) -> EventType | None:
    """At most CACHE_SECONDS old. An unknown key is asked for every time, so that a new event type is known at once."""
    kept = _cache.get((tenant_id, key))
    if kept is not None and kept[0] > monotonic():
        return kept[1]
    rows = models.EventType.objects.of(tenant_id).filter(key=key).values_list(*_FIELDS)
    row = rows.first() if key.isprintable() else None
    if row is None:
        return None
    if len(_cache) >= _MOST_CACHED:
        _cache.clear()
    found = _frozen(row)
    _cache[tenant_id, key] = (monotonic() + CACHE_SECONDS, found)
    return found


def event_types(pairs: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], EventType]:
    """By (tenant id, key); unknown ones are left out. One query, never from the cache; none for none."""
    wanted = set(pairs)
    if not wanted:
        return {}
    rows = models.EventType.objects.all_tenants().filter(
        tenant_id__in={tenant_id for tenant_id, _ in wanted}, key__in={key for _, key in wanted}
    )
    found = (_frozen(row) for row in rows.values_list(*_FIELDS))
    return {(kind.tenant_id, kind.key): kind for kind in found if (kind.tenant_id, kind.key) in wanted}


def waiting_for(tenant_ids: Iterable[UUID]) -> Mapping[UUID, Mapping[str, tuple[EventType, ...]]]:
    """Per tenant: by the key of a fuller event type, those that wait for it. At most CACHE_SECONDS old; one query for those that are
    not at hand."""
    wanted, now = set(tenant_ids), monotonic()
    found = {id_: kept[1] for id_ in wanted if (kept := _waiting.get(id_)) is not None and kept[0] > now}
    if len(found) < len(wanted):
        loaded = _waiting_in([id_ for id_ in wanted if id_ not in found])
        if len(_waiting) >= _MOST_CACHED:
            _waiting.clear()
        _waiting.update({id_: (now + CACHE_SECONDS, waiting) for id_, waiting in loaded.items()})
        found |= loaded
    return found


def _waiting_in(tenant_ids: Collection[UUID]) -> dict[UUID, dict[str, tuple[EventType, ...]]]:
    """One entry for each id."""
    found: dict[UUID, defaultdict[str, list[EventType]]] = {id_: defaultdict(list) for id_ in tenant_ids}
    with looking(None):
        rows = models.EventType.objects.all_tenants().filter(tenant_id__in=found).exclude(waits_for=[])
    for kind in (_frozen(row) for row in rows.order_by("key").values_list(*_FIELDS)):
        for fuller in kind.waits_for:
            found[kind.tenant_id][fuller].append(kind)
    return {id_: {key: tuple(its) for key, its in waiting.items()} for id_, waiting in found.items()}


def using_template(tenant_id: UUID, key: str) -> list[EventType]:
    """Those whose messages, or whose summaries, are said by the template with that key. One query."""
    rows = models.EventType.objects.of(tenant_id).filter(Q(template_key=key) | Q(digest_template_key=key))
    return [_frozen(row) for row in rows.order_by("key").values_list(*_FIELDS)]


def waits_for_itself(tenant_id: UUID, key: str, waits_for: Iterable[str]) -> bool:
    """Whether it would, through others, if it waited for these."""
    rows = models.EventType.objects.of(tenant_id).exclude(waits_for=[]).exclude(key=key)
    others: dict[str, list[str]] = dict(rows.values_list("key", "waits_for"))
    ahead, seen = list(waits_for), set()
    while ahead:
        fuller = ahead.pop()
        if fuller == key:
            return True
        if fuller not in seen:
            seen.add(fuller)
            ahead += others.get(fuller, [])
    return False


def event_type_page(tenant_id: UUID, limit: int, before: UUID | None) -> list[EventType]:
    """Newest first."""
    rows = models.EventType.objects.of(tenant_id)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [_frozen(row) for row in rows.order_by("-id").values_list(*_FIELDS)[:limit]]


def categories_of(tenant_id: UUID, template_key: str) -> frozenset[Category]:
    """Of the event types that are said with this template."""
    rows = models.EventType.objects.of(tenant_id).filter(template_key=template_key).values_list(*_FIELDS)
    return frozenset(_frozen(row).category for row in rows)


def forget_cached() -> None:
    """After a change in this very process, and for tests."""
    _cache.clear()
    _waiting.clear()


def _frozen(row: tuple[Any, ...]) -> EventType:
    event_type_id, tenant_id, key, name, category, template_key, channels, fallback, *more = row
    window, sensitive_keys, owner, fallback_after, resend_in_doubt, dedup_by, *rest = more
    by, group_window, most, leads, low_only, digest_template_key, overflows, waits_for, waits, *asked = rest
    critical = Critical(*asked) if category == Category.CRITICAL else None
    return EventType(
        id=event_type_id,
        tenant_id=tenant_id,
        key=key,
        name=name,
        category=Category.TRANSACTIONAL if critical and not critical.approved_by else Category(category),
        template_key=template_key,
        channels=tuple(Channel(channel) for channel in channels),
        fallback=tuple(Channel(channel) for channel in fallback),
        dedup_window=timedelta(seconds=window),
        sensitive_keys=tuple(sensitive_keys),
        owner=owner,
        fallback_after=timedelta(seconds=fallback_after),
        resend_in_doubt=ResendInDoubt(resend_in_doubt),
        dedup_by=DedupBy(dedup_by),
        grouping=Grouping(GroupBy(by), timedelta(seconds=group_window), most, leads, low_only)
        if by and group_window
        else None,
        digest_template_key=digest_template_key,
        overflows=overflows,
        waits_for=tuple(waits_for),
        waits=timedelta(seconds=waits),
        critical=critical,
    )
