"""Receipts on their way: posted when due, a few connections at a time, again after a failure, as providers do."""

import asyncio
import heapq
import ssl
from contextlib import suppress
from itertools import count
from time import time
from urllib.parse import urlsplit

from apps.core.types import ProviderCall
from tests.simulators.base import Simulator
from tests.simulators.wire import Event

AT_ONCE = 8
TRIES = 8
PATIENCE = 15.0
LONGEST_PAUSE = 30.0
Planned = tuple[float, Event, bool]


class Poster:
    """`plan` may be called from the loop's thread only."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self._simulator = simulator
        self._loop = loop
        self._order = count()
        self._due: list[tuple[float, int, Event, bool]] = []
        self._calls: asyncio.Queue[tuple[ProviderCall, int]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()

    def plan(self, planned: list[Planned]) -> None:
        for due, event, is_forged in planned:
            heapq.heappush(self._due, (due, next(self._order), event, is_forged))
        if not self._tasks:
            self._tasks = [self._loop.create_task(self._post_all()) for _ in range(AT_ONCE)]
            self._tasks.append(self._loop.create_task(self._watch()))
        self._wake.set()

    async def _watch(self) -> None:
        while True:
            self._wake.clear()
            wait = self._due[0][0] - time() if self._due else PATIENCE
            if wait > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                continue
            self._make_calls()
            await asyncio.sleep(0)

    def _make_calls(self) -> None:
        """Of the events that are due and go the same way, up to `receipts_per_call` in one call."""
        now = time()
        groups: dict[tuple[str, bool], list[Event]] = {}
        while self._due and self._due[0][0] <= now:
            _, _, event, is_forged = heapq.heappop(self._due)
            groups.setdefault((event.taken.receipts_to, is_forged), []).append(event)
        size = self._simulator.receipts_per_call
        for (_, is_forged), events in groups.items():
            for start in range(0, len(events), size):
                call = self._simulator.receipts_call(events[start : start + size])
                if call is not None:
                    self._calls.put_nowait((self._simulator.forged(call) if is_forged else call, 1))

    async def _post_all(self) -> None:
        line = Line()
        try:
            while True:
                await self._post(line, *await self._calls.get())
        finally:
            line.close()

    async def _post(self, line: "Line", call: ProviderCall, number: int) -> None:
        try:
            status = await asyncio.wait_for(line.post(call), PATIENCE)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            line.close()
            status = 0
        self._simulator.posted[status] += 1
        self._simulator.calls.append((status, call))
        del self._simulator.calls[:-10_000]
        if not 200 <= status < 300 and status not in {401, 403} and number < TRIES:
            pause = min(0.5 * 2**number, LONGEST_PAUSE)
            self._loop.call_later(pause, self._calls.put_nowait, (call, number + 1))


class Line:
    """One kept connection to wherever the last call went."""

    def __init__(self) -> None:
        self._place: tuple[str, str] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, call: ProviderCall) -> int:
        """The status answered. Raises OSError, IncompleteReadError."""
        url = urlsplit(call.url)
        place = (url.scheme, url.netloc)
        if self._writer is None or self._place != place or self._reader.at_eof():
            self.close()
            context = ssl.create_default_context() if url.scheme == "https" else None
            port = url.port or (443 if context else 80)
            self._reader, self._writer = await asyncio.open_connection(url.hostname, port, ssl=context)
            self._place = place
        target = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
        headers = {"host": url.netloc, **call.headers, "content-length": str(len(call.body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._writer.write(f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + call.body)
        return await self._answer()

    async def _answer(self) -> int:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.strip().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "content-length" in headers:
            await self._reader.readexactly(int(headers["content-length"]))
        if "content-length" not in headers or headers.get("connection", "").lower() == "close":
            self.close()
        return int(start.split(" ")[1])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
