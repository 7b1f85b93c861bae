"""Celery's doors. When what fires is in PostgreSQL; a bell only says that it may be time."""

from time import monotonic

from celery import shared_task

from apps.core import clock
from apps.dispatch import bells
from apps.schedules import firing, keeping

SLICE_SECONDS = 20.0


@shared_task(name="schedules.fire")
def fire(**_: object) -> None:
    bells.answer(firing.QUEUE)
    firing.fire_due(ends=monotonic() + SLICE_SECONDS)


@shared_task(name="schedules.forget_old")
def forget_old(**_: object) -> None:
    keeping.forget_old(clock.now())
