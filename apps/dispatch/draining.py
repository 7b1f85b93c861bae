"""Drain a queue: claim, work, repeat until nothing is due or the time slice is used; then ring again if work may be left."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from time import monotonic, sleep

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

from apps.core.enums import DeliveryStatus, Reason, WorkKind
from apps.core.types import Work
from apps.dispatch import bells
from apps.dispatch.fallback import judge_proofs
from apps.dispatch.flushing import flush_bundles
from apps.dispatch.follow_ups import settle_and_follow
from apps.dispatch.resolving import resolve_doubts
from apps.dispatch.route_batch import route_batch
from apps.dispatch.send_batch import send_batch
from apps.dispatch.shares import shares
from apps.ledger import leases, sending_results, work
from apps.ledger.flushing import set_aside
from apps.tenants import selectors as tenants

log = logging.getLogger(__name__)
SLICE_SECONDS = 20.0
AFTER_A_FAULT = timedelta(seconds=2)
BATCH = {"critical": 20}
BATCH_DEFAULT = 500
# a message waits for the batch before it, which may be somebody else's: where several tenants have work, batches are small
BATCH_SHARED, SHARED_TURNS = 50, 20
LOUD = 0.75
"""The share of a batch from which on it is one tenant's."""
LOOK_SECONDS = 0.01
ONLY = work.Little(bells.FEW, only=True)
# in the batch of somebody who has much they wait for it: they are left to those who look for them, and who may be away
LEFT = work.Little(bells.FEW, left_for=timedelta(seconds=0.25))

Tell = Callable[[Sequence[Work], Sequence[str]], None]
"""Takes work that was routed, and the queues that what became of it waits in."""


def drain(queue: str) -> int:
    """Handles what is due in the queue; the number of items. Of a queue beside another: what tenants have due there who have little; who
    routed that sends it too. Returns at once when the queue's share of this process is used."""
    if not shares.enter(queue, settings.QUEUE_SHARES[queue]):
        return 0
    handled, work_queue, filled = 0, settings.QUEUES_BESIDE.get(queue), set[str]()
    try:
        for count in _few(queue, work_queue, filled) if work_queue else _all(queue):
            handled += count
    except (OperationalError, InterfaceError) as error:
        log.warning("database away while draining", extra={"queue": queue, "error": type(error).__name__})
    finally:
        if shares.leave(queue):
            bells.ring_on(queue)
    return handled + _go_on(sorted(filled))


def _all(queue: str) -> Iterator[int]:
    """In turns, one lone item if there is one, then one batch."""
    ends, small = monotonic() + SLICE_SECONDS, SHARED_TURNS
    while True:
        close_old_connections()
        count = _lone(queue, ends)
        batch = _claimed(queue, BATCH_SHARED if small else BATCH_DEFAULT, LEFT)
        count += _handle(queue, batch, ends, _ring_for)
        if not count:
            return
        yield count
        small = SHARED_TURNS if len({w.tenant_id for w in batch}) > 1 else max(0, small - 1)
        if monotonic() > ends:
            bells.ring_on(queue)
            return


def _few(queue: str, work_queue: str, filled: set[str]) -> Iterator[int]:
    """Until something is `filled`. Who finds nothing waits for a moment and looks again if a bell rang meanwhile: those of a flood cost few
    looks."""
    ends = monotonic() + SLICE_SECONDS
    while monotonic() < ends and not filled:
        if batch := _claimed(work_queue, BATCH_SHARED, ONLY):
            yield _handle(work_queue, batch, ends, lambda _, queues: filled.update(queues))
            continue
        sleep(LOOK_SECONDS)
        if not shares.was_knocked(queue):
            return
        close_old_connections()


def _go_on(filled: Sequence[str]) -> int:
    """Without a bell, which takes a third of the time that a lone message takes. Nobody waits for the provider of another channel."""
    if not filled:
        return 0
    *others, mine = filled
    if others:
        bells.ring(*others)
    handled = drain(bells.beside(mine))
    if not handled:
        bells.ring_on(mine)
    return handled


def _ring_for(works: Sequence[Work], queues: Sequence[str]) -> None:
    has_few = min(Counter(w.tenant_id for w in works).values()) <= bells.FEW
    ring = bells.ring if has_few else bells.ring_on
    ring(*queues)


def _lone(queue: str, ends: float) -> int:
    lone = work.claim_lone(queue=queue, lease=_lease())
    return _handle(queue, lone, ends, _ring_for) if lone else 0


def _claimed(queue: str, most: int, little: work.Little) -> list[Work]:
    limit = BATCH.get(queue.split(".")[1], most)
    weights = {tenant.id: tenant.weight for tenant in tenants.tenants().values() if tenant.weight != 1}
    batch = work.claim(queue=queue, limit=limit, lease=_lease(), weights=weights, little=little)
    if len(batch) == limit:
        bells.ring_on(queue)
    return batch


def _lease() -> timedelta:
    return timedelta(seconds=settings.LEASE_SECONDS)


def _handle(queue: str, batch: Sequence[Work], ends: float, tell: Tell) -> int:
    for part in _parted(batch):
        if part:
            _work_on(queue, part, ends, tell)
    leases.close(batch)
    return len(batch)


def _parted(batch: Sequence[Work]) -> tuple[list[Work], list[Work]]:
    """Where most is one tenant's, the others first: they do not wait while dozens of its messages are rendered."""
    of_tenants = Counter(w.tenant_id for w in batch)
    loudest, count = of_tenants.most_common(1)[0] if batch else (None, 0)
    if count < LOUD * len(batch):
        return [], list(batch)
    return [w for w in batch if w.tenant_id != loudest], [w for w in batch if w.tenant_id == loudest]


def _work_on(queue: str, works: Sequence[Work], ends: float, tell: Tell) -> None:
    def route(theirs: Sequence[Work], ends: float) -> None:
        if queues := route_batch(theirs, ends):
            tell(theirs, queues)

    for handle, kinds in (
        (route, (WorkKind.ROUTE, WorkKind.FALLBACK)),
        (send_batch, (WorkKind.SEND,)),
        (judge_proofs, (WorkKind.PROOF,)),
        (flush_bundles, (WorkKind.FLUSH,)),
        (resolve_doubts, (WorkKind.DOUBT, WorkKind.RESEND)),
    ):
        theirs = [w for w in works if w.kind in kinds]
        try:
            if theirs:
                handle(theirs, ends)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.error("batch failed", extra={"queue": queue, "ids": [str(w.id) for w in theirs[:20]]}, exc_info=error)
            _set_back(theirs, error)


def _set_back(works: Sequence[Work], error: Exception) -> None:
    """A bug in the middle of a batch: everybody comes back alone; who fails alone too often is set aside."""
    lost = [w for w in works if w.expiries >= work.LONE_EXPIRIES]
    kept = [w for w in works if w.expiries < work.LONE_EXPIRIES]
    if kept:
        work.release(lane=kept[0].lane.value, works=kept, delay=AFTER_A_FAULT, mark=True)
    context = {"error": type(error).__name__}
    set_aside([w for w in lost if w.kind == WorkKind.FLUSH], Reason.INTERNAL_ERROR, context)
    settle_and_follow(
        [
            sending_results.Settlement(
                work=w,
                status=DeliveryStatus.FAILED,
                reason=Reason.INTERNAL_ERROR,
                is_dead=True,
                context=context,
            )
            for w in lost
            if w.kind != WorkKind.FLUSH
        ]
    )
