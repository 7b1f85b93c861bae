"""urllib3's connections and pools, with our deadline over every step and a note of how far a request got.

The note decides what a failure means: before the last byte of the request was written nothing can have been sent;
after it, the peer may or may not have acted.
"""

import http.client
import socket
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from time import monotonic
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from apps.channels.deadlines import Deadline, Resolved, clocked, connect, resolve

PIECE = 16 * 1024


class Step(StrEnum):
    QUEUE = "queue"
    RESOLVE = "resolve"
    CONNECT = "connect"
    FORBIDDEN = "forbidden"
    TLS = "tls"
    WRITE = "write"
    ANSWER = "answer"


@dataclass(slots=True)
class Wire:
    """One call under way. `max_idle`: seconds a kept connection may have been idle to be used again. `guard`: the URL came from
    outside; it says which addresses may be connected to (foreign.py)."""

    deadline: Deadline
    max_idle: float
    guard: Callable[[str], bool] | None = None
    step: Step = Step.QUEUE


current: ContextVar[Wire] = ContextVar("wire")


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = clocked(sock, current.get().deadline)


class _Connection(HTTPConnection):
    response_class = _Answer
    idle_since = 0.0
    addresses: tuple[str, ...] = ()

    @property
    def is_connected(self) -> bool:
        """A kept connection is used again only while it is young and silent. The peer's own idle time-out (5 s with many
        servers) could otherwise close it in the very moment in which we write, and that looks like an answer lost."""
        wire = current.get()
        if wire.guard and not all(map(wire.guard, self.addresses)):
            return False
        return monotonic() - self.idle_since <= wire.max_idle and super().is_connected

    def connect(self) -> None:
        super().connect()
        current.get().step = Step.WRITE

    def _new_conn(self) -> socket.socket:
        wire = current.get()
        wire.step = Step.RESOLVE
        try:
            found = self._addresses(wire.deadline)
            self.addresses = tuple(address[0] for *_, address in found)
            if wire.guard and not all(map(wire.guard, self.addresses)):
                wire.step = Step.FORBIDDEN
                raise OSError("an address that may not be called")
            wire.step = Step.CONNECT
            sock = connect(found, wire.deadline, self.socket_options or ())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        wire.step = Step.TLS
        return sock

    def _addresses(self, deadline: Deadline) -> Resolved:
        host = self._dns_host.strip("[]")
        try:
            ip_address(host)
        except ValueError:
            return resolve(host, self.port, deadline)
        return socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)

    def request(self, *args: Any, **kwargs: Any) -> None:
        wire = current.get()
        wire.step = Step.WRITE
        super().request(*args, **kwargs)
        wire.step = Step.ANSWER

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        deadline = current.get().deadline
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            self.sock.settimeout(deadline.wait_for_peer())
            self.sock.sendall(view[start : start + PIECE])


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = monotonic()
        super()._put_conn(conn)


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOL_CLASSES = {"http": _Pool, "https": _TlsPool}
