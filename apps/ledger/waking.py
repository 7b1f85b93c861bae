"""What was held back until an hour is due now, because other hours hold for its recipient: whoever takes it judges it again."""

from collections.abc import Collection
from uuid import UUID

from apps.core.rows import fetch
from apps.ledger.work import READY

_HELD = """
SELECT category, id FROM ledger_delivery WHERE recipient_id = ANY(%(ids)s) AND reason = 'quiet_hours' AND status = 'held'
"""
_DIGESTS = """
SELECT category, id FROM ledger_bundle
WHERE recipient_id = ANY(%(ids)s) AND closed_at IS NULL AND kind IN ('digest', 'overflow')
"""
# due within the last second, in the order in which it was asked for, as routing.quiet_hours.in_turn has it; a row that somebody else
# has is being judged
_WAKE = f"""
UPDATE ledger_work_item w
SET due_at = now() - interval '1 second' * least(greatest(extract(epoch FROM now() - w.order_at), 0) / 172800, 1)
WHERE w.lane = %(lane)s AND w.id = ANY(ARRAY(
    SELECT id FROM ledger_work_item
    WHERE lane = %(lane)s AND id = ANY(%(ids)s) AND phase = {READY} AND due_at > now() FOR UPDATE SKIP LOCKED))
RETURNING w.queue
"""


def wake_held(recipient_ids: Collection[UUID]) -> set[str]:
    """What waits for the end of their quiet hours. Returns the queues that have due work now.

    One statement, and one more for each lane in which something waits; none for nobody."""
    return _wake(_HELD, recipient_ids)


def wake_digests(recipient_ids: Collection[UUID]) -> set[str]:
    """The flushes of their open digests, which find out when they are due (dispatch.digest_hours). As `wake_held`."""
    return _wake(_DIGESTS, recipient_ids)


def _wake(found: str, recipient_ids: Collection[UUID]) -> set[str]:
    if not recipient_ids:
        return set()
    lanes: dict[str, list[UUID]] = {}
    for lane, id_ in fetch(found, {"ids": list(recipient_ids)}):
        lanes.setdefault(lane, []).append(id_)
    return {queue for lane, ids in lanes.items() for (queue,) in fetch(_WAKE, {"lane": lane, "ids": ids})}
