"""Without Redis there are no bells: then a thread of each worker process looks into PostgreSQL by itself.

It also rescues then: the clockwork's messages do not arrive either.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from time import sleep

from celery import current_app
from django.db import close_old_connections

from apps.dispatch import bells
from apps.dispatch.draining import drain
from apps.dispatch.rescue import rescue

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
POLL_SECONDS = 0.25
RESCUE = "rescue"


def start(queues: Sequence[str]) -> None:
    if queues:
        Thread(target=_watch, args=(queues,), name="poll", daemon=True).start()


def _watch(queues: Sequence[str]) -> None:
    running: dict[str, Future[None]] = {}
    was_reachable = True
    with ThreadPoolExecutor(len(queues) + 1, thread_name_prefix="poll") as pool:
        while True:
            sleep(LOOK_SECONDS if was_reachable else POLL_SECONDS)
            is_reachable = bells.is_reachable()
            if is_reachable != was_reachable:
                log.warning("bells are back" if is_reachable else "no bells: polling")
                was_reachable = is_reachable
            if not is_reachable:
                for queue in (*queues, RESCUE):
                    if queue not in running or running[queue].done():
                        running[queue] = pool.submit(_poll, queue)


def _poll(queue: str) -> None:
    try:
        _look(queue)
    except Exception as error:
        log.error("poll failed", extra={"queue": queue}, exc_info=error)
    finally:
        close_old_connections()


def _look(queue: str) -> None:
    if queue == RESCUE:
        rescue()
    elif queue in bells.TASKS:
        current_app.tasks[bells.TASKS[queue]](queue=queue)
    else:
        drain(queue)
