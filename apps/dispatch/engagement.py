"""What people do in the feed, told to the ledger."""

from collections.abc import Sequence

from apps.core.types import Engagement, Receipt
from apps.ledger.receipts import record_events


def note_engagement(engagements: Sequence[Engagement]) -> None:
    events = [(e.item_id, Receipt(event_id="", kind=e.kind, at=e.at)) for e in engagements]
    record_events(events, source="recipient")
