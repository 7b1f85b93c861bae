"""The servers: HTTP/1.1 by hand, for speed, and HTTP/2 by h2, on one port, with or without TLS."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, cast

from tests.simulators.base import Simulator
from tests.simulators.certificates import write_certificate
from tests.simulators.http2 import Streams
from tests.simulators.posting import Poster
from tests.simulators.wire import Plan, Reply, Request

PREFACE = b"PRI * HTTP/2.0"
AnySimulator = TypeVar("AnySimulator", bound=Simulator)


class Connection(asyncio.Protocol):
    """One connection of HTTP/1.1, or of HTTP/2 when it begins with that preface. Requests are answered in order."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._data = bytearray()
        self._is_busy = False
        self._streams: Streams | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._simulator.connections += 1
        self._number = self._simulator.connections
        self._simulator.open.add(self._transport)
        if self._simulator.conduct.closes_at_once():
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._simulator.open.discard(self._transport)
        if self._streams:
            self._streams.stop()

    def data_received(self, data: bytes) -> None:
        if self._simulator.is_deaf:
            return
        if self._streams:
            self._streams.receive(data)
            return
        self._data += data
        if self._data.startswith(PREFACE):
            self._streams = Streams(self._simulator, self._transport, self._number)
            self._streams.receive(bytes(self._data))
        elif not self._is_busy:
            self._next()

    def _next(self) -> None:
        while not self._transport.is_closing() and (request := self._read()):
            plan = self._simulator.handle(request)
            if plan.delay or plan.drip:
                self._is_busy = True
                self._task = asyncio.ensure_future(self._later(plan))
                return
            self._answer(plan)

    def _read(self) -> Request | None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return None
        start, *lines = self._data[:end].decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "transfer-encoding" in headers:
            raise ValueError("The simulators read no chunked requests.")
        if headers.get("expect") == "100-continue" and len(self._data) == end + 4:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        stop = end + 4 + int(headers.get("content-length", "0"))
        if len(self._data) < stop:
            return None
        body = bytes(self._data[end + 4 : stop])
        del self._data[:stop]
        method, target, _ = start.split(" ")
        url = f"{self._simulator.url}{target}"
        return Request(method, target, headers, body, url, self._number)

    def _answer(self, plan: Plan) -> None:
        if plan.reply is None:
            self._transport.abort()
        else:
            self._transport.write(encoded(plan.reply))

    async def _later(self, plan: Plan) -> None:
        await asyncio.sleep(plan.delay)
        if plan.drip and plan.reply:
            data = encoded(plan.reply)
            for place in range(len(data)):
                if self._transport.is_closing():
                    return
                self._transport.write(data[place : place + 1])
                await asyncio.sleep(plan.drip)
        else:
            self._answer(plan)
        self._is_busy = False
        self._next()


def encoded(reply: Reply) -> bytes:
    headers = {"Content-Type": "application/json", **reply.headers, "Content-Length": str(len(reply.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} {_phrase(reply.status)}\r\n{lines}\r\n".encode() + reply.body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


async def serve(
    simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0, tls: Path | None = None
) -> asyncio.Server:
    """Listens, with the poster of receipts beside it. `tls`: a directory for the certificate; None: without TLS."""
    loop = simulator.loop = asyncio.get_running_loop()
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        bundle = write_certificate(tls)
        context.load_cert_chain(bundle)
        context.set_alpn_protocols(["h2", "http/1.1"])
        simulator.ca_bundle = str(bundle)
    server = await loop.create_server(lambda: Connection(simulator), host, port, ssl=context, backlog=1024)
    scheme = "https" if context else "http"
    simulator.url = f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}"
    simulator.on_events = Poster(simulator, loop).plan
    return server


@contextmanager
def running(
    simulator: AnySimulator, *, port: int = 0, tls: bool = False, record: Path | None = None, receipts_to: str = ""
) -> Iterator[AnySimulator]:
    """Serves in a thread of this process until the block ends. Raises what `reply` raised, when it raised something."""
    simulator.record_to(record)
    simulator.receipts_to = receipts_to
    with TemporaryDirectory(prefix="sim-") as directory:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name=f"simulator-{simulator.name}", daemon=True)
        thread.start()
        try:
            place = Path(directory) if tls else None
            server = asyncio.run_coroutine_threadsafe(serve(simulator, port=port, tls=place), loop).result(10)
            try:
                yield simulator
            finally:
                asyncio.run_coroutine_threadsafe(_stop(simulator, server), loop).result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()
            simulator.record.close()
    if simulator.errors:
        raise simulator.errors[0]


async def _stop(simulator: Simulator, server: asyncio.Server) -> None:
    """With every connection and everything under way."""
    server.close()
    while others := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
        # again and again: in Python 3.11 wait_for may swallow a cancellation
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=0.1)
    await asyncio.sleep(0.01)
    for _ in range(100):
        for transport in list(simulator.open):
            transport.abort()
        await asyncio.sleep(0.01)
        if not simulator.open:
            return
