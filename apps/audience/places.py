"""Where the people of a condition would be reached, as prices see it: counted without opening an address."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.audience.segments.asking import TookTooLong, ask_within
from apps.audience.segments.compiling import Condition
from apps.core.enums import Channel

# a mask keeps the country of a number (+49*****12); devices count each, mailboxes and numbers once for a person
_COUNT = """
SELECT e.channel, CASE WHEN e.kind = 'phone' THEN split_part(e.masked, '*', 1) ELSE '' END,
    CASE WHEN e.channel = 'push' THEN count(*) ELSE count(DISTINCT e.recipient_id) END
FROM audience_endpoint e JOIN audience_recipient r ON r.id = e.recipient_id
WHERE r.tenant_id = %(tenant)s AND e.channel = ANY(%(channels)s) AND e.verified_at IS NOT NULL AND e.retired_at IS NULL
    AND {condition} {some}
GROUP BY e.channel, 2
"""
# the same part of everybody, whoever asks
_SOME = "AND (uuid_hash(r.id) & 1023) < 32"
_TIMES = 32


def reachable_by_place(
    tenant_id: UUID, condition: Condition, channels: Sequence[Channel], *, within_ms: int
) -> tuple[dict[tuple[Channel, str], int], bool]:
    """Messages by channel and place (`+49`; empty but for numbers), and whether that is exact; else a 32nd of the people stands for
    all, and where even that takes too long there is nothing. In-app reaches everybody, and is not counted here."""
    wanted = [channel.value for channel in channels if channel is not Channel.IN_APP]
    parameters: dict[str, Any] = {"tenant": tenant_id, "channels": wanted, **condition.parameters}
    if not wanted:
        return {}, True
    try:
        rows = ask_within(_COUNT.format(condition=condition.sql, some=""), parameters, within_ms)
        return {(Channel(channel), place): number for channel, place, number in rows}, True
    except TookTooLong:
        pass
    try:
        rows = ask_within(_COUNT.format(condition=condition.sql, some=_SOME), parameters, within_ms)
    except TookTooLong:
        rows = []
    return {(Channel(channel), place): number * _TIMES for channel, place, number in rows}, False
