"""Celery's doors. What is to do is in PostgreSQL; a message only says that it may be time."""

from time import monotonic

from celery import shared_task

from apps.audience.imports import keeping, services, working
from apps.core import clock

SLICE_SECONDS = 20.0


@shared_task(name="audience.work_imports")
def work_imports(**_: object) -> None:
    if working.work(ends=monotonic() + SLICE_SECONDS):
        services.wake()


@shared_task(name="audience.forget_imports")
def forget_imports(**_: object) -> None:
    keeping.forget_old(clock.now())
