"""A server that answers as it is told, for one request after another, and remembers every request it read."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import sleep


@dataclass(frozen=True)
class Seen:
    """A request that the server has read whole. `connection` counts from 1."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


Script = Callable[[Seen, socket.socket], bool]
"""Answers one request on the socket; whether the connection may go on."""


@dataclass
class Scripted:
    port: int
    script: Script
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answer(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, then_close: bool = False
) -> Script:
    def script(seen: Seen, peer: socket.socket) -> bool:
        peer.sendall(raw(status, body, headers))
        return not then_close

    return script


def hang(seconds: float = 30) -> Script:
    """Never answers, until the client has gone."""

    def script(seen: Seen, peer: socket.socket) -> bool:
        peer.settimeout(seconds)
        peer.recv(1)
        return False

    return script


def drop(seen: Seen, peer: socket.socket) -> bool:
    return False


def reset(seen: Seen, peer: socket.socket) -> bool:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    return False


def drip(data: bytes, every: float, *, at_once: int = 0) -> Script:
    """The first bytes at once, then one byte at a time."""

    def script(seen: Seen, peer: socket.socket) -> bool:
        peer.sendall(data[:at_once])
        for position in range(at_once, len(data)):
            sleep(every)
            peer.sendall(data[position : position + 1])
        return False

    return script


def raw(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextmanager
def scripted(script: Script) -> Iterator[Scripted]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = Scripted(listener.getsockname()[1], script)
        peers: list[socket.socket] = []
        accepting = threading.Thread(target=_accept, args=(listener, server, peers))
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for peer in peers:
                _shut(peer)
            accepting.join()


def _accept(listener: socket.socket, server: Scripted, peers: list[socket.socket]) -> None:
    talking = []
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            break
        server.connections += 1
        peers.append(peer)
        thread = threading.Thread(target=_talk, args=(peer, server, server.connections))
        thread.start()
        talking.append(thread)
    for peer in peers:
        _shut(peer)
    for thread in talking:
        thread.join()


def _talk(peer: socket.socket, server: Scripted, number: int) -> None:
    with peer:
        try:
            while (seen := _read(peer, number)) is not None:
                server.requests.append(seen)
                if not server.script(seen, peer):
                    return
        except OSError:
            return


def _read(peer: socket.socket, number: int) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        piece = peer.recv(65536)
        if not piece:
            return None
        body += piece
    method, path, _ = start.split(" ")
    return Seen(method, path, headers, body, number)


def _shut(peer: socket.socket) -> None:
    try:
        peer.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
