"""Half of an import's people, page after page. Two lanes side by side keep PostgreSQL busy while each waits for its commits."""

import logging
from dataclasses import dataclass
from time import monotonic

from django.db import connection
from django.db.utils import OperationalError

from apps.audience.imports import claiming
from apps.audience.imports.checking import LeaseLost
from apps.audience.imports.claiming import Claim
from apps.audience.imports.rows import LANES
from apps.audience.imports.writing import Page, write_page
from apps.core import ids

log = logging.getLogger(__name__)
TRIES = 5
# lock_not_available, deadlock_detected (PostgreSQL, appendix A)
_OTHERS_FIRST = ("55P03", "40P01")


@dataclass
class Pace:
    """Of all lanes together."""

    began: float
    lines: float = 0

    def rate(self) -> float:
        return self.lines / max(monotonic() - self.began, 1e-6)


class Lane:
    """`run` until it is done, or until `ends`, a page at least. `error`: what stopped it."""

    def __init__(self, mine: Claim, number: int, names: frozenset[str], ends: float, pace: Pace) -> None:
        self.number = number
        self.is_done = False
        self.error: Exception | None = None
        self._mine, self._names, self._ends, self._pace = mine, names, ends, pace

    def run_apart(self) -> None:
        """In a thread, with a connection of its own."""
        try:
            self.run()
        finally:
            connection.close()

    def run(self) -> None:
        try:
            self._step()
            while not self.is_done and monotonic() < self._ends:
                self._step()
        except Exception as error:
            self.error = error

    def _step(self) -> None:
        page = self._page()
        if not page.is_ours:
            raise LeaseLost
        self.is_done = page.is_last
        self._pace.lines += page.lines / LANES
        claiming.renew(self._mine, rate=self._pace.rate())
        claiming.sum_up(self._mine.import_id)

    def _page(self) -> Page:
        """Tried again when other writers of the same people were first: a lock that took too long, a deadlock that we lost."""
        for left in reversed(range(TRIES)):
            try:
                return write_page(self._mine.import_id, self._mine.token, self.number, self._names)
            except OperationalError as error:
                if not left or getattr(error.__cause__, "sqlstate", "") not in _OTHERS_FIRST:
                    raise
                log.info("import %s: a page waits for others", ids.show(ids.IMPORT, self._mine.import_id))
        raise AssertionError("unreachable")
