"""What recipients did, stored with one INSERT at the door and written into the ledger by workers, in batches."""

import logging
from collections.abc import Sequence
from time import monotonic

from django.db import InterfaceError, OperationalError, transaction
from psycopg.errors import DeadlockDetected

from apps.core.rows import fetch
from apps.ledger.engagement import NewEngagement, record_engagements
from apps.receipts import follow_ups
from apps.receipts.models import TrackedEvent

log = logging.getLogger(__name__)
BATCH = 2_000
# who says so: a mail's link or pixel, or the recipient's own app
SOURCE, APP = "mail", "recipient"
_TAKE = """
DELETE FROM receipts_tracked_event WHERE id = ANY(ARRAY(
    SELECT id FROM receipts_tracked_event ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED))
RETURNING id, delivery_id, recipient_id, kind, at, source, mark, code, target
"""


def store_tracked(events: Sequence[TrackedEvent]) -> None:
    """One INSERT."""
    TrackedEvent.objects.bulk_create(events)


def apply_tracked(*, ends: float) -> bool:
    """Until nothing is left, or until `ends` (monotonic seconds); whether it got to the end. Raises as services.apply_due does."""
    while monotonic() < ends:
        try:
            with transaction.atomic():
                events = sorted(NewEngagement(*row) for row in fetch(_TAKE, {"most": BATCH}))
                _record(events)
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
            continue
        if len(events) < BATCH:
            return True
    return False


def _record(events: Sequence[NewEngagement]) -> None:
    """In one step, or else one by one: what cannot be written then is a fault of ours, and is said and left out."""
    try:
        with transaction.atomic():
            follow_ups.act_on(record_engagements(events))
        return
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.info("tracked events applied one by one", extra={"events": len(events), "error": type(error).__name__})
    for event in events:
        try:
            with transaction.atomic():
                follow_ups.act_on(record_engagements([event]))
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.error("tracked event lost", extra={"delivery": str(event.delivery_id)}, exc_info=error)
