"""A simulator's side of an HTTP/2 connection: streams answered side by side, GOAWAY and RST_STREAM when told to."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from tests.simulators.base import Simulator
from tests.simulators.wire import Plan, Request


@dataclass
class _Stream:
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


class Streams:
    """`last`: the last stream that is acted on after GOAWAY; None before it."""

    def __init__(self, simulator: Simulator, transport: asyncio.Transport, number: int) -> None:
        self._simulator = simulator
        self._transport = transport
        self._number = number
        self._open: dict[int, _Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._bodies: dict[int, bytes] = {}
        self._ended = 0
        self._unanswered = 0
        self._last: int | None = None
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._is_trusted = not simulator.first_streams
        streams = simulator.first_streams or simulator.max_streams
        self._connection.local_settings = Settings(
            client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        )
        self._connection.initiate_connection()
        self._flush()

    def receive(self, data: bytes) -> None:
        try:
            events = self._connection.receive_data(data)
        except ProtocolError as error:
            self._simulator.errors.append(error)
            self._transport.close()
            return
        for event in events:
            self._on(event)
        self._flush()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _on(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._open[event.stream_id] = _Stream(dict(event.headers))
            case DataReceived():
                self._open[event.stream_id].body += event.data
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self._act(event.stream_id)
            case StreamReset():
                self._open.pop(event.stream_id, None)
                self._bodies.pop(event.stream_id, None)
            case WindowUpdated():
                self._send_bodies()

    def _act(self, stream_id: int) -> None:
        stream = self._open.pop(stream_id)
        self._ended += 1
        target = stream.headers[":path"]
        request = Request(
            stream.headers[":method"], target, stream.headers, bytes(stream.body), f"{self._simulator.url}{target}",
            self._number, version="2",
        )  # fmt: skip
        is_acted_on = self._last is None or stream_id <= self._last
        plan = self._simulator.handle(request, is_acted_on=is_acted_on)
        limit = self._simulator.conduct.goaway_after()
        if limit and self._ended >= limit and self._last is None:
            self._last = stream_id
            self._go_away(stream_id)
        if not is_acted_on:
            return
        self._unanswered += 1
        if plan.delay or plan.drip:
            task = asyncio.ensure_future(self._later(stream_id, plan))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            with suppress(ProtocolError):
                self._answer(stream_id, plan)

    def _go_away(self, last: int) -> None:
        """The frame by hand: h2 would let nothing follow it, but the streams up to `last` are still answered (RFC 9113, 6.8)."""
        self._flush()
        frame = GoAwayFrame(0, last_stream_id=last, error_code=ErrorCodes.NO_ERROR)
        self._transport.write(frame.serialize())

    async def _later(self, stream_id: int, plan: Plan) -> None:
        await asyncio.sleep(plan.delay)
        with suppress(ProtocolError):
            await self._drip(stream_id, plan) if plan.drip and plan.reply else self._answer(stream_id, plan)
        self._flush()

    async def _drip(self, stream_id: int, plan: Plan) -> None:
        assert plan.reply
        self._connection.send_headers(stream_id, [(":status", str(plan.reply.status))])
        for place in range(len(plan.reply.body)):
            self._flush()
            await asyncio.sleep(plan.drip)
            self._connection.send_data(stream_id, plan.reply.body[place : place + 1])
        await asyncio.sleep(plan.drip)
        self._connection.end_stream(stream_id)

    def _answer(self, stream_id: int, plan: Plan) -> None:
        self._unanswered -= 1
        if self._last is not None and not self._unanswered:
            # a moment after the last answer, so that what is under way still meets an open connection
            asyncio.get_running_loop().call_later(0.05, self._transport.close)
        if plan.reset:
            self._connection.reset_stream(stream_id, plan.reset)
        elif plan.reply is None:
            self._flush()
            self._transport.abort()
        else:
            if not self._is_trusted and plan.reply.status < 300:
                self._is_trusted = True
                self._connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self._simulator.max_streams})
            headers = {name.lower(): value for name, value in plan.reply.headers.items()}
            self._connection.send_headers(
                stream_id, [(":status", str(plan.reply.status)), *headers.items()], end_stream=not plan.reply.body
            )
            if plan.reply.body:
                self._bodies[stream_id] = plan.reply.body
                self._send_bodies()

    def _send_bodies(self) -> None:
        """As much as the client's windows allow."""
        for stream_id, body in list(self._bodies.items()):
            while body and (room := self._room(stream_id)):
                self._connection.send_data(stream_id, body[:room], end_stream=len(body) <= room)
                body = body[room:]
            self._bodies[stream_id] = body
            if not body:
                del self._bodies[stream_id]

    def _room(self, stream_id: int) -> int:
        window = self._connection.local_flow_control_window(stream_id)
        return min(window, self._connection.max_outbound_frame_size)

    def _flush(self) -> None:
        if data := self._connection.data_to_send():
            self._transport.write(data)
