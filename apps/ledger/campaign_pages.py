"""Pages of a campaign run, written at once: people, what was decided for them, and their work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import IntegrityError

from apps.core.arrays import uuids
from apps.core.enums import Category, Channel, DeliveryStatus, KeyMode, Priority, Reason
from apps.core.rows import atomic, fetch
from apps.ledger.lifecycle import WAITING
from apps.ledger.partitions import month_start, partition_name
from apps.ledger.routing_results import delivery_id
from apps.ledger.telling import is_heard


@dataclass(frozen=True, slots=True)
class Frame:
    """What the notifications of a page have in common. `cuts`: of their ids (broadcasts.notification_id)."""

    broadcast_id: UUID
    stamp: int
    tenant_id: UUID
    api_key_id: UUID | None
    mode: KeyMode
    category: Category
    event_type: str
    channels: tuple[Channel, ...]
    priority: Priority
    expires_at: datetime | None
    request_id: str
    cuts: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """One delivery of a page: QUEUED or HELD until `due_at`, or withheld with its reason."""

    channel: Channel
    endpoint_id: UUID | None
    status: DeliveryStatus
    reason: Reason | None = None
    place: str = ""
    due_at: datetime | None = None
    because: Mapping[str, Any] | None = None
    bypassed: Reason | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """For one person. `id`: broadcasts.notification_id. `fates`: what was decided; None: routing is to decide."""

    id: UUID
    recipient_id: UUID
    variant: int
    template_key: str
    fates: Sequence[Fate] | None


@dataclass(frozen=True, slots=True)
class Written:
    notifications: int
    deliveries: int
    queues: frozenset[str]


# the notification decides: where it is new, so is all that follows from it, whose ids are made of its own
_WRITE = """
WITH page AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::uuid[], %(recipients)s::uuid[], %(variants)s::smallint[], %(templates)s::text[],
        %(undecided)s::boolean[]) AS p(id, recipient_id, variant, template_key, is_undecided)
), fate AS MATERIALIZED (
    SELECT * FROM unnest(%(d_ids)s::uuid[], %(d_pages)s::int[], %(d_channels)s::text[], %(d_endpoints)s::uuid[],
        %(d_statuses)s::text[], %(d_reasons)s::text[], %(d_places)s::text[], %(d_dues)s::timestamptz[],
        %(d_because)s::jsonb[], %(d_bypassed)s::text[], %(d_open)s::boolean[])
        AS f(id, page, channel, endpoint_id, status, reason, place, due_at, because, bypassed, is_open)
), notification AS (
    INSERT INTO ledger_notification (
        id, tenant_id, recipient_id, api_key_id, mode, category, event_type, template_key, channels, priority, expires_at,
        source, request_id, broadcast_id, variant)
    SELECT id, %(tenant)s, recipient_id, %(api_key)s, %(mode)s, %(category)s, %(event_type)s, template_key,
        %(channels)s::text[], %(priority)s, %(expires_at)s, 'campaign', %(request_id)s, %(broadcast)s, variant
    FROM page ON CONFLICT (id) DO NOTHING RETURNING id
), delivery AS (
    INSERT INTO ledger_delivery (
        id, notification_id, tenant_id, recipient_id, channel, endpoint_id, category, mode, status, reason, bypassed, because,
        variant, place, ended_at)
    SELECT f.id, (%(ids)s::uuid[])[f.page], %(tenant)s, (%(recipients)s::uuid[])[f.page], f.channel, f.endpoint_id,
        %(category)s, %(mode)s, f.status, f.reason, f.bypassed, f.because, (%(variants)s::smallint[])[f.page], f.place,
        CASE WHEN NOT f.is_open THEN now() END
    FROM fate f WHERE (%(ids)s::uuid[])[f.page] IN (SELECT id FROM notification) RETURNING id
), sends AS (
    INSERT INTO ledger_work_item (
        id, lane, queue, kind, channel, tenant_id, notification_id, priority, due_at, expires_at, order_at)
    SELECT f.id, %(category)s, 'send.' || %(category)s || '.' || f.channel, 'send', f.channel, %(tenant)s,
        (%(ids)s::uuid[])[f.page], %(priority)s, coalesce(f.due_at, now()), %(expires_at)s, now()
    FROM fate f WHERE f.is_open AND f.id IN (SELECT id FROM delivery) RETURNING queue
), routes AS (
    INSERT INTO ledger_work_item (id, lane, queue, kind, tenant_id, notification_id, priority, expires_at, order_at)
    SELECT id, %(category)s, 'route.' || %(category)s, 'route', %(tenant)s, id, %(priority)s, %(expires_at)s, now()
    FROM page WHERE is_undecided AND id IN (SELECT id FROM notification) RETURNING queue
)
SELECT (SELECT count(*) FROM notification), (SELECT count(*) FROM delivery),
    ARRAY(SELECT DISTINCT queue FROM sends UNION SELECT DISTINCT queue FROM routes)
"""


def write_page(frame: Frame, messages: Sequence[NewMessage]) -> Written:
    """One statement; in the transaction that moves the run's cursor. Whoever has their notification already gets nothing
    more: no other, and no other delivery of it, wherever they are reached now."""
    if not messages:
        return Written(0, 0, frozenset())
    page = [m.id for m in messages]
    fates = [
        (delivery_id(id_, f.channel, f.endpoint_id), place, f)
        for place, (id_, m) in enumerate(zip(page, messages, strict=True), start=1)
        for f in m.fates or ()
    ]
    rows = fetch(
        _WRITE,
        {
            "ids": uuids(page),
            "recipients": uuids([m.recipient_id for m in messages]),
            "variants": _words([m.variant for m in messages]),
            "templates": [m.template_key for m in messages],
            "undecided": _words(["t" if m.fates is None else "f" for m in messages]),
            "d_ids": uuids([id_ for id_, _, _ in fates]),
            "d_pages": _words([place for _, place, _ in fates]),
            "d_channels": _words([f.channel.value for _, _, f in fates]),
            "d_endpoints": uuids([f.endpoint_id for _, _, f in fates]),
            "d_statuses": _words([f.status.value for _, _, f in fates]),
            "d_reasons": _words([f.reason.value if f.reason else '""' for _, _, f in fates]),
            "d_places": [f.place for _, _, f in fates],
            "d_dues": [f.due_at for _, _, f in fates],
            "d_because": [_json(f.because) for _, _, f in fates],
            "d_bypassed": _words([f.bypassed.value if f.bypassed else '""' for _, _, f in fates]),
            "d_open": _words(["t" if f.status in WAITING else "f" for _, _, f in fates]),
            **_of_frame(frame),
        },
    )
    notifications, deliveries, queues = rows[0]
    return Written(notifications, deliveries, frozenset(queues))


@dataclass(frozen=True, slots=True)
class Alike:
    """What was decided for all who are alike on a channel. `place`: which of their addresses, from 1, it goes to; 0: none is named."""

    channel: str
    variant: int
    timezone: str
    is_blocked: bool
    states: str
    chosen: str
    status: DeliveryStatus
    reason: Reason | None
    place: int = 0
    due_at: datetime | None = None
    because: Mapping[str, Any] | None = None
    bypassed: Reason | None = None


_ALIKE = """
WITH decided AS MATERIALIZED (
    SELECT *, convert_to(channel || chr(31), 'UTF8') AS hashed_with
    FROM unnest(%(channels_)s::text[], %(variants)s::smallint[], %(timezones)s::text[], %(blocked)s::boolean[],
        %(states)s::text[], %(chosen)s::text[], %(statuses)s::text[], %(reasons)s::text[], %(places)s::int[],
        %(dues)s::timestamptz[], %(because)s::jsonb[], %(bypassed)s::text[], %(open)s::boolean[])
        AS d(channel, variant, timezone, is_blocked, states, chosen, status, reason, place, due_at, because, bypassed, is_open)
), notification AS (
    INSERT INTO {notifications} (
        id, tenant_id, recipient_id, api_key_id, mode, category, event_type, template_key, channels, priority, expires_at,
        source, request_id, broadcast_id, variant)
    SELECT notification_id, %(tenant)s, recipient_id, %(api_key)s, %(mode)s, %(category)s, %(event_type)s,
        (%(templates)s::text[])[1 + variant], %(channels)s::text[], %(priority)s, %(expires_at)s, 'campaign', %(request_id)s,
        %(broadcast)s, variant
    FROM campaign_page WHERE is_first AND NOT is_special {unless_known}
), fate AS MATERIALIZED (
    SELECT encode(set_byte(substring(uuid_send(notification_id) FROM 1 FOR 8) || substring(h FROM 1 FOR 8),
            8, get_byte(h, 0) & 63 | 128), 'hex')::uuid AS id, notification_id, recipient_id, endpoint_id,
        sent_to, channel, variant, status, reason, bypassed, because, is_open, due_at
    FROM (
        SELECT p.notification_id, p.recipient_id, p.endpoint_ids[d.place] AS endpoint_id, p.places[d.place] AS sent_to, d.channel,
            d.variant, d.status, d.reason, d.bypassed, d.because, d.is_open, d.due_at,
            sha256(uuid_send(p.notification_id) || d.hashed_with || coalesce(uuid_send(p.endpoint_ids[d.place]), '')) AS h
        FROM campaign_page p JOIN decided d ON d.channel = p.channel AND d.variant = p.variant AND d.timezone = p.timezone
            AND d.is_blocked = p.is_blocked AND d.states = p.states AND d.chosen = p.chosen
        WHERE NOT p.is_special OFFSET 0) hashed
), delivery AS (
    INSERT INTO {deliveries} (
        id, notification_id, tenant_id, recipient_id, channel, endpoint_id, category, mode, status, reason, bypassed, because,
        variant, place, ended_at)
    SELECT id, notification_id, %(tenant)s, recipient_id, channel, endpoint_id, %(category)s, %(mode)s, status, reason, bypassed,
        because, variant, coalesce(sent_to, ''), CASE WHEN NOT is_open THEN now() END
    FROM fate {of_new}
), sends AS (
    INSERT INTO {items} (
        id, lane, queue, kind, channel, tenant_id, notification_id, priority, due_at, expires_at, order_at)
    SELECT f.id, %(category)s, 'send.' || %(category)s || '.' || f.channel, 'send', f.channel, %(tenant)s, f.notification_id,
        %(priority)s, coalesce(f.due_at, now()), %(expires_at)s, now()
    FROM fate f WHERE f.is_open {of_made}
)
SELECT {counted}
"""
_ALL = {
    "unless_known": "",
    "of_new": "",
    "of_made": "",
    "counted": "(SELECT count(*) FROM campaign_page WHERE is_first AND NOT is_special), (SELECT count(*) FROM fate)",
}
_NEW = {
    "unless_known": "ON CONFLICT (id) DO NOTHING RETURNING id",
    "of_new": "WHERE notification_id IN (SELECT id FROM notification) RETURNING id",
    "of_made": "AND f.id IN (SELECT id FROM delivery)",
    "counted": "(SELECT count(*) FROM notification), (SELECT count(*) FROM delivery)",
}


_NESTED_LOOPS = "SELECT set_config('enable_nestloop', %(value)s, true)"


def write_alike(frame: Frame, templates: Mapping[int, str], alike: Sequence[Alike]) -> Written:
    """Those of `campaign_page` (audience/campaign_pages.py) who are like others. As `write_page`."""
    given = {
        "channels_": [a.channel for a in alike],
        "variants": [a.variant for a in alike],
        "timezones": [a.timezone for a in alike],
        "blocked": [a.is_blocked for a in alike],
        "states": [a.states for a in alike],
        "chosen": [a.chosen for a in alike],
        "statuses": [a.status.value for a in alike],
        "reasons": [a.reason.value if a.reason else "" for a in alike],
        "places": [a.place for a in alike],
        "dues": [a.due_at for a in alike],
        "because": [_json(a.because) for a in alike],
        "bypassed": [a.bypassed.value if a.bypassed else "" for a in alike],
        "open": [a.status in WAITING for a in alike],
        "templates": [templates.get(number, "") for number in range(max(templates, default=0) + 1)],
        **_of_frame(frame),
    }
    tables = _tables(frame)
    # the planner takes the page for one row, and would compare each with each
    fetch(_NESTED_LOOPS, {"value": "off"})
    try:
        with atomic():
            rows = fetch(_ALIKE.format(**tables, **_ALL), given)
    except IntegrityError:
        # somebody has theirs already: to ask for each beforehand would cost a sixth of the writing, to find it out costs a page
        rows = fetch(_ALIKE.format(**tables, **_NEW), given)
    fetch(_NESTED_LOOPS, {"value": "on"})
    notifications, deliveries = rows[0]
    queues = {f"send.{frame.category}.{a.channel}" for a in alike if a.status in WAITING}
    return Written(notifications, deliveries, frozenset(queues))


def _tables(frame: Frame) -> dict[str, str]:
    """Where nobody listens, the partitions by their own names: for its triggers the whole table keeps each new row until the statement
    ends (telling.sql), a tenth of the writing."""
    notifications, deliveries = "ledger_notification", "ledger_delivery"
    if not is_heard():
        month = month_start(datetime.fromtimestamp(frame.stamp / 1000, UTC))
        notifications, deliveries = partition_name(notifications, month), partition_name(deliveries, month)
    return {"notifications": notifications, "deliveries": deliveries, "items": f"ledger_work_item_{frame.category}"}


def _of_frame(frame: Frame) -> dict[str, Any]:
    return {
        "tenant": frame.tenant_id,
        "api_key": frame.api_key_id,
        "mode": frame.mode.value,
        "category": frame.category.value,
        "event_type": frame.event_type,
        "channels": [channel.value for channel in frame.channels],
        "priority": frame.priority.rank,
        "expires_at": frame.expires_at,
        "request_id": frame.request_id,
        "broadcast": frame.broadcast_id,
    }


def _words(values: Sequence[str | int]) -> str:
    """An array as text, of numbers and codes of our own: none of them needs a quote."""
    return "{" + ",".join(map(str, values)) + "}"


def _json(value: Mapping[str, Any] | None) -> str | None:
    return msgspec.json.encode(value).decode() if value else None
