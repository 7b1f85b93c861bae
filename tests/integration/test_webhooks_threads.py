"""The calls of a worker as they are made: side by side, written down by one thread, and nobody waits for the slow."""

from collections.abc import Iterator
from queue import Queue
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest
from django.db import OperationalError

from apps.channels import transport
from apps.core.redis import quick
from apps.dispatch import bells
from apps.webhooks import sending, tasks
from apps.webhooks.sending import Sender
from tests.contract.scripted import Seen
from tests.integration.webhooks_cast import attempts, become, deliveries, endpoint, open_calls, receiver, row_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    made = Sender()
    made.idle_seconds = 0.0
    monkeypatch.setattr(tasks, "sender", made)
    monkeypatch.setattr(bells, "ring", lambda *queues: None)
    yield made
    assert is_over(made, 20)
    while made._writer is not None:
        sleep(0.01)
    transport.close_connections()


def is_over(sender: Sender, seconds: float) -> bool:
    """Whether every call that was started has ended and is written down within the time."""
    with sender._news:
        return sender._news.wait_for(lambda: not (any(sender._under_way.values()) or sender._results), seconds)


def run(sender: Sender, seconds: float = 5.0) -> None:
    sender.run(ends=monotonic() + seconds)


def test_slow_endpoints_do_not_delay_a_quick_one(sender: Sender) -> None:
    release = Event()

    def script(seen: Seen, peer: Any) -> bool:
        if seen.path.startswith("/slow"):
            release.wait(8)
        peer.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")
        return True

    with receiver(script) as server:
        quick_one, _ = endpoint(f"{server.url}/quick", "message.sent")
        become(deliveries(), "sent")
        run(sender)
        assert is_over(sender, 5) and row_of(quick_one).is_proven
        for number in range(12):
            endpoint(f"{server.url}/slow/{number}", "message.sent", slug=f"slow{number}")
            become(deliveries(3, slug=f"slow{number}"), "sent")
        become(deliveries(40), "sent")
        begun = monotonic()
        run(sender)
        took = monotonic() - begun
        paths = [seen.path.split("/")[1] for seen in server.requests]
        assert paths.count("quick") == 41
        release.set()
        assert is_over(sender, 20)
    assert took < 5
    assert len([path for path in paths if path == "slow"]) <= 12
    assert {status for *_, status, _ in attempts()} == {200}


def test_a_second_worker_thread_turns_back_at_once(sender: Sender) -> None:
    sender._runner = other = object()
    run(sender)
    assert sender._is_knocked and sender._runner is other


def test_what_could_not_be_written_is_written_when_the_database_is_back(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, failures = sending.record_each, [OperationalError("gone"), OperationalError("gone")]

    def shaky(results: Any) -> None:
        if failures:
            raise failures.pop()
        record(results)

    monkeypatch.setattr(sending, "record_each", shaky)
    monkeypatch.setattr(sending, "DATABASE_PAUSE", 0.01)
    with receiver() as server:
        endpoint(server.url, "message.sent")
        become(deliveries(), "sent")
        run(sender)
        assert is_over(sender, 5)
    assert (attempts(), open_calls(), len(server.requests)) == ([(1, True, 200, "")], 0, 1)


def test_the_task_stills_its_bell_and_the_end_of_a_call_rings_for_what_is_left(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: Queue[str] = Queue()
    monkeypatch.setattr(bells, "ring", rung.put)
    quick().set("bell:webhooks", 1, px=60_000)
    release = Event()

    def script(seen: Seen, peer: Any) -> bool:
        release.wait(8)
        peer.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")
        return True

    with receiver(script) as server:
        endpoint(server.url, "message.sent")
        become(deliveries(2), "sent")
        tasks.send(queue="webhooks")
        assert not quick().exists("bell:webhooks")
        release.set()
        assert rung.get(timeout=5) == "webhooks"
        assert (open_calls(), len(server.requests)) == (1, 1)
        tasks.send(queue="webhooks")
        assert is_over(sender, 5)
    assert (open_calls(), attempts()) == (0, [(1, True, 200, "")] * 2)


def test_the_queue_is_one_that_workers_poll_without_redis() -> None:
    assert bells.TASKS["webhooks"] == tasks.send.name
