"""The story of one notification, assembled from its rows: one plain sentence an entry."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core import grounds, ids
from apps.core.enums import Channel, DeliveryStatus, DoubtMove, EventKind, OutcomeKind, Reason, WorkKind
from apps.core.types.work import SUMMARY
from apps.ledger.bundles import Waits, waits_of
from apps.ledger.fallbacks import chain_id
from apps.ledger.models import Attempt, DeadLetter, Delivery, DeliveryEvent, Notification, WorkItem

NAMES = {Channel.PUSH: "Push", Channel.EMAIL: "Email", Channel.SMS: "SMS", Channel.IN_APP: "In-app"}


@dataclass(frozen=True, slots=True)
class Entry:
    """`kind`: accepted, scheduled, decided, held, skipped, merged, speaks_for, rendered, attempt, sent, an outcome, an event
    (EventKind), retry_planned, doubt_planned, fallback_planned, summary_planned, dead_letter."""

    at: datetime
    kind: str
    text: str
    channel: Channel | None = None
    delivery_id: UUID | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def timeline(*, tenant_id: UUID, notification_id: UUID) -> list[Entry]:
    """Oldest first; empty when there is no such notification. Seven queries, and one for what is held."""
    notification = Notification.objects.of(tenant_id).filter(id=notification_id).defer("sealed").first()
    if notification is None:
        return []
    deliveries = {
        d.id: d for d in Delivery.objects.of(tenant_id).filter(notification_id=notification_id).order_by("id")
    }
    events = DeliveryEvent.objects.of(tenant_id).filter(notification_id=notification_id).order_by("at", "id")
    attempts = Attempt.objects.of(tenant_id).filter(delivery_id__in=list(deliveries)).order_by("id")
    waiting = WorkItem.objects.of(tenant_id).filter(
        lane=notification.category, id__in=[notification_id, chain_id(notification_id), *deliveries], phase=0
    )
    dead = DeadLetter.objects.of(tenant_id).filter(notification_id=notification_id)
    spoken_for = Delivery.objects.of(tenant_id).filter(merged_into=notification_id).order_by("id")
    entries = [
        *_accepted(notification),
        *_spoken_for(list(spoken_for[:_MOST_SPOKEN_FOR])),
        *(entry for delivery in deliveries.values() for entry in _decided(delivery)),
        *(entry for attempt in attempts for entry in _attempted(attempt, deliveries[attempt.delivery_id])),
        *(entry for delivery in deliveries.values() for entry in _ended(delivery)),
        *(_happened(event, deliveries) for event in events),
        *(entry for letter in dead for entry in _set_aside(letter, deliveries)),
        *(_planned(work, deliveries) for work in waiting if work.calls or work.kind in _PLANS),
        *(_bundled(waits, deliveries) for waits in waits_of(tenant_id, _waiting(deliveries.values()))),
    ]
    return sorted(entries, key=lambda entry: entry.at)


def _accepted(n: Notification) -> Iterator[Entry]:
    what = (
        f"event {n.event_type}"
        if n.event_type
        else f"template {n.template_key}"
        if n.template_key
        else "inline message"
    )
    detail = {"request_id": n.request_id, "source": n.source, "mode": n.mode, "event_id": n.event_id}
    text = f"Accepted: {what}, {n.category}, {n.mode} key."
    if n.source == SUMMARY:
        text = f"Made to sum up other messages: {n.event_type or 'of several kinds'}, {n.category}, {n.mode} mode."
    yield Entry(n.created_at, "accepted", text, detail=detail)
    if n.due_at is not None:
        yield Entry(
            n.created_at, "scheduled", f"Scheduled for {n.due_at:%Y-%m-%d %H:%M:%S} UTC.", detail={"due_at": n.due_at}
        )


def _decided(d: Delivery) -> Iterator[Entry]:
    channel = Channel(d.channel)
    name = NAMES[channel]
    if d.status == DeliveryStatus.SKIPPED and d.ended_at == d.created_at:
        yield Entry(d.created_at, "skipped", f"{name} withheld: {_withheld(d)}", channel, d.id, _grounds(d))
        return
    held = _held(d)
    if d.bypassed:
        text = f"{name} will be sent because it is critical, although: {grounds.sentence(d.because or {}, d.bypassed)}"
        detail = {"bypassed": d.bypassed, **({"because": d.because} if d.because else {})}
        yield Entry(d.created_at, "decided", text, channel, d.id, detail)
    elif not held or grounds.moment(held[0].get("at")) is None:
        yield Entry(d.created_at, "decided", f"{name} will be sent.", channel, d.id)
    for because in held:
        text = f"{name} held: {grounds.sentence(because, because['why'])}"
        at = grounds.moment(because["at"]) or d.created_at
        yield Entry(max(at, d.created_at), "held", text, channel, d.id, {"reason": because["why"], "because": because})


def _held(d: Delivery) -> list[dict[str, Any]]:
    """Why it waited, oldest first. What a critical message overrode, and what ended it, are no waiting."""
    latest: dict[str, Any] = d.because or {}
    notes = [note for note in (latest.get("before"), latest) if note and note.get("why") and note.get("at")]
    is_its_end = d.status in _WITHHELD
    return [
        {key: value for key, value in note.items() if key != "before"}
        for note in notes
        if note["why"] != d.bypassed and not (is_its_end and note is latest)
    ]


def _withheld(d: Delivery) -> str:
    said = grounds.sentence(d.because or {}, d.reason) or _words(d.reason)
    return f"{said[:-1]}: {ids.show(ids.NOTIFICATION, d.merged_into)}." if d.merged_into else said


def _grounds(d: Delivery) -> dict[str, Any]:
    because = {key: value for key, value in (d.because or {}).items() if key != "before"}
    return {
        "reason": d.reason,
        **({"because": because} if because else {}),
        **({"merged_into": ids.show(ids.NOTIFICATION, d.merged_into)} if d.merged_into else {}),
    }


def _spoken_for(found: Sequence[Delivery]) -> Iterator[Entry]:
    """Others that this notification speaks for: summed up, the same once more, or poorer."""
    if found:
        others = list(dict.fromkeys(ids.show(ids.NOTIFICATION, d.notification_id) for d in found))
        what = f"{len(others)} other message{'s' if len(others) > 1 else ''}"
        shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        at = max(d.ended_at or d.created_at for d in found)
        yield Entry(at, "speaks_for", f"It speaks for {what}: {shown}.", detail={"notifications": others})


def _attempted(a: Attempt, d: Delivery) -> Iterator[Entry]:
    channel = Channel(d.channel)
    where = (channel, d.id)
    what = f"template version {a.template_version}" if a.template_version else "the inline message"
    locale = f" in {a.locale}" if a.locale else ""
    rendered = {"template_version": a.template_version, "locale": a.locale, "bytes": a.size}
    yield Entry(
        a.started_at, "rendered", f"{NAMES[channel]} rendered from {what}{locale}: {a.size} bytes.", *where, rendered
    )
    if channel == Channel.IN_APP:
        return
    attempt = {"attempt_id": ids.show(ids.ATTEMPT, a.id), "number": a.number, "account": a.account}
    yield Entry(a.started_at, "attempt", f"Attempt {a.number} through {a.account}.", *where, attempt)
    if a.ended_at is None:
        return
    outcome = OutcomeKind(a.kind)
    took = {"code": a.code, "detail": a.detail, "ms": round((a.ended_at - a.started_at).total_seconds() * 1000)}
    if outcome == OutcomeKind.ACCEPTED:
        text = f"{a.account} took it as {a.provider_message_id or 'accepted'}. Sent is not yet delivered."
        yield Entry(a.ended_at, "sent", text, *where, {**took, "provider_message_id": a.provider_message_id})
    else:
        said = f" ({a.code})" if a.code else ""
        in_doubt = {"in_doubt": True} if outcome == OutcomeKind.AMBIGUOUS else {}
        yield Entry(a.ended_at, outcome.value, f"{a.account}: {outcome.sentence}{said}", *where, took | in_doubt)


def _ended(d: Delivery) -> Iterator[Entry]:
    channel = Channel(d.channel)
    status = DeliveryStatus(d.status)
    if d.ended_at is None or d.ended_at == d.created_at:
        return
    if channel == Channel.IN_APP and status == DeliveryStatus.DELIVERED:
        yield Entry(d.ended_at, "delivered", "In-app item is in the recipient's feed.", channel, d.id)
    elif status in _WITHHELD:
        word = "withheld" if status == DeliveryStatus.SKIPPED else status.value
        yield Entry(d.ended_at, status.value, f"{NAMES[channel]} {word}: {_withheld(d)}", channel, d.id, _grounds(d))
    elif status == DeliveryStatus.MERGED:
        into = ids.show(ids.NOTIFICATION, d.merged_into) if d.merged_into else "another"
        text = f"{NAMES[channel]} summed up with others: {into}."
        yield Entry(d.ended_at, "merged", text, channel, d.id, _grounds(d))
    elif status in {DeliveryStatus.FAILED, DeliveryStatus.UNKNOWN}:
        why = _words(d.reason) if d.reason else status.sentence
        text = f"{NAMES[channel]} {status.value}: {why}"
        yield Entry(d.ended_at, status.value, text, channel, d.id, {"reason": d.reason})


def _happened(event: DeliveryEvent, deliveries: dict[UUID, Delivery]) -> Entry:
    kind = EventKind(event.kind)
    delivery = deliveries.get(event.delivery_id) if event.delivery_id else None
    said = f" ({event.code})" if event.code else ""
    text = f"{kind.sentence[:-1]}{said}."
    if kind == EventKind.FELL_BACK and delivery:
        text = (
            f"{NAMES[Channel(delivery.channel)]} gave up: {_words(event.detail)} Trying {NAMES[Channel(event.code)]}."
        )
    return Entry(
        event.at,
        kind.value,
        text,
        Channel(delivery.channel) if delivery else None,
        event.delivery_id,
        {"source": event.source, "code": event.code, "detail": event.detail},
    )


def _set_aside(letter: DeadLetter, deliveries: dict[UUID, Delivery]) -> Iterator[Entry]:
    delivery = deliveries.get(letter.delivery_id) if letter.delivery_id else None
    where = (Channel(delivery.channel) if delivery else None, letter.delivery_id)
    detail = {"dead_letter_id": ids.show(ids.DEAD_LETTER, letter.id), "reason": letter.reason}
    yield Entry(letter.created_at, "dead_letter", f"Set aside for an operator: {_words(letter.reason)}", *where, detail)


def _planned(work: WorkItem, deliveries: dict[UUID, Delivery]) -> Entry:
    delivery = deliveries.get(work.id)
    kind, text = "retry_planned", f"Next try planned for {work.due_at:%H:%M:%S} UTC."
    if work.kind == WorkKind.DOUBT and work.move in set(DoubtMove):
        kind, text = "doubt_planned", f"In doubt. At {work.due_at:%H:%M:%S} UTC: {DoubtMove(work.move).sentence}"
    elif work.kind == WorkKind.PROOF:
        name = NAMES[Channel(work.channel)]
        kind = "fallback_planned"
        text = f"Unless {name} has proved its arrival by {work.due_at:%H:%M:%S} UTC, the next channel is tried."
    return Entry(
        work.due_at,
        kind,
        text,
        Channel(delivery.channel) if delivery else None,
        delivery.id if delivery else None,
        {"due_at": work.due_at},
    )


_WITHHELD = frozenset({DeliveryStatus.SKIPPED, DeliveryStatus.EXPIRED})
_MOST_SPOKEN_FOR = 500


def _waiting(deliveries: Iterable[Delivery]) -> list[UUID]:
    return [d.id for d in deliveries if d.status == DeliveryStatus.HELD]


def _bundled(waits: Waits, deliveries: dict[UUID, Delivery]) -> Entry:
    channel = Channel(deliveries[waits.delivery_id].channel)
    so_far = f"{waits.joined} so far" if waits.joined > 1 else "alone so far"
    text = f"{NAMES[channel]} waits to be summed up until {waits.flush_at:%Y-%m-%d %H:%M:%S} UTC, {so_far}."
    detail = {"due_at": waits.flush_at, "count": waits.joined}
    return Entry(waits.flush_at, "summary_planned", text, channel, waits.delivery_id, detail)


_PLANS = frozenset({WorkKind.DOUBT, WorkKind.PROOF})


def _words(reason: str) -> str:
    return Reason(reason).sentence if reason else "no reason was recorded."
