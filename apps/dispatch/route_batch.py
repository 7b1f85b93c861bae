"""Route a batch: facts, decisions, deliveries and their work, in one transaction; then ring the send queues."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from apps.core import clock, crypto
from apps.core.enums import Channel, DeliveryStatus, Reason
from apps.core.rows import atomic
from apps.core.types import NotificationFacts, Work
from apps.dispatch import bells
from apps.dispatch.facts import Facts, load
from apps.ledger import selectors as ledger
from apps.ledger import work as items
from apps.ledger.routing_results import Decided, claim_keys, write_deliveries
from apps.ledger.sensitive import erase_where_over
from apps.routing.deciding import decide
from apps.routing.decisions import Bundle, Decision, Hold, Send, Skip


def route_batch(works: Sequence[Work], ends: float = 0.0) -> None:
    """Routes claimed work of one lane. What was cancelled or taken over meanwhile is left alone."""
    now = clock.now()
    notifications = ledger.notifications([w.id for w in works])
    facts = load(notifications.values())
    with atomic():
        mine = items.remove(works)
        ours = [(w, notifications[w.id]) for w in works if w.id in mine]
        duplicates = _duplicates(ours, facts, now)
        decided = [
            delivery
            for work, notification in ours
            for channel in facts.wished_channels(notification)
            for delivery in _deliveries(
                work,
                notification,
                channel,
                decide(facts.case(notification, channel, now, is_duplicate=(work.id, channel) in duplicates)),
                facts,
            )
        ]
        queues = write_deliveries(decided)
        erase_where_over({n.id: keys for _, n in ours if (keys := _sensitive(n, facts))})
    bells.ring(*sorted(queues))


def _deliveries(
    work: Work, n: NotificationFacts, channel: Channel, decision: Decision, facts: Facts
) -> Iterator[Decided]:
    match decision:
        case Send(endpoint_ids, bypassed):
            for endpoint_id in endpoint_ids:
                place = facts.place(n, endpoint_id)
                yield Decided(work, n, channel, endpoint_id, DeliveryStatus.QUEUED, bypassed=bypassed, place=place)
        case Hold(until, reason):
            yield Decided(work, n, channel, None, DeliveryStatus.HELD, reason, due_at=until)
        case Bundle(_, until, reason):
            yield Decided(work, n, channel, None, DeliveryStatus.HELD, reason, due_at=until)
        case Skip(reason):
            status = DeliveryStatus.EXPIRED if reason == Reason.EXPIRED else DeliveryStatus.SKIPPED
            yield Decided(work, n, channel, None, status, reason)


def _duplicates(
    ours: Sequence[tuple[Work, NotificationFacts]], facts: Facts, now: datetime
) -> frozenset[tuple[UUID, Channel]]:
    """(notification, channel) whose content went out within its event type's window. Only what would be sent takes a key."""
    wanted: dict[bytes, tuple[UUID, timedelta]] = {}
    asked: list[tuple[UUID, Channel, bytes]] = []
    for work, n in ours:
        event_type = facts.event_type(n)
        if event_type is None or not event_type.dedup_window:
            continue
        for channel in facts.wished_channels(n):
            if isinstance(decide(facts.case(n, channel, now)), Send):
                key = _content_key(n, channel)
                wanted.setdefault(key, (work.id, event_type.dedup_window))
                asked.append((work.id, channel, key))
    holders = claim_keys(wanted)
    return frozenset((id_, channel) for id_, channel, key in asked if (holders.get(key) or wanted[key][0]) != id_)


def _content_key(n: NotificationFacts, channel: Channel) -> bytes:
    content = json.dumps([n.data, n.content], sort_keys=True, separators=(",", ":"))
    parts = (n.event_type, channel.value, n.actor_id, n.object_id, content)
    return crypto.fingerprint(b"content", n.recipient_id.bytes, *(part.encode() for part in parts))


def _sensitive(n: NotificationFacts, facts: Facts) -> tuple[str, ...]:
    event_type = facts.event_type(n)
    return event_type.sensitive_keys if event_type else ()
