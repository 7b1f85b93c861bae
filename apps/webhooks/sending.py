"""The calls that are under way in this process: each in a thread of its own, all written down by one.

The threads have no database connection, and nobody waits for them: whoever finds work starts as many calls as there are slots and goes
on. Slots of endpoints that have not proved quick are apart, so that however many hang, the others never wait for them.
"""

import logging
from threading import Condition, Thread
from time import monotonic, sleep

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from apps.dispatch import bells
from apps.webhooks.calling import Result, call
from apps.webhooks.claiming import Job, claim, is_anything_due
from apps.webhooks.collecting import collect
from apps.webhooks.pacing import OTHER_SLOTS, PROVEN_SLOTS, QUEUE
from apps.webhooks.recording import record_each

log = logging.getLogger(__name__)
DATABASE_PAUSE = 1.0


class Sender:
    """`idle_seconds`: how long the thread that writes waits for more to write before it ends."""

    def __init__(self) -> None:
        self.idle_seconds = 10.0
        self._news = Condition()
        self._runner: object | None = None
        self._is_knocked = False
        self._under_way = {True: 0, False: 0}
        self._results: list[Result] = []
        self._writer: Thread | None = None

    def run(self, *, ends: float) -> None:
        """Collects, claims and starts what is due, until nothing is left that could start now, or until `ends` (monotonic seconds).
        When another thread of this process is at it, that one looks once more, and this one returns at once."""
        me = object()
        with self._news:
            if self._runner is not None:
                self._is_knocked = True
                return
            self._runner = me
        try:
            while self._turn():
                if monotonic() > ends:
                    bells.ring(QUEUE)
                    return
        except (OperationalError, InterfaceError) as error:
            log.warning("database away while sending webhooks", extra={"error": type(error).__name__})
        finally:
            with self._news:
                # another one may be at it by now
                if self._runner is me:
                    self._runner = None

    def _turn(self) -> bool:
        """Whether there may be more to do now."""
        with self._news:
            self._is_knocked = False
        close_old_connections()
        collected, started = collect(), self._start()
        with self._news:
            if not (collected or started or self._is_knocked) and (self._under_way[True] or self._results):
                # those end soon, and then their endpoints have room for more
                self._news.wait(0.05)
                return True
            if not (collected or started or self._is_knocked):
                self._runner = None
                return False
        return True

    def _start(self) -> int:
        with self._news:
            proven, others = PROVEN_SLOTS - self._under_way[True], OTHER_SLOTS - self._under_way[False]
        jobs = claim(proven=proven, others=others) if proven or others else []
        for job in jobs:
            with self._news:
                self._under_way[job.is_proven] += 1
            Thread(target=self._call, args=(job,), name="webhook", daemon=True).start()
        return len(jobs)

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
                    connection.close()
                    self._writer = None
                    return
                results = self._results[:]
            self._write_down(results)
            with self._news:
                del self._results[: len(results)]
                self._is_knocked = True
                is_left_alone = self._runner is None
                self._news.notify_all()
            if is_left_alone:
                self._ring_for_what_is_left()

    def _write_down(self, results: list[Result]) -> None:
        while True:
            try:
                close_old_connections()
                record_each(results)
                return
            except (OperationalError, InterfaceError) as error:
                log.warning("webhook results wait for the database", extra={"error": type(error).__name__})
                sleep(DATABASE_PAUSE)

    def _ring_for_what_is_left(self) -> None:
        """What an endpoint had no room for before."""
        try:
            if is_anything_due():
                bells.ring(QUEUE)
        except (OperationalError, InterfaceError) as error:
            log.warning("webhooks wait for the clockwork", extra={"error": type(error).__name__})


sender = Sender()
