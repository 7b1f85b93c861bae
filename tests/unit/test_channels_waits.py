"""Told to wait (429): what is under way is answered, nothing more is begun, and the pace afterwards grows without asking too much."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from socket import socket
from threading import Barrier, Event
from time import sleep
from typing import Any
from uuid import uuid4

import pytest

from apps.channels import base, breaking, transport
from apps.channels.base import HttpRequest, HttpResponse, Messages, Provider
from apps.channels.breaking import Record, Tally
from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome
from tests.contract.scripted import Seen, answer, scripted

ACCOUNT = Account(uuid4(), "acme-first", "paper", Channel.SMS, "http://paper.test", "", {})
WAIT = HttpResponse(429, {"retry-after": "30"}, b"")
FINE = HttpResponse(200, {}, b"")
START = 1_800_000_000.0
TICK = 0.1
RULES = breaking.rules({})


class Paper(Provider):
    name = "paper"
    channels = frozenset({Channel.SMS})
    fan_out = 16
    throttled_alone = frozenset({"busy"})

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        return HttpRequest(account.base_url, messages[0].address.encode())

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        return [Outcome(OutcomeKind.ACCEPTED)]

    def error_code(self, response: HttpResponse) -> str:
        return response.body.decode()


def message(address: str) -> OutboundMessage:
    return OutboundMessage("at_1", "dl_1", "acme", Channel.SMS, Category.CRITICAL, address, "", "", {"body": "4711"})


def send(count: int, waits: list[float]) -> list[Outcome]:
    messages = [message(str(n)) for n in range(count)]
    return Paper().send(ACCOUNT, messages, deadline=5.0, on_wait=waits.append)


def codes(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    return [(one.kind.value, one.code) for one in outcomes]


def test_what_is_not_begun_when_an_answer_says_to_wait_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first three are under way together; the others' turn comes after the answer."""
    asked: list[bytes] = []
    together, waits = Barrier(3), list[float]()
    was_told = Event()

    def exchange(account: Account, request: HttpRequest, deadline: Any) -> HttpResponse:
        asked.append(request.body)
        together.wait(5)
        return WAIT if request.body == b"1" else FINE

    real_build = Paper.build

    def build(self: Paper, account: Account, messages: Messages) -> HttpRequest:
        if int(messages[0].address) > 2:
            was_told.wait(5)
        return real_build(self, account, messages)

    monkeypatch.setattr(Paper, "build", build)
    monkeypatch.setattr(base, "exchange", exchange)
    messages = [message(str(n)) for n in range(8)]

    def hear(seconds: float) -> None:
        waits.append(seconds)
        was_told.set()

    outcomes = Paper().send(ACCOUNT, messages, deadline=5.0, on_wait=hear)
    assert sorted(asked) == [b"0", b"1", b"2"]
    assert codes(outcomes) == [
        ("accepted", ""),
        ("throttled", "429"),
        ("accepted", ""),
        *[("throttled", "not_begun")] * 5,
    ]
    assert [one.retry_after for one in outcomes[3:]] == [30.0] * 5
    assert [one.exchange["status"] for one in outcomes[3:]] == [0] * 5
    assert waits == [30.0]


def test_what_others_are_told_before_a_request_is_begun_holds_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told, begun = [0.0, 0.0, 12.0], list[bytes]()

    def exchange(account: Account, request: HttpRequest, deadline: Any) -> HttpResponse:
        begun.append(request.body)
        return FINE

    monkeypatch.setattr(base, "exchange", exchange)
    monkeypatch.setattr(Paper, "fan_out", 1)
    outcomes = [
        one
        for number in range(3)
        for one in Paper().send(ACCOUNT, [message(str(number))], deadline=5.0, asked_wait=lambda: told.pop(0))
    ]
    assert begun == [b"0", b"1"]
    assert codes(outcomes) == [("accepted", ""), ("accepted", ""), ("throttled", "not_begun")]
    assert outcomes[2].retry_after == 12.0


def test_who_waits_for_a_connection_hears_what_was_said_on_it_before() -> None:
    """Another thread of the process, whose call had begun before the answer came."""

    def script(seen: Seen, peer: socket) -> bool:
        is_asked.set()
        is_waited_for.wait(5)
        sleep(0.1)
        return answer(429, b"", {"retry-after": "30"})(seen, peer)

    told: list[float] = []
    is_asked, is_waited_for = Event(), Event()

    def ask(number: int) -> list[Outcome]:
        if number:
            is_asked.wait(5)
            is_waited_for.set()
        return Paper().send(
            account,
            [message(str(number))],
            deadline=5.0,
            on_wait=told.append,
            asked_wait=lambda: max(told, default=0.0),
        )

    with scripted(script) as server, ThreadPoolExecutor(4) as threads:
        account = Account(uuid4(), "acme-one", "paper", Channel.SMS, server.url, "", {}, pool_size=1)
        outcomes = [one for found in threads.map(ask, range(4)) for one in found]
    transport.close_connections()
    assert len(server.requests) == 1
    assert codes(outcomes) == [("throttled", "429"), *[("throttled", "not_begun")] * 3]
    assert told == [30.0]


def test_others_hear_of_it_once_and_without_a_number_it_is_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "exchange", lambda *a: HttpResponse(429, {}, b""))
    waits: list[float] = []
    outcomes = send(16, waits)
    assert waits == [1.0]
    assert {one.kind for one in outcomes} == {OutcomeKind.THROTTLED}


def test_one_message_that_is_slowed_alone_does_not_hold_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def exchange(account: Account, request: HttpRequest, deadline: Any) -> HttpResponse:
        asked.append(request.body)
        return HttpResponse(429, {}, b"busy")

    monkeypatch.setattr(base, "exchange", exchange)
    waits: list[float] = []
    assert codes(send(8, waits)) == [("throttled", "busy")] * 8
    assert (len(asked), waits) == (8, [])


def throttled(record: Record, now: float, seconds: float, *, messages: int = 0) -> None:
    breaking.note(record, RULES, Tally(messages=messages, firsts=messages, throttled=seconds), now)


def played(known: int, limit: float, count: int) -> tuple[int, int, float]:
    """After 429 for 30 s the provider takes `limit` a second, one second's worth at once. `known`: messages a second before.
    Calls of 16; what has not begun when the first is refused is not begun. Requests, refused ones, seconds."""
    record, now = Record(), START
    for _ in range(10):
        breaking.note(record, RULES, Tally(calls=1, messages=known, firsts=known), now)
        now += 1
    throttled(record, now, 30.0)
    now = ends = record.pause
    ours = theirs = limit
    sent = refused = 0
    while sent < count:
        rate = 0.8 * record.ceiling(now) or float("inf")
        ours = min(ours + rate * TICK, max(rate, 1.0))
        if now >= record.pause:
            wanted = min(int(min(ours, 64)), count - sent)
            taken = min(wanted, int(theirs))
            ours, theirs, sent = ours - wanted, theirs - taken, sent + taken
            breaking.note(record, RULES, Tally(calls=taken, messages=taken, firsts=taken), now)
            if taken < wanted:
                refused += min(16, wanted - taken)
                throttled(record, now, 1.0)
        theirs = min(theirs + limit * TICK, limit)
        now += TICK
    return sent + refused, refused, now - ends


@pytest.mark.parametrize("known", [0, 30, 100, 600])
def test_twenty_thousand_at_fifty_a_second_are_refused_in_less_than_one_of_a_hundred(known: int) -> None:
    requests, refused, seconds = played(known, 50, 20_000)
    assert refused / requests < 0.01
    assert 20_000 / seconds > 0.8 * 50


@pytest.mark.parametrize("known", [0, 100])
def test_sixty_are_out_within_ten_seconds_of_the_pause(known: int) -> None:
    _, refused, seconds = played(known, 1_000, 60)
    assert (refused, seconds < 10) == (0, True)


def test_who_knows_nothing_begins_with_five_a_second() -> None:
    record = Record()
    throttled(record, START, 30.0)
    paces = [round(record.ceiling(START + 30 + at), 1) for at in (0, 3, 6, 10, 80)]
    assert paces == [5.0, 10.0, 20.0, 32.6, 0.0]


def test_who_is_told_again_right_after_the_pause_slows_down_again() -> None:
    """Not once for a burst that comes with every end of a pause."""
    record = Record()
    breaking.note(record, RULES, Tally(calls=1, messages=3_000), START)
    throttled(record, START + 10, 5.0)
    seen = []
    for _ in range(3):
        throttled(record, record.pause + 0.1, 1.0)
        seen.append((round(record.cap), round(record.base)))
    assert seen == [(15, 150), (8, 75), (4, 38)]


def test_answers_to_what_was_under_way_slow_it_down_once() -> None:
    record = Record()
    breaking.note(record, RULES, Tally(calls=1, messages=1_000), START)
    for at in (10.0, 10.2, 10.9, 12.0):
        throttled(record, START + at, 5.0)
    assert (record.cap, record.pause) == (10.0, START + 17.0)
