"""What an act has at hand: the system, the outside world, a producer of its own, and the sheet on which it says what held."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4

from tests.faults.checker import is_settled
from tests.faults.outside import Books, Outside
from tests.faults.producer import Producer
from tests.faults.system import System


class Later(NamedTuple):
    """`after`: the first of the seconds at which an alert was open; `alerts`: kind, subject, text."""

    after: float | None
    alerts: list[list[str]]


def later(system: System, do: str, *seconds: float) -> Later:
    """The watch over receipts (`learn` or `watch`) as if it were that much later, once after the other, up to the first alert."""
    return Later(**json.loads(system.run("tests.drill.hands", json.dumps({"do": do, "in": seconds}))))


@dataclass
class Stage:
    system: System
    outside: Outside
    run: str
    minutes: float
    claims: list[tuple[bool, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.producer = Producer(self.system.url, self.outside.token, self.run)

    def claim(self, holds: bool, words: str) -> None:
        self.claims.append((holds, words))
        sys.stdout.write(f"  {'held' if holds else 'BROKE':6} {words}\n")
        sys.stdout.flush()

    def say(self, words: str) -> None:
        sys.stdout.write(f"         {words}\n")
        sys.stdout.flush()

    def send(
        self, count: int, channel: str, *, category: str = "transactional", people: Callable[[int], int] = int
    ) -> None:
        bodies = [
            self.producer.body(n, user_id=f"person_{people(n) % 20}", category=category, channels=[channel])
            for n in range(count)
        ]
        for start in range(0, count, 500):
            self.producer.batch(bodies[start : start + 500])

    @contextmanager
    def streaming(self, channel: str, per_second: float, seconds: float) -> Iterator[None]:
        """Single messages in the background for that time."""
        self.producer.stream(round(per_second * seconds), per_second, channels=[channel], category="transactional")
        yield
        self.wait(self.producer.is_done, seconds + 30)

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        return self.system.wait(until, seconds)

    def settle(self, seconds: float) -> Books:
        self.wait(lambda: is_settled(self.system, self.run), seconds)
        return self.outside.books(self.run)

    def judge(self, books: Books) -> None:
        """What must hold whatever happens."""
        mistakes = books.mistakes()
        accepted = len(self.producer.book.ids)
        known = self.outside.accepted(self.run)
        lost = sum(id_ not in known for id_ in self.producer.book.ids)
        self.claim(not lost and not mistakes.get("open"), f"{accepted} accepted, none lost: {books.by_status()}")
        self.claim(not mistakes.get("requests_repeated"), "every attempt was one request")
        doubled = mistakes.get("doubled", 0)
        self.claim(not doubled, f"nobody got a message twice unknowingly ({doubled} did)")
        wrong = {name: mistakes[name] for name in ("invented", "denied") if name in mistakes}
        self.claim(not wrong, f"the ledger says what the providers' records say {wrong or ''}".rstrip())

    def alerts(self) -> list[str]:
        return [
            kind for (kind,) in self.system.query("SELECT kind FROM channels_alert WHERE ended_at IS NULL ORDER BY id")
        ]

    def later(self, do: str, *seconds: float) -> Later:
        return later(self.system, do, *seconds)


@contextmanager
def staged(system: System, outside: Outside, name: str, minutes: float) -> Iterator[Stage]:
    outside.reset()
    stage = Stage(system, outside, f"drill-{name}-{uuid4().hex[:6]}", minutes)
    try:
        yield stage
    finally:
        stage.producer.close()
