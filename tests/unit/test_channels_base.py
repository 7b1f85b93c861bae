"""What the base does around a translation: refusals of single messages, bugs, counts."""

import logging
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from apps.channels import base
from apps.channels.base import (
    HttpRequest,
    HttpResponse,
    Messages,
    NotSentError,
    Provider,
    UnreadableError,
    UntranslatableError,
)
from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome, ProviderCall

ACCOUNT = Account(uuid4(), "acme-first", "paper", Channel.SMS, "http://paper.test", "", {})


class Paper(Provider):
    """Writes addresses on paper; cannot spell some, and stumbles over others."""

    name = "paper"
    channels = frozenset({Channel.SMS})
    max_batch = 4
    kinds = {"no_such_person": OutcomeKind.INVALID_ADDRESS}
    statuses = {418: OutcomeKind.TRANSIENT}

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        for message in messages:
            if message.address == "unspeakable":
                raise UntranslatableError("This cannot be spelled.")
            if message.address == "bug":
                raise KeyError(message.address)
        return HttpRequest(account.base_url, ",".join(m.address for m in messages).encode())

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        if response.body == b"bug":
            raise KeyError("results")
        if response.body == b"garbage":
            raise UnreadableError("not paper")
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=part) for part in response.body.decode().split(",")]

    def error_code(self, response: HttpResponse) -> str:
        return response.body.decode()


def message(address: str) -> OutboundMessage:
    return OutboundMessage("at_1", "dl_1", "acme", Channel.SMS, Category.CRITICAL, address, "", "", {"body": "4711"})


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Callable[[HttpResponse], list[HttpRequest]]:
    """Says what is answered; returns what was asked."""

    def answers(response: HttpResponse) -> list[HttpRequest]:
        asked: list[HttpRequest] = []

        def exchange(account: Account, request: HttpRequest, deadline: Any) -> HttpResponse:
            asked.append(request)
            return response

        monkeypatch.setattr(base, "exchange", exchange)
        return asked

    return answers


def send(*addresses: str) -> list[Outcome]:
    return Paper().send(ACCOUNT, [message(address) for address in addresses], deadline=1.0)


def kinds(outcomes: Sequence[Outcome]) -> list[tuple[OutcomeKind, str]]:
    return [(outcome.kind, outcome.code) for outcome in outcomes]


def test_it_sends_the_others_when_one_cannot_be_translated(wire: Any, caplog: pytest.LogCaptureFixture) -> None:
    asked = wire(HttpResponse(200, {}, b"id1,id2"))
    outcomes = send("rosa", "unspeakable", "bea")
    assert [(o.kind, o.provider_message_id, o.detail) for o in outcomes] == [
        (OutcomeKind.ACCEPTED, "id1", ""),
        (OutcomeKind.REJECTED, "", "This cannot be spelled."),
        (OutcomeKind.ACCEPTED, "id2", ""),
    ]
    assert [request.body for request in asked] == [b"rosa,bea"]
    assert caplog.records == []


def test_it_asks_nobody_when_nothing_can_be_translated(wire: Any) -> None:
    asked = wire(HttpResponse(200, {}, b""))
    assert kinds(send("unspeakable")) == [(OutcomeKind.REJECTED, "untranslatable")]
    assert kinds(send("unspeakable", "unspeakable")) == [(OutcomeKind.REJECTED, "untranslatable")] * 2
    assert asked == []


def test_it_reports_a_bug_in_building_once_and_sends_the_others(wire: Any, caplog: pytest.LogCaptureFixture) -> None:
    asked = wire(HttpResponse(200, {}, b"id1"))
    assert [o.kind for o in send("bug", "rosa")] == [OutcomeKind.REJECTED, OutcomeKind.ACCEPTED]
    assert [request.body for request in asked] == [b"rosa"]
    assert [(r.levelno, r.message) for r in caplog.records] == [(logging.ERROR, "message not translated")]


def test_it_is_in_doubt_after_a_bug_in_parsing(wire: Any, caplog: pytest.LogCaptureFixture) -> None:
    wire(HttpResponse(200, {}, b"bug"))
    assert kinds(send("rosa", "bea")) == [(OutcomeKind.AMBIGUOUS, "answer_unreadable")] * 2
    assert [(r.levelno, r.message) for r in caplog.records] == [(logging.ERROR, "answer not understood")]


@pytest.mark.parametrize("body", [b"garbage", b"id1", b"id1,id2,id3"])
def test_it_is_in_doubt_when_the_results_do_not_fit(wire: Any, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    wire(HttpResponse(200, {}, body))
    assert kinds(send("rosa", "bea")) == [(OutcomeKind.AMBIGUOUS, "answer_unreadable")] * 2
    assert caplog.records == []


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b"no_such_person", (OutcomeKind.INVALID_ADDRESS, "no_such_person")),
        (400, b"else", (OutcomeKind.REJECTED, "else")),
        (400, b"", (OutcomeKind.REJECTED, "400")),
        (418, b"", (OutcomeKind.TRANSIENT, "418")),
        (503, b"\xff", (OutcomeKind.PROVIDER_DOWN, "503")),
    ],
)
def test_it_takes_the_code_before_the_status(
    wire: Any, status: int, body: bytes, expected: tuple[OutcomeKind, str]
) -> None:
    wire(HttpResponse(status, {}, body))
    outcomes = send("rosa", "bea")
    assert kinds(outcomes) == [expected] * 2
    assert outcomes[0].exchange == {"status": status, "ms": outcomes[0].exchange["ms"], "code": expected[1]}


def test_it_honours_a_smaller_batch_of_the_account_but_no_larger_one() -> None:
    messages = [message(str(n)) for n in range(5)]
    for size, expected in ((0, [4, 1]), (2, [2, 2, 1]), (9, [4, 1])):
        account = Account(uuid4(), "acme-first", "paper", Channel.SMS, "", "", {}, batch_size=size)
        assert [len(call) for call in Paper().split(account, messages)] == expected


def test_it_has_no_receipts_unless_it_says_how_to_verify_them() -> None:
    assert not Paper.has_receipts
    assert not Paper().verify(ACCOUNT, ProviderCall("", {}, b""), base.clock.now())


class Pen(Provider):
    """One letter a request, three at a time; needs a stamp first."""

    name = "pen"
    channels = frozenset({Channel.SMS})
    fan_out = 3

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        return HttpRequest("http://pen.test", messages[0].address.encode())

    def authorize(self, account: Account, request: HttpRequest, deadline: Any) -> HttpRequest:
        if request.body == b"no-stamp":
            raise NotSentError(OutcomeKind.MISCONFIGURED, "no_stamp", "The stamps are used up.")
        return HttpRequest(request.url, request.body + b" stamped")

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=response.body.decode())]


def test_it_makes_several_requests_for_one_send(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[bytes] = []

    def exchange(account: Account, request: HttpRequest, deadline: Any) -> HttpResponse:
        posted.append(request.body)
        return HttpResponse(200, {}, b"id of " + request.body)

    monkeypatch.setattr(base, "exchange", exchange)
    outcomes = Pen().send(ACCOUNT, [message("a"), message("no-stamp"), message("c")], deadline=5)
    assert [(o.kind, o.code, o.provider_message_id) for o in outcomes] == [
        (OutcomeKind.ACCEPTED, "", "id of a stamped"),
        (OutcomeKind.MISCONFIGURED, "no_stamp", ""),
        (OutcomeKind.ACCEPTED, "", "id of c stamped"),
    ]
    assert sorted(posted) == [b"a stamped", b"c stamped"]
    with pytest.raises(ValueError, match="pen takes 1 to 3 messages a call, not 4"):
        Pen().send(ACCOUNT, [message("a")] * 4, deadline=5)
