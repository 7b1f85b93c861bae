"""Calls to URLs from outside, on the wire: connected to public addresses or to none."""

import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from apps.channels import connections, transport
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault, HttpRequest, HttpResponse, exchange
from apps.core.enums import Channel
from apps.core.types import Account
from tests.contract.scripted import answer, scripted

FORBIDDEN = Fault("forbidden_address", "ConnectionError")
PUBLIC = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))


@pytest.fixture(autouse=True)
def _leave_no_connection() -> Iterator[None]:
    yield
    transport.close_connections()


@pytest.fixture
def account() -> Account:
    return Account(uuid4(), "acme-first", "any", Channel.PUSH, "", "", {}, connect_timeout=1.0, read_timeout=1.0)


def call(account: Account, url: str, *, is_foreign: bool = True) -> HttpResponse | Fault:
    return exchange(account, HttpRequest(url, b"{}", is_foreign=is_foreign), Deadline(2.0, 0.5, 0.5))


def test_an_address_of_our_own_network_is_not_even_connected_to(account: Account) -> None:
    with scripted(answer(200)) as server:
        assert call(account, server.url) == FORBIDDEN
        assert call(account, server.url.replace("127.0.0.1", "localhost")) == FORBIDDEN
    assert server.connections == 0


def test_one_private_address_among_public_ones_is_enough(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(connections, "connect", lambda *given: tried.append(given))
    with scripted(answer(200)) as server:
        private = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        for found in ([PUBLIC, private], [private, PUBLIC]):
            monkeypatch.setattr(connections, "resolve", lambda *_, found=found: found)
            assert call(account, "http://push.example/") == FORBIDDEN
    assert (tried, server.connections) == ([], 0)


def test_what_was_checked_is_what_is_connected_to(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers differently the second time is not asked a second time."""
    asked: list[str] = []

    def rebinding(host: str, *_: Any) -> Any:
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else [(*PUBLIC[:4], ("127.0.0.1", 80))]

    tried: list[Any] = []

    def refused(found: Any, *_: Any) -> None:
        tried.extend(address for *_, address in found)
        raise ConnectionRefusedError

    monkeypatch.setattr(connections, "resolve", rebinding)
    monkeypatch.setattr(connections, "connect", refused)
    assert call(account, "http://push.example/") == Fault("connect_refused", "ConnectionError")
    assert (asked, tried) == (["push.example"], [("8.8.8.8", 443)])


def test_a_kept_connection_to_a_private_address_is_not_for_foreign_calls(account: Account) -> None:
    with scripted(answer(200, b"ok")) as server:
        assert isinstance(call(account, server.url, is_foreign=False), HttpResponse)
        assert call(account, server.url) == FORBIDDEN
        assert isinstance(call(account, server.url, is_foreign=False), HttpResponse)
    assert len(server.requests) == 2


def test_a_public_address_is_called_and_its_connection_kept(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "is_public", lambda address: True)
    with scripted(answer(200, b"ok")) as server:
        assert [isinstance(call(account, server.url), HttpResponse) for _ in range(3)] == [True] * 3
    assert server.connections == 1
