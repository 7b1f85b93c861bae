"""Bells: a Celery message that says "there is due work in this queue" and carries nothing else.

A bell rings only while none is ringing for its queue, so a flood of work costs a handful of messages. A bell that is lost
costs at most a second: beat rings again. Nothing here may turn committed work into an error.
"""

import logging
from collections.abc import Iterable, Sequence
from time import monotonic

from celery import signature
from django.conf import settings
from kombu.exceptions import OperationalError

from apps.core.redis import RedisError, quick

log = logging.getLogger(__name__)
RINGING_MS = 1_000
QUIET_SECONDS = 5.0
FEW = 10
"""Due items of a queue, of a tenant that has little there; below every batch."""
# queues whose work is not in the ledger have a task of their own
TASKS = {"receipts": "receipts.apply"}

_quiet_until = 0.0


def ring(*queues: str) -> None:
    """For new work: also, and first, where those are looked after who have little in one of the queues. Never raises and never waits long;
    after a failure this process keeps quiet for a few seconds."""
    few = _beside()
    _ring([*(few[queue] for queue in queues if queue in few), *queues])


def beside(queue: str) -> str:
    """Where those are looked after who have little in a queue of the ledger."""
    return _beside()[queue]


def ring_on(*queues: str) -> None:
    """For work of somebody who has much of it, new or left."""
    _ring(queues)


def _ring(queues: Sequence[str]) -> None:
    global _quiet_until
    if monotonic() < _quiet_until:
        return
    try:
        for queue in _silent(queues):
            task = TASKS.get(queue, "dispatch.drain")
            signature(task, kwargs={"queue": queue}).apply_async(queue=queue, retry=False, ignore_result=True)
    except (RedisError, OperationalError, OSError) as error:
        _quiet_until = monotonic() + QUIET_SECONDS
        log.warning("bell not rung", extra={"queues": list(queues), "error": type(error).__name__})


def answer(queue: str) -> None:
    """The worker that heard the bell stills it before it looks, so that work arriving from now on rings again."""
    try:
        quick().delete(_key(queue))
    except RedisError:
        log.warning("bell not stilled", extra={"queue": queue})


def is_reachable() -> bool:
    """Asks for a write: a Redis that is full answers pings, but takes no bell."""
    try:
        return bool(quick().set(_key("probe"), 1, px=RINGING_MS))
    except RedisError:
        return False


def _beside() -> dict[str, str]:
    return {work_queue: few for few, work_queue in settings.QUEUES_BESIDE.items()}


def _silent(queues: Iterable[str]) -> list[str]:
    """Those whose bell was silent; it rings from now on."""
    wanted = list(dict.fromkeys(queues))
    with quick().pipeline(transaction=False) as pipe:
        for queue in wanted:
            pipe.set(_key(queue), 1, nx=True, px=RINGING_MS)
        return [queue for queue, was_silent in zip(wanted, pipe.execute(), strict=True) if was_silent]


def _key(queue: str) -> str:
    return f"bell:{queue}"
