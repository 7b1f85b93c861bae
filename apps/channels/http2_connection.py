"""One HTTP/2 connection: several threads write, one of its own reads, and all wait under one condition.

The socket does not block, so that nobody sleeps while holding the lock (OpenSSL must not be used by two threads at once).
`Posted.end` is where a request ends in the bytes written so far: when the connection breaks, what lies behind was not sent.
"""

import logging
import select
import socket
import ssl
from collections import deque
from contextlib import suppress
from threading import Condition, Thread
from time import monotonic
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PingAckReceived, RemoteSettingsChanged, ResponseReceived, StreamEnded
from h2.events import StreamReset as Reset
from h2.exceptions import H2Error, NoAvailableStreamIDError
from h2.settings import SettingCodes, Settings

from apps.channels.deadlines import Deadline
from apps.channels.http2_frames import GOAWAY, HEAD, Posted, read_goaway, whole_frames
from apps.channels.transport import ANSWER_LIMIT, Fault, HttpRequest

log = logging.getLogger(__name__)
PIECE = 64 * 1024
IDLE_CHECK_SECONDS = 60.0
LONGEST_IDLE_SECONDS = 900.0
# streams until the peer has said how many it takes (RFC 9113 section 6.5.2 recommends no fewer)
FIRST_STREAMS = 100
WINDOW = 2**20
MOST_STREAMS = 1_000
_SETTINGS = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_HEADER_LIST_SIZE: 2**16}
_WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)


class _H2(H2Connection):
    """Remembers fewer closed streams than h2 does: a connection that lives for days stays small."""

    MAX_CLOSED_STREAMS = 2**10


class Connection:
    """`is_open`: takes new requests. Once it does not, it closes with the last answer."""

    def __init__(self, sock: socket.socket, scheme: str, authority: str) -> None:
        self.is_open = True
        self._sock = sock
        self._scheme, self._authority = scheme, authority
        self._h2 = _H2(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._h2.local_settings = Settings(client=True, initial_values=_SETTINGS)
        self._condition = Condition()
        self._streams: dict[int, Posted] = {}
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._written = 0
        self._queued = 0
        self._most = FIRST_STREAMS
        self._heard_at = monotonic()
        self._pings = 0
        self._is_settled = False
        self._is_closed = False
        self._is_doubted = False

    def start(self, deadline: Deadline) -> None:
        """Sends the preface and waits for the peer's. Raises OSError, TimeoutError."""
        self._sock.setblocking(False)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW)
        ends_at = monotonic() + min(deadline.connect, deadline.left())
        with self._condition:
            self._flush(deadline)
            Thread(target=self._read_all, name="http2", daemon=True).start()
            while not self._is_settled and not self._is_closed:
                if not self._condition.wait(max(0.0, ends_at - monotonic())) and monotonic() >= ends_at:
                    self._break("connect_timeout")
                    raise TimeoutError("the peer's settings did not come in time")
            if self._is_closed:
                raise ConnectionError("closed before the peer's settings came")

    def is_alive(self, max_idle: float, deadline: Deadline) -> bool:
        """Whether it takes requests. After `max_idle` seconds of silence, or an answer that did not come, the peer is asked."""
        with self._condition:
            if not self.is_open or (monotonic() - self._heard_at <= max_idle and not self._is_doubted):
                return self.is_open
            ends_at, before = monotonic() + min(deadline.connect, deadline.left()), self._pings
            self._h2.ping(b"alive?!!")
            self._flush(deadline)
            while self.is_open and self._pings == before and monotonic() < ends_at:
                self._condition.wait(max(0.0, ends_at - monotonic()))
            return self.is_open and self._pings > before

    def retire(self) -> None:
        """Takes no more requests, and closes with the last answer."""
        with self._condition:
            self.is_open = False
            self._close_if_done()

    def exchange(self, waiting: deque[tuple[int, HttpRequest]], deadline: Deadline) -> list[Posted]:
        """Writes as many of those waiting as it may before the deadline, takes them off, and waits for their answers: each has a
        result then. What is left waiting was not sent."""
        mine: list[Posted] = []
        with self._condition:
            while True:
                if waiting and self.is_open and not deadline.is_over():
                    mine += self._write_some(waiting, deadline)
                wait = self._time_out(mine, deadline)
                is_over = deadline.is_over() or not waiting or not self.is_open
                if is_over and all(one.result is not None for one in mine):
                    return mine
                self._condition.wait(max(0.001, wait))

    def _write_some(self, waiting: deque[tuple[int, HttpRequest]], deadline: Deadline) -> list[Posted]:
        """As many whole requests as streams and windows allow, in one go."""
        made = []
        while waiting and len(self._streams) < self._most:
            place, request = waiting[0]
            window = min(self._h2.outbound_flow_control_window, self._h2.remote_settings.initial_window_size)
            if len(request.body) > window:
                break
            try:
                posted = self._encode(place, request)
            except NoAvailableStreamIDError:
                self.is_open = False
                break
            waiting.popleft()
            made.append(posted)
        if made:
            self._flush(deadline)
        return made

    def _encode(self, place: int, request: HttpRequest) -> Posted:
        url = urlsplit(request.url)
        stream_id = self._h2.get_next_available_stream_id()
        headers = [
            (":method", request.method),
            (":scheme", self._scheme),
            (":authority", self._authority),
            (":path", f"{url.path or '/'}{'?' + url.query if url.query else ''}"),
            ("user-agent", "notifier"),
            *((name.lower(), value) for name, value in request.headers.items()),
        ]
        self._h2.send_headers(stream_id, headers, end_stream=not request.body)
        size, body = self._h2.max_outbound_frame_size, request.body
        for start in range(0, len(body), size):
            self._h2.send_data(stream_id, body[start : start + size], end_stream=start + size >= len(body))
        self._collect()
        posted = self._streams[stream_id] = Posted(place, stream_id, self._queued, monotonic())
        return posted

    def _time_out(self, mine: list[Posted], deadline: Deadline) -> float:
        """Ends those that waited too long; seconds until the next one will have."""
        now = monotonic()
        for one in mine:
            if one.result is None and (deadline.is_over() or now - one.heard_at >= deadline.read):
                self._is_doubted = True
                one.finish(Fault("deadline" if deadline.is_over() else "read_timeout"))
                self._forget(one.stream_id)
        self._close_if_done()
        ends = [one.heard_at + deadline.read - now for one in mine if one.result is None]
        return min([deadline.left(), *ends])

    def _read_all(self) -> None:
        """The reading thread."""
        poll = select.poll()
        try:
            while not self._is_closed:
                poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
                is_silent = not poll.poll(IDLE_CHECK_SECONDS * 1000)
                with self._condition:
                    if is_silent:
                        self.is_open = self.is_open and monotonic() - self._heard_at < LONGEST_IDLE_SECONDS
                        self._close_if_done()
                    else:
                        self._receive()
                    self._condition.notify_all()
        except Exception as error:
            log.error("connection not understood", exc_info=error)
            with self._condition:
                self._break("connection_dropped", type(error).__name__)
        finally:
            self._sock.close()

    def _receive(self) -> None:
        try:
            while not self._is_closed:
                data = self._sock.recv(PIECE)
                if not data:
                    self._break("connection_dropped")
                    return
                self._heard_at = monotonic()
                self._incoming += data
                for frame in whole_frames(self._incoming):
                    if frame[3] == GOAWAY:
                        self._go_away(frame[HEAD:])
                        continue
                    for event in self._h2.receive_data(frame):
                        self._on(event)
        except _WANTS:
            self._collect()
            self._flush(None)
            self._close_if_done()
        except (OSError, H2Error) as error:
            self._break("connection_dropped", type(error).__name__)

    def _go_away(self, payload: bytes) -> None:
        self.is_open = False
        last, detail = read_goaway(payload)
        for one in [one for one in self._streams.values() if one.stream_id > last]:
            one.finish(Fault("refused_stream", detail))
            del self._streams[one.stream_id]

    def _on(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged():
                self._is_settled = True
                self._most = min(self._h2.remote_settings.max_concurrent_streams, MOST_STREAMS)
            case PingAckReceived():
                self._pings += 1
                self._is_doubted = False
            case DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        one = self._streams.get(getattr(event, "stream_id", None) or 0)
        if one is None:
            return
        one.heard_at = monotonic()
        match event:
            case ResponseReceived():
                headers = {str(name): str(value) for name, value in event.headers}
                one.status = int(headers.pop(":status", "0"))
                one.headers = headers
            case DataReceived():
                one.body += event.data
                if len(one.body) > ANSWER_LIMIT:
                    one.finish(Fault("answer_too_large", f"More than {ANSWER_LIMIT} bytes."))
                    self._forget(one.stream_id)
            case StreamEnded():
                one.finish()
                del self._streams[one.stream_id]
            case Reset():
                is_refused = event.error_code == ErrorCodes.REFUSED_STREAM
                one.finish(Fault("refused_stream" if is_refused else "connection_dropped", f"RST {event.error_code}"))
                del self._streams[one.stream_id]

    def _forget(self, stream_id: int) -> None:
        """Tells the peer that nobody waits for this answer any more, and others that there is room."""
        self._condition.notify_all()
        if self._streams.pop(stream_id, None) and not self._is_closed:
            with suppress(H2Error):
                self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)
            self._collect()
            self._flush(None)

    def _collect(self) -> None:
        data = self._h2.data_to_send()
        self._outgoing += data
        self._queued += len(data)

    def _flush(self, deadline: Deadline | None) -> None:
        """Writes what is to be written; without a deadline only what can be at once."""
        self._collect()
        try:
            while self._outgoing:
                try:
                    count = self._sock.send(self._outgoing)
                except _WANTS:
                    if deadline is None:
                        return
                    poll = select.poll()
                    poll.register(self._sock, select.POLLOUT)
                    if not poll.poll(deadline.wait_for_peer() * 1000):
                        raise TimeoutError("the peer does not read") from None
                else:
                    del self._outgoing[:count]
                    self._written += count
        except OSError as error:
            self._break("connection_dropped", type(error).__name__)

    def _break(self, code: str, detail: str = "") -> None:
        """The connection is gone. What was not written to its last byte was not sent."""
        self.is_open = False
        for one in self._streams.values():
            one.finish(Fault(code if one.end <= self._written else "write_failed", detail))
        self._streams.clear()
        self._close_if_done()
        self._condition.notify_all()

    def _close_if_done(self) -> None:
        """The reading thread wakes up and closes the socket."""
        if not self.is_open and not self._streams and not self._is_closed:
            self._is_closed = True
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            self._condition.notify_all()
