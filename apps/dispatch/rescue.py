"""Rescue: leases that ran out. Claimed work went back; a call in flight is in doubt, and the policy says what follows (doubt.py)."""

import logging
from collections.abc import Sequence
from itertools import groupby

from apps.core.enums import DeliveryStatus, OutcomeKind, Reason, WorkKind
from apps.core.rows import atomic
from apps.core.types import Outcome, Work
from apps.dispatch import bells
from apps.dispatch.follow_ups import settle_and_follow
from apps.ledger.flushing import set_aside
from apps.ledger.leases import Lapsed, lapse
from apps.ledger.sending_results import Settlement
from apps.ledger.work import LONE_EXPIRIES

log = logging.getLogger(__name__)
LOST = Outcome(OutcomeKind.AMBIGUOUS, "worker_lost", "The worker died during the call.")


def rescue() -> int:
    """Settles every lapsed lease; the number of items. Any number of rescuers may run at once."""
    total = 0
    while True:
        with atomic():
            lapsed = lapse()
            _set_aside([item.work for item in lapsed if item.work.kind == WorkKind.FLUSH and _is_poison(item.work)])
            settlements = [s for item in lapsed if item.work.kind != WorkKind.FLUSH and (s := _settlement(item))]
            settlements.sort(key=lambda s: s.work.lane)
            for _, lane in groupby(settlements, key=lambda s: s.work.lane):
                settle_and_follow(list(lane))
        if not lapsed:
            return total
        total += len(lapsed)
        log.warning("leases ran out", extra={"count": len(lapsed), "settled": len(settlements)})
        bells.ring(*sorted({item.work.queue for item in lapsed if not item.was_calling}))


def _settlement(item: Lapsed) -> Settlement | None:
    work = item.work
    if item.was_calling:
        return Settlement(
            work,
            attempt_id=item.attempt_id,
            outcome=LOST,
            account=item.account,
            status=DeliveryStatus.UNKNOWN,
            reason=Reason.IN_DOUBT,
        )
    if _is_poison(work):
        context = {"expiries": work.expiries}
        return Settlement(work, status=DeliveryStatus.FAILED, reason=Reason.POISONED, is_dead=True, context=context)
    return None


def _is_poison(work: Work) -> bool:
    return work.expiries > LONE_EXPIRIES


def _set_aside(flushes: Sequence[Work]) -> None:
    """A bundle on whose summing up workers die: its items are for an operator."""
    for lane, works in groupby(sorted(flushes, key=lambda w: w.lane), key=lambda w: w.lane):
        theirs = list(works)
        log.error("flushes set aside", extra={"lane": lane, "ids": [str(w.id) for w in theirs]})
        set_aside(theirs, Reason.POISONED, {"expiries": max(w.expiries for w in theirs)})
