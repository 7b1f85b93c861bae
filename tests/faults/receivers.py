"""Endpoints of other people: one that listens, and a hundred that misbehave, by the first part of the path. And a trap on addresses of
our own network, which nobody may ever reach.

/well  /500  /410  /slow (no answer)  /drip (a byte a second)  /302 (to the trap)  /gzip (a bomb)  /big (a gigabyte)
"""

import gzip
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.faults.system import OPEN

TRAPS = ("127.0.0.1", "::1")
PIECE = bytes(64 * 1024)
GIGABYTE = 1024**3
BOMB = gzip.compress(bytes(64 * 1024 * 1024), 9)


@dataclass
class World:
    """`heard`: (when, body) at /well; `forged`: requests there that its secret has not signed; `hits`: connections to the traps;
    `sent`: bytes that a client took of the gigabyte, at most; `secret`: of the endpoint at /well."""

    port: int
    secret: str = ""
    heard: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    ids: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    forged: int = 0
    hits: int = 0
    sent: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = OPEN) -> str:
        return f"http://{host}:{self.port}/{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False

    def handle_error(self, *_: Any) -> None:
        """A client that has heard enough closes the connection."""


@contextmanager
def receivers() -> Iterator[World]:
    listeners = _listeners()
    world = World(listeners[0].getsockname()[1])
    server = _Server((OPEN, 0), _handler(world), bind_and_activate=False)
    server.socket.close()
    server.socket = listeners[0]
    threads = [threading.Thread(target=server.serve_forever, daemon=True)]
    threads += [threading.Thread(target=_trap, args=(one, world), daemon=True) for one in listeners[1:]]
    for thread in threads:
        thread.start()
    try:
        yield world
    finally:
        world.over.set()
        server.shutdown()
        for one in listeners:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _listeners() -> list[socket.socket]:
    """The open address first, then the traps, all on one port: a name that changes its mind leads from one to the other."""
    while True:
        opened = [socket.create_server((OPEN, 0), backlog=256)]
        try:
            for host in TRAPS:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                opened.append(socket.create_server((host, opened[0].getsockname()[1]), family=family))
        except OSError:
            for one in opened:
                one.close()
        else:
            return opened


def _trap(listener: socket.socket, world: World) -> None:
    with suppress(OSError):
        while True:
            peer, _ = listener.accept()
            world.hits += 1
            peer.close()


def _handler(world: World) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kind = self.path.split("/")[1]
            world.calls[kind] += 1
            with suppress(OSError):
                getattr(self, f"_{kind}")(body)

        def _well(self, body: bytes) -> None:
            at = time.monotonic()
            try:
                Webhook(world.secret).verify(body, {name.lower(): value for name, value in self.headers.items()})
            except Exception:
                world.forged += 1
            world.heard.append((at, json.loads(body)))
            world.ids[self.headers["webhook-id"]] += 1
            self._say(204)

        def _500(self, body: bytes) -> None:
            self._say(500)

        def _410(self, body: bytes) -> None:
            self._say(410)

        def _302(self, body: bytes) -> None:
            self._say(302, Location=world.url("latest/meta-data/", TRAPS[0]))

        def _secrets(self, body: bytes) -> None:
            self._say(200)

        def _slow(self, body: bytes) -> None:
            world.over.wait(60)
            self.close_connection = True

        def _drip(self, body: bytes) -> None:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: yes\r\nContent-Length: 0\r\n\r\n":
                self.wfile.write(bytes([byte]))
                world.over.wait(1)

        def _gzip(self, body: bytes) -> None:
            self._say(200, body=BOMB, **{"Content-Encoding": "gzip"})

        def _big(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(GIGABYTE))
            self.end_headers()
            for sent in range(0, GIGABYTE, len(PIECE)):
                self.wfile.write(PIECE)
                world.sent = max(world.sent, sent)

        def _say(self, status: int, *, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            # a kept connection would not ask for the name again
            self.send_header("Connection", "close" if status >= 300 else "keep-alive")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler
