"""Celery's doors. What is to be done is in PostgreSQL; a bell only says that it may be time."""

from time import monotonic

from celery import shared_task

from apps.campaigns import running, tallying, winning
from apps.core import clock
from apps.dispatch import bells

SLICE_SECONDS = 20.0


@shared_task(name="campaigns.run")
def run(**_: object) -> None:
    bells.answer(running.QUEUE)
    running.run_due(ends=monotonic() + SLICE_SECONDS)


@shared_task(name="campaigns.tally")
def tally(**_: object) -> None:
    tallying.tally_due(clock.now())
    winning.choose_due(clock.now())
