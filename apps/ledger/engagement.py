"""What recipients did with messages outside of our feed, written: once per delivery, kind and mark, however often it is told."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from apps.core import crypto
from apps.core.enums import MACHINE, Channel, EventKind
from apps.core.rows import fetch
from apps.core.types import Receipt
from apps.ledger.receipts import REMEMBERED, Applied, apply_to_deliveries
from apps.ledger.routing_results import claim_keys

# nobody opens a mail before it can be there: what asks sooner scans it
TOO_SOON = timedelta(seconds=5)


class NewEngagement(NamedTuple):
    """`recipient_id`: who says so, where that must be the delivery's own. `mark`: which link, `target`: where it
    leads. `code`: MACHINE or empty."""

    id: UUID
    delivery_id: UUID
    recipient_id: UUID | None
    kind: str
    at: datetime
    source: str
    mark: str
    code: str
    target: str = ""


def record_engagements(events: Sequence[NewEngagement]) -> list[Applied]:
    """In the caller's transaction, with a fixed number of statements. Deliveries that are gone or another's are left out."""
    if not events:
        return []
    deliveries = {
        row[0]: row
        for row in fetch(
            "SELECT id, recipient_id, channel, sent_at FROM ledger_delivery WHERE id = ANY(%(ids)s)",
            {"ids": list({event.delivery_id for event in events})},
        )
    }
    found = [
        event._replace(code=_code(event, *deliveries[event.delivery_id][2:]))
        for event in events
        if event.delivery_id in deliveries and event.recipient_id in {None, deliveries[event.delivery_id][1]}
    ]
    first: dict[bytes, NewEngagement] = {}
    for event in found:
        first.setdefault(_key(event), event)
    seen = claim_keys({key: (event.delivery_id, REMEMBERED) for key, event in first.items()})
    fresh = [event for key, event in first.items() if key not in seen]
    return apply_to_deliveries([_receipt(event) for event in sorted(fresh, key=lambda event: event.at)])


def _code(event: NewEngagement, channel: str, sent_at: datetime | None) -> str:
    is_guessed = event.kind in (EventKind.OPENED, EventKind.CLICKED)
    if is_guessed and channel == Channel.EMAIL and (sent_at is None or event.at - sent_at < TOO_SOON):
        return MACHINE
    return event.code


def _key(event: NewEngagement) -> bytes:
    said = (event.kind, event.mark, event.code)
    return crypto.fingerprint(b"engagement", event.delivery_id.bytes, *(text.encode() for text in said))


def _receipt(event: NewEngagement) -> tuple[str, Receipt, UUID]:
    detail = f"{event.mark} {event.target}".strip()
    said = Receipt(event_id="", kind=EventKind(event.kind), at=event.at, code=event.code, detail=detail)
    return event.source, said, event.delivery_id
