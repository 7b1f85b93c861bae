"""Each worker process says every few seconds which queues it serves, so that the doctor can tell which nobody does."""

import logging
from collections.abc import Iterable, Sequence
from threading import Thread
from time import sleep
from typing import Any

from apps.core.redis import RedisError, quick

log = logging.getLogger(__name__)
EVERY_SECONDS = 5.0
BELIEVED_SECONDS = 20


def start(queues: Sequence[str]) -> None:
    Thread(target=_say, args=(tuple(queues),), name="signs-of-life", daemon=True).start()


def say(queues: Iterable[str]) -> None:
    """Raises RedisError."""
    with quick().pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.set(_key(queue), 1, ex=BELIEVED_SECONDS)
        pipe.execute()


def served(queues: Sequence[str]) -> frozenset[str]:
    """Those for which a worker has spoken up lately. Raises RedisError: then nobody can tell."""
    found: Any = quick().mget([_key(queue) for queue in queues])
    return frozenset(queue for queue, sign in zip(queues, found, strict=True) if sign)


def _say(queues: Sequence[str]) -> None:
    while True:
        try:
            say(queues)
        except RedisError as error:
            log.debug("no sign of life given", extra={"error": type(error).__name__})
        sleep(EVERY_SECONDS)


def _key(queue: str) -> str:
    return f"worker:{queue}"
