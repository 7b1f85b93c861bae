"""Celery's doors. What is to be done is in PostgreSQL; a bell only says that it may be time."""

from time import monotonic

from celery import shared_task

from apps.campaigns import running
from apps.dispatch import bells

SLICE_SECONDS = 20.0


@shared_task(name="campaigns.run")
def run(**_: object) -> None:
    bells.answer(running.QUEUE)
    running.run_due(ends=monotonic() + SLICE_SECONDS)
