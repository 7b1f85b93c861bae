"""Celery's doors. The calls are in PostgreSQL; a bell only says that there are some."""

from time import monotonic

from celery import shared_task

from apps.dispatch import bells
from apps.receipts import services

QUEUE = "receipts"
SLICE_SECONDS = 20.0
SWEEP_SECONDS = 4.0


@shared_task(name="receipts.apply")
def apply(**_: object) -> None:
    bells.answer(QUEUE)
    if not services.apply_due(ends=monotonic() + SLICE_SECONDS):
        bells.ring(QUEUE)


@shared_task(name="receipts.sweep")
def sweep(**_: object) -> None:
    """What lost its bell, what is to be tried again, and what is old."""
    if not services.apply_due(ends=monotonic() + SWEEP_SECONDS):
        bells.ring(QUEUE)
    services.forget_old()
