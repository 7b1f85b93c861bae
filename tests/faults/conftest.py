"""One system for all experiments, whole again before each; results in build/faults.json, one object a line."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.faults.checker import Balance, balance, is_settled
from tests.faults.outside import Books, Outside, Provided
from tests.faults.producer import Producer
from tests.faults.system import CORE, PROJECT, System

RESULTS = Path(os.environ.get("FAULTS_RESULTS", PROJECT / "build" / "faults.json"))
# one call of 20 on each of three channels: what a death may leave in doubt at this load
IN_FLIGHT = 60
SIZE = 10 if os.environ.get("FAULTS_FULL") == "1" else 1
Test = TypeVar("Test", bound=Callable[..., Any])
_begun: set[Path] = set()


class Experiment:
    """A run of the system with its own producer. `check` balances the books, writes the figures and fails on any mistake.

    `patience`: seconds that `settle` waits at most; `is_rehearsal`: figures are not written."""

    def __init__(self, system: System, name: str, outside: Outside | None = None) -> None:
        self.system = system
        self.name = name
        self.outside = outside
        self.producer = Producer(system.url, outside.token if outside else system.token, name)
        self.figures: dict[str, Any] = {}
        self.patience = 1_000.0
        self.is_rehearsal = False

    def settle(self, seconds: float = 60) -> None:
        """Producers have their 202s and no work is left, or the time is up; then the books will tell."""
        seconds = min(seconds * SIZE, self.patience)
        self.system.wait(self.producer.is_done, seconds)
        self.producer.join()
        self.system.wait(lambda: is_settled(self.system, self.name), seconds)

    def check(self, *, channels: tuple[str, ...] | None = None, unknown_at_most: int = 0, failed: int = 0) -> Balance:
        found = balance(self.system, self.producer, **({} if channels is None else {"channels": channels}))
        unknown, gone = found.statuses.get("unknown", 0), found.statuses.get("failed", 0)
        mistakes = found.mistakes()
        if unknown > unknown_at_most:
            mistakes["too_many_in_doubt"] = unknown
        if gone != failed:
            mistakes["failed"] = gone
        self.write(not mistakes, found.as_figures())
        assert not mistakes, f"{mistakes}\n{found}"
        return found

    def check_outside(self, **allowed: int) -> Books:
        """The same for what went to simulated providers. `allowed`: statuses that are expected, and how many at most."""
        assert self.outside
        books = self.outside.books(self.name)
        mistakes = books.mistakes()
        missing = len(set(self.producer.book.ids) - self.outside.accepted(self.name))
        statuses = books.by_status()
        for status in set(statuses) - {"sent", "delivered"}:
            if statuses[status] > allowed.get(status, 0):
                mistakes[f"status_{status}"] = statuses[status]
        if missing:
            mistakes["lost"] = missing
        figures = {
            "accepted": len(self.producer.book.ids),
            "deliveries": len(books.statuses),
            "statuses": statuses,
            "requests": len(books.lines),
            "taken": sum(books.taken().values()),
            "events": self.outside.events(self.name),
            **mistakes,
        }
        self.write(not mistakes, figures)
        assert not mistakes, f"{mistakes}\n{figures}"
        return books

    def write(self, is_pass: bool, figures: dict[str, Any]) -> None:
        if self.is_rehearsal:
            return
        write_result(self.name, is_pass, {**figures, **self.figures})


def write_result(name: str, is_pass: bool, figures: dict[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a" if RESULTS in _begun else "w") as file:
        file.write(json.dumps({"experiment": name, "seed": SEED, "figures": figures, "pass": is_pass}) + "\n")
    _begun.add(RESULTS)


SEED = int(os.environ.get("FAULTS_SEED", "0")) or int.from_bytes(os.urandom(3))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting processes takes its time on a busy machine."""
    for item in items:
        if "faults" in Path(item.path).parts:
            item.add_marker(pytest.mark.timeout(300 * SIZE))


@pytest.fixture
def seed() -> int:
    """FAULTS_SEED=n repeats a run's random choices."""
    return SEED


@pytest.fixture
def size() -> int:
    """1, or 10 with FAULTS_FULL=1."""
    return SIZE


@pytest.fixture(scope="package")
def whole_system() -> Iterator[System]:
    directory = Path(tempfile.mkdtemp(prefix="ntf-faults-"))
    system = System(directory)
    try:
        Producer(system.url, system.token, "people").make_people()
        yield system
    finally:
        system.stop()
        if os.environ.get("FAULTS_KEEP") != "1":
            shutil.rmtree(directory, ignore_errors=True)


def begin_with(*names: str) -> Callable[[Test], Test]:
    """The experiment begins with these processes instead of CORE: it would end the others first thing."""

    def said(test: Test) -> Test:
        test.begins_with = names  # type: ignore[attr-defined]
        return test

    return said


def made_whole(system: System, names: Sequence[str] = CORE) -> System:
    """The servers and these processes run, and nothing is sabotaged."""
    if not system.servers.postgres.is_running():
        system.servers.postgres.restart()
    if not system.servers.redis.is_running():
        system.servers.redis.restart()
    system.keep(*names)
    system.faults()
    for process in system.processes.values():
        process.deaths = 0
    return system


@pytest.fixture
def system(whole_system: System, request: pytest.FixtureRequest) -> System:
    return made_whole(whole_system, getattr(request.function, "begins_with", CORE))


ACCOUNTS = (
    Provided("fcm", "fcm", settings={"platforms": ["android"]}),
    Provided("apns", "apns", is_tls=True),
    Provided("postmark", "postmark"),
    Provided("twilio", "twilio", order=1),
    Provided("vonage", "vonage", order=2),
)


@pytest.fixture(scope="package")
def outside_world(whole_system: System) -> Outside:
    return Outside(whole_system, ACCOUNTS)


@pytest.fixture
def trial(outside_world: Outside, system: System, request: pytest.FixtureRequest) -> Iterator[Experiment]:
    """An experiment of a live tenant, whose accounts point at simulated providers."""
    outside_world.reset()
    running = Experiment(system, request.node.name.removeprefix("test_"), outside_world)
    try:
        yield running
    finally:
        running.producer.close()


@pytest.fixture
def experiment(system: System, request: pytest.FixtureRequest) -> Iterator[Experiment]:
    name = request.node.name.removeprefix("test_")
    running = Experiment(system, name)
    try:
        yield running
    finally:
        running.producer.close()
