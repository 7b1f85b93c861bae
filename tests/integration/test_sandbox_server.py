"""The sandbox as a server, spoken to by its adapter and by hand."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import requests

from apps.channels.registry import provider
from apps.channels.sandbox import record, server
from apps.channels.sandbox.behaviour import SLOW_SECONDS
from apps.channels.sandbox.wire import SandboxEvents
from apps.channels.standard_webhooks import is_signed
from apps.core import clock, ids
from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome
from tests.contract.scripted import Seen, answer, scripted
from tests.integration.sandbox_process import SECRET, sandbox

BEARER = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with sandbox(tmp_path) as found:
        yield found


def account(url: str, **changes: Any) -> Account:
    own = Account(uuid4(), "sandbox-email", "sandbox", Channel.EMAIL, url, "", {"secret": SECRET}, read_timeout=4.0)
    return replace(own, **changes)


def message(address: str, delivery: str = "") -> OutboundMessage:
    return OutboundMessage(
        reference=ids.show(ids.ATTEMPT, ids.new()),
        delivery=delivery or ids.show(ids.DELIVERY, ids.new()),
        tenant="acme",
        channel=Channel.EMAIL,
        category=Category.CRITICAL,
        address=address,
        platform="",
        sender="Acme <hello@acme.test>",
        content={"subject": "Your code", "text": "4711"},
    )


def send(url: str, *messages: OutboundMessage, deadline: float = 6.0, **changes: Any) -> list[Outcome]:
    return provider("sandbox").send(account(url, **changes), messages, deadline=deadline)


def get(url: str, path: str) -> Any:
    return requests.get(f"{url}{path}", headers=BEARER, timeout=5).json()


def test_it_keeps_records_and_shows_what_it_took(url: str, tmp_path: Path) -> None:
    first, second = message("rosa@example.com"), message("invalid@simulator.test")
    outcomes = send(url, first, second)
    assert [o.kind for o in outcomes] == [OutcomeKind.ACCEPTED, OutcomeKind.INVALID_ADDRESS]
    shown = get(url, "/messages")["messages"]
    assert [(m["reference"], m["address"], m["answer"], m["taken"]) for m in shown] == [
        (second.reference, "invalid@simulator.test", "invalid_address", False),
        (first.reference, "rosa@example.com", "accepted", True),
    ]
    assert shown[1]["content"] == first.content
    assert shown[1]["id"] == outcomes[0].provider_message_id
    lines = record.read(tmp_path / "record.jsonl")
    assert [(line.reference, line.delivery, line.channel, line.address, line.taken) for line in lines] == [
        (first.reference, first.delivery, "email", "rosa@example.com", True),
        (second.reference, second.delivery, "email", "invalid@simulator.test", False),
    ]
    assert lines[0].content == record.content_hash(dict(first.content))


def test_it_filters_counts_and_forgets_but_never_its_record(url: str, tmp_path: Path) -> None:
    send(url, *[message(f"rosa{n}@example.com", "dl_a" if n < 3 else "dl_b") for n in range(5)])
    assert get(url, "/messages/count") == {"count": 5}
    assert get(url, "/messages/count?delivery=dl_a") == {"count": 3}
    assert get(url, "/messages/count?channel=sms") == {"count": 0}
    assert [m["address"] for m in get(url, "/messages?delivery=dl_a&limit=2")["messages"]] == [
        "rosa2@example.com",
        "rosa1@example.com",
    ]
    assert [m["delivery"] for m in get(url, "/messages?address=rosa4%40example.com")["messages"]] == ["dl_b"]
    assert requests.delete(f"{url}/messages", headers=BEARER, timeout=5).status_code == 200
    assert get(url, "/messages")["messages"] == []
    assert len(record.read(tmp_path / "record.jsonl")) == 5


def test_it_refuses_all_but_the_health_check_without_the_secret(url: str, tmp_path: Path) -> None:
    assert [o.kind for o in send(url, message("rosa@example.com"), credentials={"secret": "other"})] == [
        OutcomeKind.MISCONFIGURED
    ]
    assert requests.get(f"{url}/messages", timeout=5).status_code == 401
    assert requests.delete(f"{url}/messages", headers={"Authorization": "Bearer "}, timeout=5).status_code == 401
    assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
    assert record.read(tmp_path / "record.jsonl") == []


def test_without_a_secret_it_refuses_everybody(tmp_path: Path) -> None:
    with sandbox(tmp_path, secret="") as url:
        for header in ("", "Bearer", "Bearer "):
            assert requests.get(f"{url}/messages", headers={"Authorization": header}, timeout=5).status_code == 401


def test_it_refuses_what_is_no_batch(url: str, tmp_path: Path) -> None:
    for path, body, status in (
        ("/email/messages", b"{", 400),
        ("/email/messages", b'{"account":"a","messages":[]}', 400),
        ("/email/messages", b'{"account":"a"}', 400),
        ("/fax/messages", b"{}", 404),
        ("/nothing", b"{}", 404),
    ):
        assert requests.post(f"{url}{path}", data=body, headers=BEARER, timeout=5).status_code == status
    assert record.read(tmp_path / "record.jsonl") == []


def test_it_takes_an_ambiguous_message_and_drops_the_connection(url: str, tmp_path: Path) -> None:
    (outcome,) = send(url, message("ambiguous@simulator.test"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.AMBIGUOUS, "connection_dropped")
    assert [line.taken for line in record.read(tmp_path / "record.jsonl")] == [True]


def test_it_is_slow_and_drips(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(server, "DRIP_SECONDS", 0.1)
    started = monotonic()
    assert [o.kind for o in send(url, message("slow@simulator.test"))] == [OutcomeKind.ACCEPTED]
    assert monotonic() - started > 0.3
    started = monotonic()
    (outcome,) = send(url, message("drip@simulator.test"), deadline=0.5)
    assert (outcome.kind, outcome.code) == (OutcomeKind.AMBIGUOUS, "deadline")
    assert monotonic() - started < 3


def test_it_serves_others_while_one_is_slow(url: str) -> None:
    slow = threading.Thread(target=send, args=(url, message("slow@simulator.test")))
    slow.start()
    sleep(0.1)
    started = monotonic()
    assert [o.kind for o in send(url, message("rosa@example.com"))] == [OutcomeKind.ACCEPTED]
    assert monotonic() - started < SLOW_SECONDS - 0.1
    slow.join()


def test_it_is_down_throttles_and_is_flaky(url: str) -> None:
    assert [o.kind for o in send(url, message("down@simulator.test"))] == [OutcomeKind.PROVIDER_DOWN]
    assert [(o.kind, o.retry_after) for o in send(url, message("throttled@simulator.test", "dl_t"))] == [
        (OutcomeKind.THROTTLED, 2.0)
    ]
    assert [o.kind for o in send(url, message("throttled@simulator.test", "dl_t"))] == [OutcomeKind.ACCEPTED]
    flaky = [send(url, message("flaky@simulator.test", "dl_f"))[0].kind for _ in range(3)]
    assert flaky == [OutcomeKind.TRANSIENT, OutcomeKind.TRANSIENT, OutcomeKind.ACCEPTED]
    assert [o.kind for o in send(url, message("optout@simulator.test"))] == [OutcomeKind.OPTED_OUT]


def test_it_is_told_to_fail_a_whole_channel(url: str) -> None:
    def set_faults(body: bytes) -> int:
        return requests.put(f"{url}/faults", data=body, headers=BEARER, timeout=5).status_code

    assert set_faults(b'{"email":"down"}') == 200
    assert get(url, "/faults") == {"email": "down"}
    assert [o.kind for o in send(url, message("rosa@example.com"))] == [OutcomeKind.PROVIDER_DOWN]
    assert set_faults(b'{"email":"unheard"}') == set_faults(b'{"fax":"down"}') == set_faults(b"[]") == 400
    assert set_faults(b"{}") == 200
    assert [o.kind for o in send(url, message("rosa@example.com"))] == [OutcomeKind.ACCEPTED]


def test_it_answers_garbage_with_400_and_goes_on(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    for garbage in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"x" * 100_000 + b"\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=5) as peer:
            peer.sendall(garbage)
            assert peer.recv(100).startswith(b"HTTP/1.1 400 ")
    assert requests.get(f"{url}/healthz", timeout=5).status_code == 200


def _wait_for(seen: list[Seen], count: int) -> None:
    ends = monotonic() + 10
    while sum(len(_events(call)) for call in seen) < count and monotonic() < ends:
        sleep(0.02)


def _events(call: Seen) -> list[Any]:
    return msgspec.json.decode(call.body, type=SandboxEvents).events


def test_it_sends_receipts_signed_and_in_batches(tmp_path: Path) -> None:
    with scripted(answer(202)) as door, sandbox(tmp_path, receipts_after=0.05, door=door.url) as url:
        send(url, *[message(f"rosa{n}@example.com") for n in range(40)], message("complaint@simulator.test"))
        _wait_for(door.requests, 42)
    assert {(call.method, call.path) for call in door.requests} == {("POST", "/v1/receipts/sandbox-email")}
    assert all(is_signed([SECRET], call.headers, call.body, clock.now()) for call in door.requests)
    events = [event for call in door.requests for event in _events(call)]
    assert sorted({event.kind for event in events}) == ["complained", "delivered"]
    assert len({event.event_id for event in events}) == len(events) == 42
    assert len(door.requests) <= 4


def test_it_repeats_receipts_while_the_door_is_shut_and_after_a_restart(tmp_path: Path) -> None:
    statuses = [503]

    def script(seen: Seen, peer: Any) -> bool:
        return answer(statuses[0])(seen, peer)

    with scripted(script) as door:
        with sandbox(tmp_path, receipts_after=0.0, door=door.url) as url:
            send(url, message("rosa@example.com"))
            _wait_for(door.requests, 2)
        refused = len(door.requests)
        assert refused >= 2
        statuses[0] = 202
        with sandbox(tmp_path, receipts_after=0.0, door=door.url):
            _wait_for(door.requests, refused + 1)
            sleep(0.3)
    assert len(door.requests) == refused + 1
    assert len({_events(call)[0].event_id for call in door.requests}) == 1
    assert len({call.headers["webhook-id"] for call in door.requests}) == 1
