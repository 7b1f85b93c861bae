"""One notification as its page tells it: a sentence, facts, a card per delivery, a line per moment. No content, no address in clear."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audience import profiles
from apps.core import grounds, ids
from apps.core.admin_bases import TONES
from apps.core.enums import Channel
from apps.core.enums import DeliveryStatus as D
from apps.core.enums import NotificationStatus as N
from apps.ledger.admin.looks import channel_name, delta, icon, line_tone, place, words
from apps.ledger.lifecycle import RETRYABLE
from apps.ledger.models import DeadLetter, Delivery, Notification
from apps.ledger.selectors import NotificationSummary
from apps.ledger.timeline import Entry, timeline

_MOMENTS = ("sent", "delivered", "seen", "read", "opened", "clicked", "complained", "unsubscribed")
_OPEN = frozenset({N.SCHEDULED, N.QUEUED, N.HELD})


@dataclass(frozen=True, slots=True)
class Card:
    """A delivery. `facts`: what it is called, and its value."""

    anchor: str
    icon: str
    name: str
    status: str
    tone: str
    reason: str
    facts: list[tuple[str, object]]
    dead_letter: UUID | None


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime
    delta: str
    icon: str
    tone: str
    text: str
    detail: list[tuple[str, object]]
    begins_day: bool


@dataclass(frozen=True, slots=True)
class Story:
    sentence: str
    tone: str
    cards: list[Card]
    lines: list[Line]
    may_cancel: bool
    may_retry: bool
    is_in_doubt: bool


def story(row: Notification, summary: NotificationSummary) -> Story:
    """Ten queries: the deliveries, their endpoints, open dead letters, and the timeline's seven."""
    rows = Delivery.objects.of(row.tenant_id).filter(notification_id=row.id).order_by("id")
    deliveries = sorted(rows, key=lambda delivery: place(delivery.channel))
    endpoints = profiles.endpoint_answers(row.tenant_id, [d.endpoint_id for d in deliveries if d.endpoint_id])
    letters = dict(
        DeadLetter.objects.of(row.tenant_id)
        .filter(notification_id=row.id, resolved_at=None)
        .values_list("delivery_id", "id")
    )
    entries = timeline(tenant_id=row.tenant_id, notification_id=row.id)
    statuses = {shown.id: shown.status for shown in summary.deliveries}
    return Story(
        sentence=sentence(summary),
        tone=TONES.get(summary.status, ""),
        cards=[
            _card(
                d,
                statuses[d.id],
                endpoints[d.endpoint_id].address if d.endpoint_id in endpoints else "",
                entries,
                letters,
            )
            for d in deliveries
        ],
        lines=_lines(entries, row.created_at),
        may_cancel=summary.status in _OPEN,
        may_retry=bool(set(statuses.values()) & RETRYABLE) or None in letters,
        is_in_doubt=D.UNKNOWN in statuses.values(),
    )


def sentence(summary: NotificationSummary) -> str:
    """What became of it, in one plain sentence."""
    by_status: dict[D, list[str]] = {}
    for delivery in sorted(summary.deliveries, key=lambda delivery: place(delivery.channel)):
        by_status.setdefault(delivery.status, []).append(channel_name(delivery.channel))
    reasons = {words(delivery.reason) for delivery in summary.deliveries if delivery.reason}
    because = f" {min(reasons)}" if len(reasons) == 1 else " The channels say why." if reasons else ""
    match summary.status:
        case N.DELIVERED:
            return f"It arrived by {_named(by_status[D.DELIVERED])}."
        case N.SENT:
            return f"Handed over by {_named(by_status[D.SENT])}; there is no proof of arrival yet."
        case N.SCHEDULED if summary.due_at is not None:
            return f"Waits for {summary.due_at:%d %b %Y %H:%M:%S} UTC."
        case N.SKIPPED | N.FAILED | N.BOUNCED | N.EXPIRED | N.HELD | N.UNKNOWN:
            return f"{summary.status.sentence}{because}"
        case _:
            return summary.status.sentence


def _named(names: Sequence[str]) -> str:
    """Push has one delivery a device: named once."""
    *first, last = dict.fromkeys(name if name == "SMS" else name.lower() for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def _card(d: Delivery, status: D, masked: str, entries: Sequence[Entry], letters: dict[UUID | None, UUID]) -> Card:
    attempts = sum(entry.kind == "attempt" and entry.delivery_id == d.id for entry in entries)
    facts: list[tuple[str, object]] = [("To", masked), ("Through", d.account), ("Attempts", attempts)]
    facts += [("Provider's id", d.provider_message_id)]
    facts += [(f"{name.title()}", getattr(d, f"{name}_at")) for name in _MOMENTS]
    facts += [("Twice?", "It may have arrived twice: it was sent again in doubt." if d.duplicate_possible else "")]
    facts += [("Overridden", words(d.bypassed)), ("Delivery", ids.show(ids.DELIVERY, d.id))]
    return Card(
        anchor=ids.show(ids.DELIVERY, d.id),
        icon=icon(d.channel),
        name=channel_name(d.channel),
        status=status.value,
        tone=TONES.get(status, ""),
        reason=_why(d, status),
        facts=[(name, value) for name, value in facts if value],
        dead_letter=letters.get(d.id),
    )


def _why(d: Delivery, status: D) -> str:
    if d.reason:
        return grounds.sentence(d.because or {}, d.reason)
    is_in_feed = d.channel == Channel.IN_APP and status == D.DELIVERED
    return "It is in the recipient's feed." if is_in_feed else status.sentence


def _lines(entries: Sequence[Entry], accepted: datetime) -> list[Line]:
    days = [entry.at.date() for entry in entries]
    return [
        Line(
            at=entry.at,
            delta=delta((entry.at - accepted).total_seconds()),
            icon=icon(entry.channel),
            tone=line_tone(entry.kind),
            text=entry.text,
            detail=_detail(entry),
            begins_day=place == 0 or days[place] != days[place - 1],
        )
        for place, entry in enumerate(entries)
    ]


def _detail(entry: Entry) -> list[tuple[str, Any]]:
    found = [(name.replace("_", " "), value) for name, value in entry.detail.items() if value not in ("", None, {}, [])]
    return found + ([("delivery", ids.show(ids.DELIVERY, entry.delivery_id))] if entry.delivery_id else [])
