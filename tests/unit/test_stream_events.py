"""A stream by itself: its clock made fast, its counts given, its client a list."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError

from apps.core import clock, ids
from apps.inbox import reading, stream
from apps.inbox.hub import Bell, TooManyStreamsError
from apps.inbox.selectors import Counts
from apps.inbox.stream import InboxStream
from apps.inbox.tokens import InboxViewer, mint

HEARTBEAT = b": still here\n\n"
RETRY = b"retry: 3000\n\n"


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(stream, "COALESCE_SECONDS", 0.0)


class FakeHub:
    """One bell, for everybody."""

    streams = 0
    is_working = True

    def __init__(self, bell: Bell | None) -> None:
        self._bell = bell

    @asynccontextmanager
    async def bell(self, _: object) -> AsyncIterator[Bell]:
        if self._bell is None:
            raise TooManyStreamsError
        yield self._bell

    async def stop(self) -> None:
        self.streams = -1

    close = stop


class Client:
    """Takes what is sent; leaves when it has `most` bodies, or when told to."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.start: dict[str, object] = {}
        self.bodies: list[bytes] = []
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, object]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.bodies.append(message["body"])
            if len(self.bodies) == self.most:
                self.left.set()


def scope(seconds=600):
    token, _ = mint(tenant_id=ids.new(), recipient_id=ids.new(), expires_in=timedelta(seconds=seconds), now=clock.now())
    return {
        "type": "http",
        "method": "GET",
        "path": "/v1/inbox/stream",
        "query_string": f"token={token}".encode(),
        "headers": [],
    }


def open_stream(monkeypatch, answers, *, most=100, seconds=600, ring=None):
    """The bodies that a client got. `answers`: what the database says, one after another, the last one for ever."""
    answers = list(answers)

    def read(people):
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(people, answer)

    monkeypatch.setattr(reading, "_read", read)

    async def run():
        application, bell, client = InboxStream(), Bell(), Client(most)
        application._hub = FakeHub(bell)
        task = asyncio.create_task(application(scope(seconds), client.receive, client.send))
        if ring is not None:
            await ring(bell, client)
        await asyncio.wait_for(task, 10)
        return client.bodies

    return asyncio.run(run())


def event(unread, unseen):
    return f'event: counts\ndata: {{"unread_count":{unread},"unseen_count":{unseen}}}\n\n'.encode()


def test_an_idle_stream_shows_that_it_lives(monkeypatch):
    bodies = open_stream(monkeypatch, [Counts(1, 1)], most=8)

    assert bodies[:8] == [RETRY, event(1, 1), *[HEARTBEAT] * 6]


def test_a_change_that_nobody_told_is_found_after_some_heartbeats(monkeypatch):
    bodies = open_stream(monkeypatch, [Counts(0, 0), Counts(1, 1)], most=8)

    assert bodies[:8] == [RETRY, event(0, 0), *[HEARTBEAT] * 3, event(1, 1), *[HEARTBEAT] * 2]


def test_a_poke_is_answered_even_when_the_counts_are_the_same(monkeypatch):
    async def ring(bell, client):
        while event(2, 0) not in client.bodies:
            await asyncio.sleep(0)
        bell.strike()

    bodies = open_stream(monkeypatch, [Counts(2, 0)], most=3, ring=ring)

    assert bodies[:3] == [RETRY, event(2, 0), event(2, 0)]


def test_a_stream_outlives_a_missing_database(monkeypatch, caplog):
    async def ring(bell, client):
        while len(client.bodies) < 3:
            await asyncio.sleep(0)
        bell.strike()

    bodies = open_stream(monkeypatch, [OperationalError("gone"), Counts(3, 3)], most=5, ring=ring)

    assert bodies[:2] == [RETRY, HEARTBEAT]
    assert event(3, 3) in bodies
    assert [record.message for record in caplog.records] == ["database unavailable: an inbox stream waits"]


def test_the_stream_says_when_its_token_is_over_and_ends(monkeypatch):
    bodies = open_stream(monkeypatch, [Counts(0, 0)], seconds=1.5)

    assert bodies[:2] == [RETRY, event(0, 0)]
    assert bodies[-2:] == [b"event: expired\ndata: {}\n\n", b""]


def test_a_client_that_does_not_read_is_let_go(monkeypatch):
    monkeypatch.setattr(stream, "SEND_SECONDS", 0.05)
    monkeypatch.setattr(reading, "_read", lambda people: dict.fromkeys(people, Counts(0, 0)))

    async def run():
        application, client, stuck = InboxStream(), Client(), asyncio.Event()
        application._hub = FakeHub(Bell())

        async def send(message):
            if message.get("more_body") and len(client.bodies) == 2:
                await stuck.wait()
            await client.send(message)

        await asyncio.wait_for(application(scope(), client.receive, send), 5)
        return client.bodies

    assert asyncio.run(run()) == [RETRY, event(0, 0), b""]


def test_too_many_streams_are_refused(monkeypatch):
    async def run():
        application, client = InboxStream(), Client()
        application._hub = FakeHub(None)
        await application(scope(), client.receive, client.send)
        return client.start

    assert asyncio.run(run())["status"] == 429


def test_a_process_whose_hub_broke_says_so():
    async def run():
        application, client = InboxStream(), Client()
        application._hub = FakeHub(None)
        application._hub.is_working = False
        await application(scope() | {"path": "/healthz"}, client.receive, client.send)
        return client.start["status"], client.bodies

    assert asyncio.run(run()) == (503, [b'{"status":"broken","streams":0}'])


def test_the_end_of_the_process_stops_the_hub_and_its_reader():
    async def run():
        application, sent = InboxStream(), []
        application._hub, application._reader = FakeHub(None), FakeHub(None)
        events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive():
            return events.pop(0)

        async def send(message):
            sent.append(message["type"])

        await application({"type": "lifespan"}, receive, send)
        return sent, application._hub.streams, application._reader.streams

    assert asyncio.run(run()) == (["lifespan.startup.complete", "lifespan.shutdown.complete"], -1, -1)


def test_what_is_asked_for_during_one_query_is_the_next_query(monkeypatch):
    queries, may_answer = [], threading.Event()

    def read(people):
        queries.append(len(people))
        may_answer.wait(5)
        return {person: Counts(number, 0) for number, person in enumerate(people)}

    monkeypatch.setattr(reading, "_read", read)

    async def run():
        reader = reading.CountsReader()
        people = [InboxViewer(ids.new(), ids.new(), clock.now()) for _ in range(601)]
        first = asyncio.create_task(reader.counts(people[0]))
        while not queries:
            await asyncio.sleep(0)
        others = [asyncio.create_task(reader.counts(person)) for person in [*people[1:], people[1]]]
        await asyncio.sleep(0)
        may_answer.set()
        return await first, await asyncio.gather(*others)

    first, others = asyncio.run(run())

    assert queries == [1, 500, 100]
    assert first == Counts(0, 0)
    assert [counts.unread for counts in others] == [*range(500), *range(100), 0]


def test_an_error_reaches_everybody_who_waited_and_nobody_else(monkeypatch):
    answers = [OperationalError("gone"), {}]

    def read(people):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(people, Counts(1, 1))

    monkeypatch.setattr(reading, "_read", read)

    async def run():
        reader = reading.CountsReader()
        people = [InboxViewer(ids.new(), ids.new(), clock.now()) for _ in range(2)]
        failed = await asyncio.gather(*map(reader.counts, people), return_exceptions=True)
        return [type(error) for error in failed], await reader.counts(people[0])

    assert asyncio.run(run()) == ([OperationalError, OperationalError], Counts(1, 1))


def test_strikes_before_a_wait_are_one():
    async def run():
        bell = Bell()
        bell.strike()
        bell.strike()
        return [await bell.wait(0.01), await bell.wait(0.01)]

    assert asyncio.run(run()) == [True, False]


def test_a_bell_is_struck_when_its_channel_is_heard_only_after_it_gave_up_waiting():
    async def run():
        patient, hasty = Bell(), Bell()
        patient.hear()
        await patient.until_heard(1)
        await hasty.until_heard(0.01)
        hasty.hear()
        return await patient.wait(0.01), await hasty.wait(0.01)

    assert asyncio.run(run()) == (False, True)
