"""One clock over everything a call does on a socket: resolving, connecting, writing, and every single read.

A socket time-out starts anew with each byte, so a server that drips one byte a second would hold a worker for ever.
"""

import io
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

Address = tuple[Any, ...]
Resolved = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Address]]


@dataclass(slots=True)
class Deadline:
    """`seconds` for everything, `connect` for each address tried, `read` for each wait for the peer.

    `wait`: seconds that the provider has told the account to wait; then nothing more is begun. `on_wait` hears of it at once.
    `asked_wait`: those that others were told.
    """

    seconds: float
    connect: float
    read: float
    on_wait: Callable[[float], None] | None = None
    asked_wait: Callable[[], float] | None = None
    wait: float = 0.0
    ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.ends_at = monotonic() + self.seconds

    def told_to_wait(self, seconds: float) -> None:
        is_news, self.wait = not self.wait, max(self.wait, seconds)
        if is_news and self.on_wait:
            self.on_wait(seconds)

    def told(self) -> float:
        """Seconds to wait before anything is begun, whoever was told; 0: nobody was."""
        return self.wait or (self.asked_wait() if self.asked_wait else 0.0)

    def left(self) -> float:
        return max(0.0, self.ends_at - monotonic())

    def is_over(self) -> bool:
        return monotonic() >= self.ends_at

    def wait_to_connect(self) -> float:
        """Seconds the next connect may take. Raises TimeoutError when none are left."""
        return self._within(self.connect)

    def wait_for_peer(self) -> float:
        """Seconds the next read or write may take. Raises TimeoutError when none are left."""
        return self._within(self.read)

    def _within(self, limit: float) -> float:
        left = self.left()
        if left <= 0:
            raise TimeoutError("the deadline of the call is over")
        return min(limit, left)


class _ClockedReader(io.RawIOBase):
    """A socket's reader that gives each read no more time than the deadline has left."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, deadline: Deadline) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.wait_for_peer())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def clocked(sock: socket.socket, deadline: Deadline) -> io.BufferedReader:
    """What `sock.makefile("rb")` is, under the deadline."""
    return io.BufferedReader(_ClockedReader(sock, sock.makefile("rb", buffering=0), deadline))


def resolve(host: str, port: int, deadline: Deadline) -> Resolved:
    """getaddrinfo under the deadline's connect time: the resolver itself knows no time-out, so it gets a thread of its own.

    Raises socket.gaierror, or TimeoutError.
    """
    answers: SimpleQueue[Resolved | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else socket.gaierror(str(error)))

    wait = deadline.wait_to_connect()
    Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=wait)
    except Empty:
        raise TimeoutError(f"the name was not resolved within {wait:.1f} s") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def connect(found: Resolved, deadline: Deadline, options: Iterable[Any] = ()) -> socket.socket:
    """A socket connected to the first address that answers, with the connect time-out still set. Raises OSError."""
    last: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options:
                sock.setsockopt(*option)
            sock.settimeout(deadline.wait_to_connect())
            sock.connect(address)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    raise last
