"""What a worker does with imports: claim one, check it or write it, page by page, until it ends or is no longer ours."""

import logging
from threading import Thread
from time import monotonic

from django.db import transaction

from apps.audience import models
from apps.audience.imports import claiming, staging
from apps.audience.imports.checking import LeaseLost, check
from apps.audience.imports.claiming import Claim
from apps.audience.imports.discarding import drop_contents
from apps.audience.imports.lanes import Lane, Pace
from apps.audience.imports.rows import LANES, keys_at_hand
from apps.audience.imports.writing import open_lanes
from apps.core import clock, ids
from apps.core.rows import execute

log = logging.getLogger(__name__)

_ANEW = """
UPDATE audience_import SET state = 'checking', may_run = true, checked = 0
WHERE id = %(id)s AND lease_token = %(token)s AND state = 'running'
"""
_FINISH = """
UPDATE audience_import i SET state = 'finished', finished_at = %(now)s, lease_until = NULL, written = i.lines, updated_at = %(now)s,
    refused = i.refused + (SELECT coalesce(sum(refused), 0) FROM audience_importlane WHERE import_id = i.id)
WHERE id = %(id)s AND lease_token = %(token)s AND state = 'running'
"""
# statistics, and the plans that other connections keep, may be from before a million people came
_ANALYSE = "ANALYZE (SKIP_LOCKED) audience_recipient, audience_endpoint, audience_segmentmember"


def work(*, ends: float, threads: bool = True) -> bool:
    """Until `ends` (monotonic) or until nothing is to do. True when something may be left.

    `threads`: each lane in a thread of its own, which takes a connection of its own.
    """
    while monotonic() < ends:
        mine = claiming.claim()
        if mine is None:
            return False
        try:
            _go_on(mine, ends, threads)
        except LeaseLost:
            log.info("import %s is somebody else's, or was stopped", ids.show(ids.IMPORT, mine.import_id))
    return True


def _go_on(mine: Claim, ends: float, threads: bool) -> None:
    if mine.state == "checking":
        check(mine, threads=threads)
    row = models.Import.objects.of(mine.tenant_id).filter(id=mine.import_id).first()
    if row is None or row.state != "running" or row.lease_token != mine.token:
        return
    if row.keys != keys_at_hand() or not staging.is_complete(mine.import_id, row.rows - row.refused):
        execute(_ANEW, {"id": mine.import_id, "token": mine.token})
        claiming.release(mine)
        return
    open_lanes(mine.tenant_id, mine.import_id)
    names = frozenset(name for name in ("email", "phone") if name in row.mapping.values())
    if _write(mine, names, ends, threads):
        _finish(mine)
    else:
        claiming.sum_up(mine.import_id)
        claiming.release(mine)


def _write(mine: Claim, names: frozenset[str], ends: float, threads: bool) -> bool:
    """True when every lane is done. Raises LeaseLost, and what a lane raised."""
    pace = Pace(monotonic())
    lanes = [Lane(mine, number, names, ends, pace) for number in range(LANES)]
    others = [Thread(target=lane.run_apart, name=f"import-lane-{lane.number}") for lane in lanes[1:]] if threads else []
    for other in others:
        other.start()
    for lane in lanes[:1] if threads else lanes:
        lane.run()
    for other in others:
        other.join()
    for lane in lanes:
        if lane.error is not None:
            raise lane.error
    return all(lane.is_done for lane in lanes)


def _finish(mine: Claim) -> None:
    with transaction.atomic():
        claiming.sum_up(mine.import_id)
        if not execute(_FINISH, {"id": mine.import_id, "token": mine.token, "now": clock.now()}):
            return
        drop_contents(mine.tenant_id, mine.import_id)
    execute(_ANALYSE, {})
