"""What lies between the bytes of an HTTP/2 connection and the answers of its requests."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from h2.exceptions import FrameTooLargeError

from apps.channels.transport import ANSWER_LIMIT, Fault, HttpResponse

GOAWAY = 7
HEAD = 9
MOST_FRAME = 2**16


@dataclass(slots=True, eq=False)
class Posted:
    """A request on its way. `place`: its position in the call; `heard_at`: when it was written, then when its peer last said
    something about it (monotonic)."""

    place: int
    stream_id: int
    end: int
    heard_at: float
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    result: HttpResponse | Fault | None = None

    def finish(self, fault: Fault | None = None) -> None:
        """Outside 2xx the status says enough, whatever becomes of the body."""
        if fault is None or (self.status and not 200 <= self.status < 300):
            self.result = HttpResponse(self.status, self.headers, bytes(self.body[:ANSWER_LIMIT]))
        else:
            self.result = fault


def whole_frames(incoming: bytearray) -> Iterator[bytes]:
    """Takes them off (RFC 9113 section 4.1: length, type, flags, stream). Raises FrameTooLargeError."""
    while len(incoming) >= HEAD:
        size = int.from_bytes(incoming[:3], "big")
        if size > MOST_FRAME:
            raise FrameTooLargeError(f"a frame of {size} bytes")
        if len(incoming) < HEAD + size:
            return
        frame = bytes(incoming[: HEAD + size])
        del incoming[: HEAD + size]
        yield frame


def read_goaway(payload: bytes) -> tuple[int, str]:
    """The last stream that the peer acts on, and what it says besides (RFC 9113 section 6.8)."""
    last, code = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
    return last, f"GOAWAY {code} {payload[8:200].decode('utf-8', 'replace')}".strip()
