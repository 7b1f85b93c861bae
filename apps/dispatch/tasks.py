"""Celery's doors. A task carries a queue's name at most; the work is in PostgreSQL."""

from typing import Any

from celery import shared_task
from celery.signals import celeryd_after_setup
from django.conf import settings

from apps.core import clock
from apps.dispatch import bells, draining, polling, rollouts, signs_of_life
from apps.dispatch import rescue as rescuing
from apps.ledger import work
from apps.preferences import reserving


@shared_task(name="dispatch.drain")
def drain(*, queue: str, **_: object) -> None:
    bells.answer(queue)
    draining.drain(queue)


@shared_task(name="dispatch.tick")
def tick(**_: object) -> None:
    """Rings every queue that has due work: planned sends, retries, and whatever lost its bell."""
    queues = work.due_queues(settings.WORK_QUEUES)
    if queues:
        bells.ring(*queues)


@shared_task(name="dispatch.rescue")
def rescue(**_: object) -> None:
    rescuing.rescue()


@shared_task(name="dispatch.watch_rollouts")
def watch_rollouts(**_: object) -> None:
    rollouts.watch(clock.now())


@shared_task(name="dispatch.forget_places")
def forget_places(**_: object) -> None:
    reserving.sweep(clock.now())


@celeryd_after_setup.connect
def start_polling(instance: Any = None, **_: object) -> None:
    """Each worker process can do without bells (polling.py), and says that it is there."""
    polled = {*settings.WORK_QUEUES, *settings.QUEUES_BESIDE, *bells.TASKS}
    served = list(instance.app.amqp.queues.consume_from)
    polling.start([queue for queue in served if queue in polled])
    signs_of_life.start(served)
