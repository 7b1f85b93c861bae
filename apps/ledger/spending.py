"""Who has got as much as frequency caps allow, for a whole audience at once: an estimate of what `spent` says of each person.

A fragment over alias `r` (audience_recipient). It knows what was sent; not what is on its way, nor everybody's own midnight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core import ids
from apps.core.enums import Channel
from apps.core.types import Cap

_LONGEST_WAY = timedelta(days=8)
_DISTURBING = (Channel.PUSH, Channel.EMAIL, Channel.SMS)


@dataclass(frozen=True, slots=True)
class Spending:
    """`join`: at most one row for each `r`. `is_full`: by cap, true or false. The statement gives `among`: ids, or NULL."""

    join: str
    is_full: Mapping[UUID, str]
    parameters: Mapping[str, Any]


def spending(tenant_id: UUID, caps: Sequence[tuple[Cap, datetime]]) -> Spending:
    """Each cap with the moment since which it counts."""
    if not caps:
        return Spending("", {}, {})
    since = min(begins for _, begins in caps)
    parameters: dict[str, Any] = {
        "spent_tenant": tenant_id,
        "spent_since": since,
        "spent_first": ids.bound(since - _LONGEST_WAY),
    }
    columns, is_full = [], {}
    for place, (cap, begins) in enumerate(caps):
        parameters |= {
            f"spent_begins_{place}": begins,
            f"spent_topic_{place}": cap.topic.removeprefix("category:").removesuffix("*"),
            f"spent_limit_{place}": cap.limit,
            f"spent_channels_{place}": [c.value for c in _DISTURBING] if cap.channel == "*" else [cap.channel],
        }
        columns.append(
            f"count(DISTINCT (d.notification_id, d.channel)) FILTER (WHERE d.sent_at >= %(spent_begins_{place})s"
            f" AND d.channel = ANY(%(spent_channels_{place})s) AND {_topic(cap, place)}) AS number_{place}"
        )
        is_full[cap.id] = f"coalesce(spent.number_{place} >= %(spent_limit_{place})s, FALSE)"
    return Spending(_JOIN.format(columns=", ".join(columns)), is_full, parameters)


_JOIN = """
LEFT JOIN (
    SELECT d.recipient_id, {columns}
    FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
    WHERE d.tenant_id = %(spent_tenant)s AND d.id >= %(spent_first)s AND d.sent_at >= %(spent_since)s
        AND d.category <> 'critical' AND d.mode <> 'test'
        AND (%(among)s::uuid[] IS NULL OR d.recipient_id = ANY(%(among)s::uuid[]))
    GROUP BY d.recipient_id) spent ON spent.recipient_id = r.id"""


def _topic(cap: Cap, place: int) -> str:
    said = f"%(spent_topic_{place})s"
    if cap.topic == "*":
        return f"{said}::text = ''"
    if cap.topic.startswith("category:"):
        return f"d.category = {said}"
    return f"starts_with(n.event_type, {said})" if cap.topic.endswith(".*") else f"n.event_type = {said}"
