"""The loop of a worker: fire what is due, prepare new runs, write pages, see what has ended."""

import logging
from time import monotonic, sleep

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction

from apps.campaigns import launching
from apps.campaigns.expanding import Page, expand_next
from apps.campaigns.firing import fire_next
from apps.campaigns.models import Run
from apps.campaigns.preparing import freeze_next, prepare_next
from apps.campaigns.settling import settle_all
from apps.core import clock
from apps.core.enums import Category
from apps.core.problems import Problem
from apps.dispatch import bells
from apps.dispatch.ringer import ringer
from apps.dispatch.shares import shares
from apps.ledger import broadcasts

log = logging.getLogger(__name__)
QUEUE = launching.QUEUE
AHEAD = 20_000
"""Pages wait while so much of their lane is due: what is written long before it is sent is judged on old facts, and has to be put on hold
by a pause."""
MOMENT = 0.1


def run_due(*, ends: float) -> int:
    """Works until nothing is due, or until `ends` (monotonic seconds); the number of pages."""
    if not shares.enter(QUEUE, settings.QUEUE_SHARES[QUEUE]):
        return 0
    pages = 0
    try:
        while monotonic() < ends:
            close_old_connections()
            begun = begin_due()
            page = None if is_far_ahead() else expand_next(clock.now())
            if page is None:
                if begun:
                    continue
                settle_all(clock.now())
                return pages
            pages += 1
            follow(page)
            if not page.people:
                sleep(MOMENT)
        bells.ring(QUEUE)
        return pages
    except (OperationalError, InterfaceError) as error:
        log.warning("database away while running campaigns", extra={"error": type(error).__name__})
        return pages
    finally:
        if shares.leave(QUEUE):
            bells.ring(QUEUE)


def begin_due() -> bool:
    """Whether a campaign was fired or a run prepared."""
    begun = False
    while freeze_next(clock.now()):
        begun = True
    while fire_next(clock.now()):
        begun = True
    while prepare_next(clock.now()):
        begun = True
    return begun


def follow(page: Page) -> None:
    """After a page is committed: the senders are rung; a run whose budget is used up waits for somebody."""
    if page.queues:
        ask = ringer.ask if page.people <= bells.FEW else ringer.ask_on
        ask(*sorted(page.queues))
    if page.sentence:
        run = Run.objects.all_tenants().get(id=page.run_id)
        try:
            launching.pause(
                campaign_id=run.campaign_id, tenant_id=run.tenant_id, by="budget", reason="budget", detail=page.sentence
            )
        except Problem:
            log.info("run had ended when its budget was used up", extra={"run": str(run.id)})


def is_far_ahead() -> bool:
    with transaction.atomic():
        return broadcasts.backlog(lane=Category.MARKETING, most=AHEAD) >= AHEAD
