"""Ringing beside the request: a thread of each process rings for all who asked, so that no answer waits for Redis.

A process that dies before its thread has rung costs what any lost bell costs: beat rings within a second.
"""

import logging
import os
from threading import Condition, Thread
from time import sleep

from apps.dispatch import bells

log = logging.getLogger(__name__)
PAUSE_SECONDS = 0.005


class Ringer:
    """Asked at leisure, it rings at once; asked in a flood, it rings a queue once in PAUSE_SECONDS."""

    def __init__(self) -> None:
        self._asked = Condition()
        self._wanted: set[str] = set()
        self._pid = 0

    def ask(self, *queues: str) -> None:
        """Returns at once. The thread starts with the first call in a process, also in one that was forked."""
        with self._asked:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                Thread(target=self._ring, name="ringer", daemon=True).start()
            self._wanted.update(queues)
            self._asked.notify()

    def _ring(self) -> None:
        while True:
            with self._asked:
                while not self._wanted:
                    self._asked.wait()
                wanted, self._wanted = self._wanted, set()
            try:
                bells.ring(*sorted(wanted))
            except Exception as error:
                log.error("bell failed", extra={"queues": sorted(wanted)}, exc_info=error)
            sleep(PAUSE_SECONDS)


ringer = Ringer()
