"""HTTP/2: many requests side by side over one kept connection per account and process. Each is written once, whatever happens.

Built on h2 alone: httpx (httpcore) itself sends a request again that met a GOAWAY, and gives up the answers still to come for
those that did not. What the protocol knows is kept here: a request that the peer says it has not acted on (RFC 9113 sections 6.8
and 8.7: a stream above GOAWAY's last one, or refused) is `refused_stream`, safe to send again; every other lost answer is in doubt.
A request that was not written yet when its connection went away is written to the next one.

A connection that was silent for `keepalive_seconds` (account setting, 30 by default), or on which an answer did not come in time,
is asked with a PING before it is used again.
"""

import os
import re
import socket
import ssl
from collections import OrderedDict, deque
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from threading import Lock
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from certifi import where

from apps.channels.deadlines import Deadline, Resolved, connect, resolve
from apps.channels.http2_connection import Connection
from apps.channels.http2_frames import Posted
from apps.channels.transport import Fault, HttpRequest, HttpResponse
from apps.core.types import Account

KEEPALIVE_SECONDS = 30.0
LINES = 32
# how often one call may go on with what was not written yet, when its connection goes away
CONNECTIONS = 4
PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[\x20-\x7e]*")
_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))


class _NoConnectionError(Exception):
    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.fault = Fault(code, detail)


class _Line:
    """The one connection of an account to an origin. `lock`: held while it is made."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.connection: Connection | None = None

    def ready(self, account: Account, url: SplitResult, deadline: Deadline) -> Connection:
        """Raises _NoConnectionError: nothing was sent."""
        max_idle = float(account.settings.get("keepalive_seconds", KEEPALIVE_SECONDS))
        if not self.lock.acquire(timeout=deadline.left()):
            raise _NoConnectionError("pool_exhausted", "The connection was not made in time.")
        try:
            if self.connection is None or not self.connection.is_alive(max_idle, deadline):
                self.close()
                self.connection = _opened(account, url, deadline)
            return self.connection
        finally:
            self.lock.release()

    def close(self) -> None:
        """For new requests; answers under way are still read."""
        if self.connection is not None:
            self.connection.retire()
            self.connection = None


_lines: OrderedDict[tuple[UUID, str, str, str], _Line] = OrderedDict()
_lock = Lock()


def _after_fork() -> None:
    global _lock
    _lock = Lock()
    _lines.clear()


os.register_at_fork(after_in_child=_after_fork)


def exchange_all(
    account: Account, requests: Sequence[HttpRequest], deadline: Deadline, *, group: str = ""
) -> list[HttpResponse | Fault]:
    """Sends each request once and reads its answer, all within the deadline; the answers in the requests' order.

    All go to the origin of the first one. `group`: whose connection it is, where credentials must not share one.
    """
    results: list[HttpResponse | Fault | None] = [_unsendable(request) for request in requests]
    waiting = deque((place, request) for place, request in enumerate(requests) if results[place] is None)
    fault = Fault("pool_exhausted", "The connection had no room in time.")
    for _ in range(CONNECTIONS):
        if not waiting:
            break
        try:
            url = urlsplit(waiting[0][1].url)
            connection = _line(account, url, group).ready(account, url, deadline)
        except _NoConnectionError as error:
            fault = error.fault
            break
        posted: list[Posted] = connection.exchange(waiting, deadline)
        for one in posted:
            results[one.place] = one.result
    return [result or fault for result in results]


def close_connections() -> None:
    """Closes every connection of this process once its answers are in; the next call opens new ones."""
    with _lock:
        lines = list(_lines.values())
        _lines.clear()
    for line in lines:
        line.close()


def _unsendable(request: HttpRequest) -> Fault | None:
    try:
        url = urlsplit(request.url)
        if url.scheme not in PORTS or not url.hostname or url.port == 0:
            return Fault("bad_url", "ValueError")
    except ValueError as error:
        return Fault("bad_url", type(error).__name__)
    if not all(_PLAIN.fullmatch(value) for value in request.headers.values()):
        return Fault("bad_header", "A header has a character that headers cannot have.")
    return None


def _line(account: Account, url: SplitResult, group: str) -> _Line:
    key = (account.id, f"{url.scheme}://{url.netloc}", account.ca_bundle, group)
    with _lock:
        line = _lines.get(key)
        if line is None:
            line = _lines[key] = _Line()
            if len(_lines) > LINES:
                _lines.popitem(last=False)[1].close()
        _lines.move_to_end(key)
        return line


def _opened(account: Account, url: SplitResult, deadline: Deadline) -> Connection:
    """Connected, TLS and settings agreed. Raises _NoConnectionError."""
    assert url.hostname
    port = url.port or PORTS[url.scheme]
    code = "dns"
    try:
        found = _addresses(url.hostname, port, deadline)
        code = "connect_refused"
        sock = connect(found, deadline, _OPTIONS)
    except TimeoutError as error:
        raise _NoConnectionError("connect_timeout", str(error)) from error
    except OSError as error:
        raise _NoConnectionError(code, type(error).__name__) from error
    try:
        if url.scheme == "https":
            sock.settimeout(deadline.wait_to_connect())
            sock = _context(account.ca_bundle).wrap_socket(sock, server_hostname=url.hostname)
            if sock.selected_alpn_protocol() != "h2":
                raise ssl.SSLError("the server does not speak HTTP/2")
    except (OSError, ValueError) as error:
        sock.close()
        raise _NoConnectionError("tls", type(error).__name__) from error
    try:
        connection = Connection(sock, url.scheme, url.netloc.rpartition("@")[2])
        connection.start(deadline)
    except OSError as error:
        code = "connect_timeout" if isinstance(error, TimeoutError) else "connect_refused"
        raise _NoConnectionError(code, type(error).__name__) from error
    return connection


def _addresses(host: str, port: int, deadline: Deadline) -> Resolved:
    """Raises OSError, TimeoutError."""
    try:
        ip_address(host)
    except ValueError:
        return resolve(host, port, deadline)
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


@lru_cache(maxsize=64)
def _context(ca_bundle: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_bundle or where())
    context.set_alpn_protocols(["h2"])
    return context
