"""The calls that are under way in this process: each in a thread of its own, all written down by one.

The threads have no database connection, and nobody waits for them: whoever finds work starts as many calls as there are slots and goes
on. Slots of endpoints that have not proved quick are apart, so that however many hang, the others never wait for them.
"""

import logging
from threading import Condition, Lock, Thread
from time import monotonic, sleep

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from apps.dispatch import bells
from apps.webhooks.calling import Result, call
from apps.webhooks.claiming import Job, claim, is_anything_due
from apps.webhooks.collecting import collect
from apps.webhooks.pacing import OTHER_SLOTS, PROVEN_SLOTS
from apps.webhooks.recording import record_each

log = logging.getLogger(__name__)
QUEUE = "webhooks"
DATABASE_PAUSE = 1.0


class Sender:
    """`idle_seconds`: how long the thread that writes waits for more to write before it ends."""

    def __init__(self) -> None:
        self.idle_seconds = 10.0
        self._turn = Lock()
        self._news = Condition()
        self._under_way = {True: 0, False: 0}
        self._results: list[Result] = []
        self._writer: Thread | None = None

    def run(self, *, ends: float) -> None:
        """Collects, claims and starts what is due, until nothing is left that could start now, or until `ends` (monotonic seconds).
        Returns at once when another thread of this process is at it."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            while True:
                close_old_connections()
                collected = collect()
                started = self._start()
                if monotonic() > ends:
                    bells.ring(QUEUE)
                    return
                if not collected and not started and not self._wait_for_the_quick():
                    return
        except (OperationalError, InterfaceError) as error:
            log.warning("database away while sending webhooks", extra={"error": type(error).__name__})
        finally:
            self._turn.release()

    def drain(self, seconds: float) -> bool:
        """For tests: whether every call that was started is over and written down within the time."""
        ends = monotonic() + seconds
        with self._news:
            return self._news.wait_for(lambda: not (any(self._under_way.values()) or self._results), ends - monotonic())

    def _start(self) -> int:
        with self._news:
            proven, others = PROVEN_SLOTS - self._under_way[True], OTHER_SLOTS - self._under_way[False]
        jobs = claim(proven=proven, others=others) if proven or others else []
        for job in jobs:
            with self._news:
                self._under_way[job.is_proven] += 1
            Thread(target=self._call, args=(job,), name="webhook", daemon=True).start()
        return len(jobs)

    def _wait_for_the_quick(self) -> bool:
        """Whether calls are under way that are worth waiting for; one of them may have ended."""
        with self._news:
            if not self._under_way[True]:
                return False
            self._news.wait(0.05)
        return True

    def _call(self, job: Job) -> None:
        try:
            result = call(job)
        except Exception as error:
            log.error("webhook call failed", extra={"endpoint": str(job.endpoint_id)}, exc_info=error)
            result = Result(job, 0.0, error="internal_error")
        with self._news:
            self._under_way[job.is_proven] -= 1
            self._results.append(result)
            if self._writer is None:
                self._writer = Thread(target=self._write, name="webhook-writer", daemon=True)
                self._writer.start()
            self._news.notify_all()

    def _write(self) -> None:
        """Ends when there is nothing to write for a while."""
        while True:
            with self._news:
                if not self._news.wait_for(lambda: self._results, timeout=self.idle_seconds):
                    self._writer = None
                    break
                results = self._results[:]
            self._write_down(results)
            with self._news:
                del self._results[: len(results)]
                self._news.notify_all()
        connection.close()

    def _write_down(self, results: list[Result]) -> None:
        while True:
            try:
                close_old_connections()
                record_each(results)
                if not self._turn.locked() and is_anything_due():
                    bells.ring(QUEUE)
                return
            except (OperationalError, InterfaceError) as error:
                log.warning("webhook results wait for the database", extra={"error": type(error).__name__})
                sleep(DATABASE_PAUSE)


sender = Sender()
