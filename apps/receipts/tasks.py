"""Celery's doors. The calls are in PostgreSQL; a bell only says that there are some."""

from time import monotonic

from celery import shared_task

from apps.core import clock
from apps.dispatch import bells
from apps.preferences import soft_bounces
from apps.receipts import keeping, services, tracking

QUEUE = "receipts"
SLICE_SECONDS = 20.0
SWEEP_SECONDS = 4.0


@shared_task(name="receipts.apply")
def apply(**_: object) -> None:
    bells.answer(QUEUE)
    _apply(monotonic() + SLICE_SECONDS)


@shared_task(name="receipts.sweep")
def sweep(**_: object) -> None:
    """What lost its bell, what is to be tried again, and what is old."""
    _apply(monotonic() + SWEEP_SECONDS)
    keeping.forget_old()


@shared_task(name="receipts.forget_soft_bounces")
def forget_soft_bounces(**_: object) -> None:
    soft_bounces.forget_old(clock.now())


def _apply(ends: float) -> None:
    """What recipients did comes first, for half of the time at most: a flood of receipts must not starve it."""
    is_done = tracking.apply_tracked(ends=monotonic() + (ends - monotonic()) / 2)
    if not (services.apply_due(ends=ends) and is_done):
        bells.ring(QUEUE)
