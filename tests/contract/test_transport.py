"""The transport beneath every HTTP provider: what it does on the wire whatever the provider says."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest

from apps.channels import connections, transport
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault, HttpRequest, HttpResponse, exchange
from apps.core.enums import Channel
from apps.core.types import Account
from tests.contract.scripted import Seen, answer, drip, hang, raw, scripted


@pytest.fixture(autouse=True)
def _leave_no_connection() -> Iterator[None]:
    yield
    transport.close_connections()


@pytest.fixture
def account() -> Account:
    return _account()


def _account(**given: Any) -> Account:
    own = {"connect_timeout": 1.0, "read_timeout": 1.0, "pool_size": 2} | given
    return Account(uuid4(), "acme-first", "any", Channel.SMS, "", "", {}, **own)


def _post(
    account: Account, url: str, body: bytes = b"{}", seconds: float = 3.0, headers: dict[str, str] | None = None
) -> HttpResponse | Fault:
    deadline = Deadline(seconds, account.connect_timeout, account.read_timeout)
    return exchange(account, HttpRequest(url, body, headers or {}), deadline)


def test_it_keeps_the_connection_for_the_next_call(account: Account) -> None:
    with scripted(answer(200, b"ok")) as server:
        answers = [_post(account, server.url) for _ in range(3)]
    assert [a.status for a in answers if isinstance(a, HttpResponse)] == [200, 200, 200]
    assert server.connections == 1


def test_it_keeps_connections_per_account() -> None:
    with scripted(answer(200, b"ok")) as server:
        for account in (_account(), _account()):
            _post(account, server.url)
    assert server.connections == 2


def test_it_takes_no_connection_that_was_idle_for_long() -> None:
    account = _account(settings={"keepalive_seconds": 0.1})
    with scripted(answer(200, b"ok")) as server:
        for pause in (0, 0.2):
            sleep(pause)
            assert isinstance(_post(account, server.url), HttpResponse)
    assert server.connections == 2


def test_it_is_not_in_doubt_when_the_server_closed_an_idle_connection(account: Account) -> None:
    with scripted(answer(200, b"ok", then_close=True)) as server:
        for _ in range(3):
            assert isinstance(_post(account, server.url), HttpResponse)
            sleep(0.05)
    assert server.connections == 3
    assert len(server.requests) == 3


def test_it_holds_at_most_pool_size_connections(account: Account) -> None:
    def script(seen: Seen, peer: socket.socket) -> bool:
        sleep(0.1)
        return answer(200, b"ok")(seen, peer)

    with scripted(script) as server, ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: _post(account, server.url), range(6)))
    assert all(isinstance(a, HttpResponse) for a in answers)
    assert server.connections == 2


def test_it_says_so_when_no_connection_becomes_free() -> None:
    account = _account(pool_size=1, read_timeout=1.0)
    with scripted(hang()) as server, ThreadPoolExecutor(1) as threads:
        first = threads.submit(_post, account, server.url)
        sleep(0.1)
        assert _post(account, server.url, seconds=0.2) == Fault("pool_exhausted", "All 1 connections were in use.")
        assert first.result() == Fault("read_timeout", "ReadTimeout")
    assert len(server.requests) == 1


def test_it_gives_up_on_a_resolver_that_hangs(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: never.wait(2) and [])
    started = monotonic()
    assert _post(account, "http://provider.example/") == Fault("dns", "ConnectTimeout")
    assert monotonic() - started < 2
    never.set()


def test_it_says_so_when_the_name_is_unknown(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert _post(account, "http://provider.example/") == Fault("dns", "ConnectionError")


def test_it_tries_to_connect_once(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def refused(found: object, *_: object) -> None:
        tried.append(found)
        raise ConnectionRefusedError

    monkeypatch.setattr(connections, "connect", refused)
    assert _post(account, "http://127.0.0.1:9/") == Fault("connect_refused", "ConnectionError")
    assert len(tried) == 1


def test_it_says_so_when_the_peer_does_not_even_accept(account: Account) -> None:
    """A listener whose queue is full: the handshake gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)
            started = monotonic()
            assert _post(account, f"http://127.0.0.1:{address[1]}/") == Fault("connect_timeout", "ConnectTimeout")
            assert 0.9 < monotonic() - started < 3


def test_it_has_sent_nothing_usable_when_the_peer_stops_reading(account: Account) -> None:
    """The peer never gets the whole body, so it cannot have acted on it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = monotonic()
        fault = _post(account, f"http://127.0.0.1:{port}/", b"x" * 20_000_000, seconds=0.8)
        assert isinstance(fault, Fault)
        assert fault.code == "write_failed"
        assert monotonic() - started < 5


def test_it_keeps_the_deadline_against_a_peer_that_reads_slowly(account: Account) -> None:
    def read_slowly(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            while not done.wait(0.02) and peer.recv(65536):
                pass

    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=read_slowly, args=(listener,))
        thread.start()
        started = monotonic()
        fault = _post(account, f"http://127.0.0.1:{listener.getsockname()[1]}/", b"x" * 20_000_000, seconds=0.8)
        took = monotonic() - started
        done.set()
        thread.join()
    assert isinstance(fault, Fault)
    assert fault.code == "write_failed"
    assert 0.7 < took < 5


def test_it_reads_a_chunked_answer(account: Account) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with scripted(drip(data, 0, at_once=len(data))) as server:
        found = _post(account, server.url)
    assert isinstance(found, HttpResponse)
    assert (found.status, found.body) == (200, b"abcde")


def test_it_keeps_the_deadline_against_endless_interim_answers(account: Account) -> None:
    def script(seen: Seen, peer: socket.socket) -> bool:
        while True:
            peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            sleep(0.02)

    started = monotonic()
    with scripted(script) as server:
        assert _post(account, server.url, seconds=0.6) == Fault("deadline", "ReadTimeout")
        assert monotonic() - started < 5


def test_it_asks_for_no_compression_and_unpacks_none(account: Account) -> None:
    with scripted(answer(200, b"not really gzip", {"Content-Encoding": "gzip"})) as server:
        found = _post(account, server.url)
    assert isinstance(found, HttpResponse)
    assert found.body == b"not really gzip"
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_it_cuts_a_long_error_answer(account: Account) -> None:
    with scripted(answer(500, b"x" * (3 * 1024 * 1024))) as server:
        found = _post(account, server.url)
    assert isinstance(found, HttpResponse)
    assert (found.status, len(found.body)) == (500, transport.ANSWER_LIMIT)


def test_it_ignores_proxies_and_credentials_of_the_environment(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with scripted(answer(200)) as proxy, scripted(answer(200, headers={"Set-Cookie": "a=b"})) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        for _ in range(2):
            _post(account, server.url)
    assert proxy.requests == []
    assert [("cookie" in seen.headers, "authorization" in seen.headers) for seen in server.requests] == [
        (False, False)
    ] * 2


def test_it_refuses_a_header_with_a_line_break(account: Account) -> None:
    with scripted(answer(200)) as server:
        fault = _post(account, server.url, headers={"X-Name": "a\r\nX-Other: b"})
    assert isinstance(fault, Fault)
    assert fault.code == "bad_header"
    assert server.connections == 0


def test_it_shows_neither_credentials_nor_bodies_in_its_reprs() -> None:
    request = HttpRequest("https://provider.example/", b"rosa@example.com", {"Authorization": "Bearer secret"})
    assert "secret" not in repr(request) and "rosa" not in repr(request)
    assert "rosa" not in repr(HttpResponse(200, {}, b"rosa@example.com"))


@pytest.mark.parametrize("count", [8])
def test_it_serves_threads_at_once(count: int) -> None:
    account = _account(pool_size=count)

    def script(seen: Seen, peer: socket.socket) -> bool:
        peer.sendall(raw(200, seen.body))
        return True

    send: Callable[[int], HttpResponse | Fault]
    with scripted(script) as server, ThreadPoolExecutor(count) as threads:
        send = lambda n: _post(account, server.url, str(n).encode())  # noqa: E731
        answers = list(threads.map(send, range(200)))
    assert [a.body for a in answers if isinstance(a, HttpResponse)] == [str(n).encode() for n in range(200)]
    assert server.connections <= count
