"""Calls at a steady rate, whatever their answers take, how long each took to the provider, how long the machine itself stood still, and
what it made of anybody's statements meanwhile."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread, local
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import psycopg
import requests

from apps.channels.sandbox.record import read
from apps.core import ids
from tests.faults.system import System

NEVER = float("inf")


@dataclass(frozen=True)
class Call:
    """`due`: when it should have been begun, `answered`: both in seconds since 1970. `status` 0: nobody answered."""

    due: float
    answered: float
    status: int
    notification: str


class _Beside(ABC):
    """A thread that looks for as long as the block lasts."""

    def __init__(self) -> None:
        self._ended = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @abstractmethod
    def _look(self) -> None:
        """Until `_ended`."""


class Hiccups(_Beside):
    """How late somebody woke who slept for a moment again and again: no service answers while its machine stands still.

    Source: Gil Tene, jHiccup. `longest` in seconds.
    """

    MOMENT = 0.005

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0

    def _look(self) -> None:
        last = time.monotonic()
        while not self._ended.is_set():
            time.sleep(self.MOMENT)
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last - self.MOMENT), now


class RoundTrips(_Beside):
    """What a lone message's statements would take if they asked for nothing: TRIPS, one after the other, again and again, on a connection
    that nobody else has. `taken`: seconds that each time took, sorted when the block is left."""

    TRIPS, PAUSE = 20, 0.05

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self.taken: list[float] = []
        self._database_url = database_url

    def _look(self) -> None:
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            while not self._ended.wait(self.PAUSE):
                began = time.monotonic()
                for _ in range(self.TRIPS):
                    connection.execute("SELECT 1")
                self.taken.append(time.monotonic() - began)
        self.taken.sort()


class Pulse:
    """`bodies`: what the n-th call says, and whose key it has. Of the last beat, in seconds: `hiccup`, the longest, and `bare`, what 99 in
    100 RoundTrips took at most."""

    def __init__(self, system: System, bodies: Callable[[int], tuple[str, dict[str, Any]]]) -> None:
        self.system = system
        self.hiccup = self.bare = 0.0
        self._bodies = bodies
        self._local = local()

    def beat(self, rate: float, seconds: float) -> list[Call]:
        """Returns when the last one is answered."""
        began = time.time() + 0.2
        trips = RoundTrips(self.system.servers.database_url)
        with ThreadPoolExecutor(24) as pool, Hiccups() as hiccups, trips:
            calls = list(pool.map(lambda n: self._call(n, began + n / rate), range(round(rate * seconds))))
        self.hiccup, self.bare = round(hiccups.longest, 3), percentile(trips.taken, 0.99)
        return calls

    def _call(self, number: int, due: float) -> Call:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        token, body = self._bodies(number)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
        if (pause := due - time.time()) > 0:
            time.sleep(pause)
        try:
            answer = self._local.session.post(
                f"{self.system.url}/v1/notifications", json=body, headers=headers, timeout=30
            )
        except requests.RequestException:
            return Call(due, time.time(), 0, "")
        said = answer.json() if answer.status_code == 202 else {}
        return Call(due, time.time(), answer.status_code, said.get("notification_id", ""))


@dataclass(frozen=True)
class Taken:
    """Seconds from when each call was due until the provider was called for it (NEVER: it was not), and until its 202, sorted."""

    to_provider: list[float]
    to_answer: list[float]

    def as_figures(self, name: str) -> dict[str, float]:
        shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        found = {f"{name}_{share}": round(percentile(self.to_provider, at), 3) for share, at in shares.items()}
        return {**found, f"{name}_answer_p99": round(percentile(self.to_answer, 0.99), 3)}


def taken(system: System, calls: Sequence[Call], patience: float = 20) -> Taken:
    """Waits until the provider has been called for all of them, for so long at most."""
    told = {ids.read(ids.NOTIFICATION, call.notification): call for call in calls if call.notification}
    found: dict[str, float] = {}

    def is_complete() -> bool:
        rows = system.query(
            "SELECT id, notification_id FROM ledger_delivery WHERE notification_id = ANY(%(ids)s)", {"ids": list(told)}
        )
        deliveries = {ids.show(ids.DELIVERY, id_): told[notification] for id_, notification in rows}
        for line in read(system.record):
            if call := deliveries.get(line.delivery):
                found.setdefault(call.notification, line.time - call.due)
        return len(found) == len(told)

    system.wait(is_complete, patience)
    return Taken(
        sorted(found.get(call.notification, NEVER) for call in calls),
        sorted(call.answered - call.due for call in calls),
    )


def percentile(found: Sequence[float], share: float) -> float:
    return found[min(len(found) - 1, int(len(found) * share))] if found else NEVER


def sent_between(system: System, channel: str, began: float, ended: float) -> int:
    """Messages of the channel that the provider took in that time."""
    return sum(line.taken and line.channel == channel and began <= line.time < ended for line in read(system.record))


def claims(path: Path, began: float, ended: float) -> list[float]:
    """Seconds that each claim of work took that ended in that time, sorted (sabotage.py, CLAIMS)."""
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return sorted(float(took) for at, took in (line for line in lines if len(line) == 2) if began <= float(at) < ended)
