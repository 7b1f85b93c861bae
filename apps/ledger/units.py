"""What providers took, in the units that they bill: parts of messages, by account, place and the period of a price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core import ids
from apps.core.rows import atomic, execute, fetch
from apps.ledger.broadcasts import begin_of, end_of

# nothing waits longer between its decision and its last attempt: a week held, a day tried
_LONGEST_WAY = timedelta(days=8)
_ROOM = "SET LOCAL work_mem = '64MB'"


@dataclass(frozen=True, slots=True)
class Units:
    """`period`: how many of the given moments had passed. `broadcast_id`: the campaign run; None: none. `parts` of `messages`."""

    channel: str
    account: str
    place: str
    period: int
    broadcast_id: UUID | None
    messages: int
    parts: int


# a doubt that was cleared up leaves the provider's id; what test keys send is never billed
_TAKEN = "(a.kind = 'accepted' OR a.provider_message_id <> '') AND d.mode <> 'test'"
_PERIOD = "width_bucket(a.started_at, %(changes)s::timestamptz[])"
_OF_RUN = f"""
SELECT d.channel, a.account, d.place, {_PERIOD}, %(broadcast)s::uuid, count(*), sum(a.parts)
FROM ledger_delivery d JOIN ledger_attempt a ON a.delivery_id = d.id
WHERE d.id BETWEEN %(begin)s AND %(end)s AND d.tenant_id = %(tenant)s AND d.variant IS NOT NULL AND {_TAKEN}
GROUP BY 1, 2, 3, 4
"""
_BETWEEN = f"""
SELECT d.channel, a.account, d.place, {_PERIOD}, n.broadcast_id, count(*), sum(a.parts)
FROM ledger_attempt a JOIN ledger_delivery d ON d.id = a.delivery_id JOIN ledger_notification n ON n.id = d.notification_id
WHERE a.id >= %(first)s AND a.id < %(last)s AND d.id >= %(oldest)s AND a.tenant_id = %(tenant)s AND {_TAKEN}
GROUP BY 1, 2, 3, 4, 5
"""
_OF_NOTIFICATION = f"""
SELECT d.channel, a.account, d.place, {_PERIOD}, NULL::uuid, count(*), sum(a.parts)
FROM ledger_delivery d JOIN ledger_attempt a ON a.delivery_id = d.id
WHERE d.notification_id = %(id)s AND d.tenant_id = %(tenant)s AND {_TAKEN}
GROUP BY 1, 2, 3, 4
"""


def units_of_run(*, tenant_id: UUID, run_id: UUID, stamp: int, changes: Sequence[datetime]) -> list[Units]:
    """One range scan of the deliveries' primary key."""
    span = {"begin": begin_of(stamp), "end": end_of(stamp), "broadcast": run_id}
    return _asked(_OF_RUN, {"tenant": tenant_id, "changes": list(changes), **span})


def units_between(*, tenant_id: UUID, first: datetime, last: datetime, changes: Sequence[datetime]) -> list[Units]:
    """Of attempts begun in [first, last): one range scan of their primary key."""
    span = {"first": ids.bound(first), "last": ids.bound(last), "oldest": ids.bound(first - _LONGEST_WAY)}
    return _asked(_BETWEEN, {"tenant": tenant_id, "changes": list(changes), **span})


def units_of_notification(*, tenant_id: UUID, notification_id: UUID, changes: Sequence[datetime]) -> list[Units]:
    return _asked(_OF_NOTIFICATION, {"tenant": tenant_id, "changes": list(changes), "id": notification_id})


def _asked(sql: str, parameters: Mapping[str, Any]) -> list[Units]:
    with atomic():
        execute(_ROOM, {})
        return [Units(*row) for row in fetch(sql, parameters)]
