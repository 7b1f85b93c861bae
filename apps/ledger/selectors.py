"""Questions to the ledger: facts for routing and sending, and what the API shows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from apps.core import crypto
from apps.core.arrays import uuids
from apps.core.enums import (
    Category,
    Channel,
    DeliveryStatus,
    EventKind,
    KeyMode,
    NotificationStatus,
    Priority,
    WorkPhase,
)
from apps.core.rows import by_value, fetch
from apps.core.types import NotificationFacts
from apps.ledger.broadcasts import Broadcast, broadcasts
from apps.ledger.fallbacks import waiting_turns
from apps.ledger.lifecycle import SETTLED, notification_status
from apps.ledger.models import DeadLetter, Delivery, DeliveryEvent, Notification, WorkItem

PRIORITIES = tuple(Priority)
_MODES, _CATEGORIES, _CHANNELS = by_value(KeyMode), by_value(Category), by_value(Channel)

_FACTS = """id, tenant_id, recipient_id, mode, category, event_type, template_key, channels, priority, sealed, expires_at,
    actor_id, object_id, ordering_key, source, broadcast_id, variant"""


_BROADCAST = 15


def notifications(ids: Sequence[UUID]) -> dict[UUID, NotificationFacts]:
    """One query, and one more where there are some of campaigns. `data` and `content` are empty where they were erased."""
    rows = fetch(f"SELECT {_FACTS} FROM ledger_notification WHERE id = ANY(%(ids)s)", {"ids": uuids(ids)})
    shared = broadcasts({row[_BROADCAST] for row in rows if row[_BROADCAST]})
    return {row[0]: _facts(row, shared.get(row[_BROADCAST])) for row in rows}


def _facts(row: tuple[Any, ...], broadcast: Broadcast | None) -> NotificationFacts:
    (
        id_,
        tenant,
        recipient,
        mode,
        category,
        event,
        template,
        channels,
        priority,
        sealed,
        expires,
        actor,
        object_,
        key,
        source,
        broadcast_id,
        number,
    ) = row
    inside = msgspec.json.decode(crypto.decrypt(sealed, bound_to=id_.bytes)) if sealed else {"data": {}, "content": {}}
    said = broadcast.contents.get(number) if broadcast else None
    return NotificationFacts(
        id=id_,
        tenant_id=tenant,
        recipient_id=recipient,
        mode=_MODES[mode],
        category=_CATEGORIES[category],
        event_type=event,
        template_key=template,
        channels=tuple([_CHANNELS[channel] for channel in channels]),
        priority=PRIORITIES[priority],
        data=broadcast.data if broadcast else inside["data"],
        content=inside["content"],
        expires_at=expires,
        actor_id=actor,
        object_id=object_,
        ordering_key=key,
        source=source,
        broadcast_id=broadcast_id,
        variant=number,
        template_version_id=said.version_id if said else None,
        halt=broadcast.halt if broadcast else None,
    )


def known_message_ids(ids: Collection[str]) -> frozenset[str]:
    """Of these ids of providers', those that an attempt has already. One query; none for none."""
    rows = (
        fetch(
            """SELECT provider_message_id FROM ledger_attempt
            WHERE provider_message_id <> '' AND provider_message_id = ANY(%(ids)s)""",
            {"ids": list(ids)},
        )
        if ids
        else []
    )
    return frozenset(found for (found,) in rows)


class Gated(NamedTuple):
    """A delivery at the gate: the endpoint that it was decided for (None where that is still open, or the channel needs none).
    `held_for`: why it was held; empty: it was not. `bypassed`: the "no" that routing overrode. `is_settled`: it came to its end
    otherwise, as by a receipt for an earlier try."""

    endpoint_id: UUID | None
    held_for: str
    bypassed: str = ""
    is_settled: bool = False

    @property
    def is_held(self) -> bool:
        return bool(self.held_for)


def gated(ids: Sequence[UUID]) -> dict[UUID, Gated]:
    """By delivery. One query."""
    rows = fetch(
        """SELECT id, endpoint_id, CASE WHEN status = 'held' THEN reason ELSE '' END, bypassed, status = ANY(%(settled)s)
        FROM ledger_delivery WHERE id = ANY(%(ids)s)""",
        {"ids": uuids(ids), "settled": [status.value for status in SETTLED]},
    )
    return {id_: Gated(*row) for id_, *row in rows}


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    id: UUID
    channel: Channel
    status: DeliveryStatus
    reason: str
    account: str
    updated_at: datetime
    duplicate_possible: bool = False
    bypassed: str = ""
    because: Mapping[str, Any] = field(default_factory=dict)
    merged_into: UUID | None = None


@dataclass(frozen=True, slots=True)
class NotificationSummary:
    """A notification as the API shows it. `updated_at`: of its latest change."""

    id: UUID
    recipient_id: UUID
    mode: str
    category: str
    event_type: str
    template_key: str
    priority: Priority
    status: NotificationStatus
    due_at: datetime | None
    expires_at: datetime | None
    event_id: str
    actor_id: str
    object_id: str
    ordering_key: str
    created_at: datetime
    updated_at: datetime
    deliveries: tuple[DeliverySummary, ...]


def summary(*, tenant_id: UUID, notification_id: UUID, now: datetime) -> NotificationSummary | None:
    rows = list(Notification.objects.of(tenant_id).filter(id=notification_id).defer("sealed"))
    return summaries(rows, now)[0] if rows else None


def page_of_recipient(
    *, tenant_id: UUID, recipient_id: UUID, before: UUID | None, limit: int, now: datetime
) -> list[NotificationSummary]:
    """Newest first. Four queries whatever the limit."""
    rows = Notification.objects.of(tenant_id).filter(recipient_id=recipient_id).defer("sealed").order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    return summaries(list(rows[:limit]), now)


def summaries(rows: Sequence[Notification], now: datetime) -> list[NotificationSummary]:
    ids = [row.id for row in rows]
    calling = calling_deliveries(ids)
    deliveries: dict[UUID, list[DeliverySummary]] = {id_: [] for id_ in ids}
    for delivery in Delivery.objects.all_tenants().filter(notification_id__in=ids).order_by("id"):
        deliveries[delivery.notification_id].append(_delivery_summary(delivery, calling))
    events: dict[UUID, set[EventKind]] = {id_: set() for id_ in ids}
    own = DeliveryEvent.objects.all_tenants().filter(notification_id__in=ids, delivery_id=None)
    for notification_id, kind in own.values_list("notification_id", "kind"):
        events[notification_id].add(EventKind(kind))
    dead = DeadLetter.objects.all_tenants().filter(notification_id__in=ids, delivery_id=None, resolved_at=None)
    for notification_id in dead.values_list("notification_id", flat=True):
        events[notification_id].add(EventKind.DEAD_LETTERED)
    gone = [row for row in rows if row.event_type and any(d.status in _GONE for d in deliveries[row.id])]
    turns = waiting_turns([(row.category, row.id) for row in gone])
    return [_summary(row, deliveries[row.id], events[row.id], now, row.id in turns) for row in rows]


_GONE = frozenset({DeliveryStatus.FAILED, DeliveryStatus.BOUNCED, DeliveryStatus.SKIPPED, DeliveryStatus.UNKNOWN})


def calling_deliveries(notification_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Deliveries being handed to a provider right now: their work says so, the delivery row is not written twice for it."""
    if not notification_ids:
        return frozenset()
    rows = Delivery.objects.all_tenants().filter(
        notification_id__in=notification_ids, status__in=[DeliveryStatus.QUEUED, DeliveryStatus.HELD]
    )
    places = list(rows.values_list("category", "id"))
    found: set[UUID] = set()
    for lane in {lane for lane, _ in places}:
        found.update(
            WorkItem.objects.all_tenants()
            .filter(
                lane=lane,
                id__in=[id_ for its, id_ in places if its == lane],
                phase=list(WorkPhase).index(WorkPhase.CALLING),
            )
            .values_list("id", flat=True)
        )
    return frozenset(found)


def _delivery_summary(row: Delivery, calling: Collection[UUID]) -> DeliverySummary:
    return DeliverySummary(
        id=row.id,
        channel=Channel(row.channel),
        status=DeliveryStatus.SENDING if row.id in calling else DeliveryStatus(row.status),
        reason=row.reason,
        account=row.account,
        updated_at=max(filter(None, [row.created_at, row.sent_at, row.delivered_at, row.ended_at])),
        duplicate_possible=row.duplicate_possible,
        bypassed=row.bypassed,
        because=row.because or {},
        merged_into=row.merged_into,
    )


def _summary(
    row: Notification, deliveries: list[DeliverySummary], events: set[EventKind], now: datetime, has_turn: bool
) -> NotificationSummary:
    """`has_turn`: another channel is about to have its turn."""
    statuses = [*(d.status for d in deliveries), *([DeliveryStatus.QUEUED] if has_turn else [])]
    return NotificationSummary(
        id=row.id,
        recipient_id=row.recipient_id,
        mode=row.mode,
        category=row.category,
        event_type=row.event_type,
        template_key=row.template_key,
        priority=PRIORITIES[row.priority],
        status=notification_status(statuses, events, row.due_at, now),
        due_at=row.due_at,
        expires_at=row.expires_at,
        event_id=row.event_id,
        actor_id=row.actor_id,
        object_id=row.object_id,
        ordering_key=row.ordering_key,
        created_at=row.created_at,
        updated_at=max([row.created_at, *(d.updated_at for d in deliveries)]),
        deliveries=tuple(deliveries),
    )
