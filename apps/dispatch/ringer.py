"""Ringing beside the request: a thread of each process rings for all who asked, so that no answer waits for Redis.

A process that dies before its thread has rung costs what any lost bell costs: beat rings within a second.
"""

import logging
import os
from collections.abc import Sequence
from threading import Condition, Thread
from time import sleep

from apps.dispatch import bells

log = logging.getLogger(__name__)
PAUSE_SECONDS = 0.005


class Ringer:
    """Asked at leisure, it rings at once; asked in a flood, it rings a queue once in PAUSE_SECONDS."""

    def __init__(self) -> None:
        self._asked = Condition()
        self._wanted: dict[str, bool] = {}
        self._pid = 0

    def ask(self, *queues: str) -> None:
        """Returns at once. The thread starts with the first call in a process, also in one that was forked."""
        self._ask(queues, is_few=True)

    def ask_on(self, *queues: str) -> None:
        """As bells.ring_on."""
        self._ask(queues, is_few=False)

    def _ask(self, queues: Sequence[str], *, is_few: bool) -> None:
        with self._asked:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                Thread(target=self._ring, name="ringer", daemon=True).start()
            for queue in queues:
                self._wanted[queue] = is_few or self._wanted.get(queue, False)
            self._asked.notify()

    def _ring(self) -> None:
        while True:
            with self._asked:
                while not self._wanted:
                    self._asked.wait()
                wanted, self._wanted = self._wanted, {}
            try:
                for ring, is_few in ((bells.ring, True), (bells.ring_on, False)):
                    if queues := sorted(queue for queue, asked in wanted.items() if asked == is_few):
                        ring(*queues)
            except Exception as error:
                log.error("bell failed", extra={"queues": sorted(wanted)}, exc_info=error)
            sleep(PAUSE_SECONDS)


ringer = Ringer()
