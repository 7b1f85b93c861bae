"""Counts for streams: asked for one by one on the event loop, read from the database many at a time in a thread.

While one query runs, whatever is asked for meanwhile becomes the next: a campaign to all who are connected costs a few queries,
and nobody waits behind it for longer than one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

from django.db import close_old_connections, connections

from apps.core import clock
from apps.inbox.selectors import Counts, Person, counts_of
from apps.inbox.tokens import InboxViewer

Answer = asyncio.Future[Counts]
MOST_AT_ONCE = 500


class CountsReader:
    """One thread, with one connection of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "inbox")
        self._asked: defaultdict[Person, list[Answer]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None

    async def counts(self, viewer: InboxViewer) -> Counts:
        """What the database says after this call. Raises django.db.Error."""
        answer: Answer = asyncio.get_running_loop().create_future()
        self._asked[viewer.tenant_id, viewer.recipient_id].append(answer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer_all())
        return await answer

    async def close(self) -> None:
        closing = asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
        with suppress(TimeoutError):
            await asyncio.wait_for(closing, 1.0)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _answer_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._asked:
            people = list(islice(self._asked, MOST_AT_ONCE))
            waiting = {person: self._asked.pop(person) for person in people}
            try:
                found = await loop.run_in_executor(self._thread, _read, people)
            except Exception as error:
                for _, answer in _unanswered(waiting):
                    answer.set_exception(error)
            else:
                for person, answer in _unanswered(waiting):
                    answer.set_result(found[person])


def _unanswered(waiting: Mapping[Person, Sequence[Answer]]) -> list[tuple[Person, Answer]]:
    """Whoever waited too long has gone."""
    return [(person, answer) for person, answers in waiting.items() for answer in answers if not answer.done()]


def _read(people: Sequence[Person]) -> dict[Person, Counts]:
    close_old_connections()
    try:
        return counts_of(people, now=clock.now())
    finally:
        close_old_connections()
