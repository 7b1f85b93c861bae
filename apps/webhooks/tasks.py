"""Celery's doors. What is to be told is in PostgreSQL; a bell only says that there is some."""

from time import monotonic

from celery import shared_task

from apps.core import clock
from apps.dispatch import bells
from apps.webhooks import keeping
from apps.webhooks.pacing import QUEUE
from apps.webhooks.sending import sender

SLICE_SECONDS = 20.0


@shared_task(name="webhooks.send")
def send(**_: object) -> None:
    bells.answer(QUEUE)
    sender.run(ends=monotonic() + SLICE_SECONDS)


@shared_task(name="webhooks.forget_old")
def forget_old(**_: object) -> None:
    keeping.forget_old(clock.now())
