"""For how long: events and attempts go after pacing.KEPT, those of a person who is forgotten at once."""

from datetime import datetime
from uuid import UUID

from apps.core import ids
from apps.core.rows import execute
from apps.webhooks.pacing import KEPT

AT_ONCE = 2_000
# calls first: an event with a call cannot go
_OLD = {"webhooks_webhookcall": "event_id", "webhooks_webhookattempt": "id", "webhooks_webhookevent": "id"}
_FORGET = """
DELETE FROM {table} WHERE id = ANY(ARRAY(SELECT id FROM {table} WHERE {column} < %(before)s ORDER BY {column} LIMIT %(most)s))
"""


def forget_old(now: datetime) -> int:
    """A batch a statement, each by itself. How many rows."""
    total = 0
    for table, column in _OLD.items():
        while count := execute(
            _FORGET.format(table=table, column=column), {"before": ids.bound(now - KEPT), "most": AT_ONCE}
        ):
            total += count
    return total


def forget_person(tenant_id: UUID, recipient_id: UUID) -> None:
    """What was told of them, and what was still to be told, in the transaction that forgets them."""
    events = "SELECT id FROM webhooks_webhookevent WHERE tenant_id = %(tenant)s AND recipient_id = %(person)s"
    parameters = {"tenant": tenant_id, "person": recipient_id}
    execute(f"DELETE FROM webhooks_webhookcall WHERE event_id IN ({events})", parameters)
    execute(f"DELETE FROM webhooks_webhookevent WHERE id IN ({events})", parameters)
