"""The live side of the inbox: an ASGI application that sends a recipient's counts as server-sent events.

    GET /v1/inbox/stream?token=...   `event: counts` at once, after every change, and again after any interruption
    GET /healthz                     whether this process works, and how many streams it holds

A poke only says that something changed; the counts are read from the database each time. Several pokes in a
row become one event. Format: HTML Standard, section 9.2 (server-sent events). Interface: ASGI 3.0.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import msgspec
from django.conf import settings
from django.db import Error as DatabaseError

from apps.core import clock, ids
from apps.core.problem_codes import Code
from apps.core.problems import MEDIA_TYPE, ProblemBody
from apps.inbox.hub import Bell, Hub, TooManyStreamsError
from apps.inbox.origins import cors_headers, preflight_headers
from apps.inbox.reading import CountsReader
from apps.inbox.selectors import Counts
from apps.inbox.serializers import InboxCounts
from apps.inbox.tokens import InboxViewer, bearer_token, viewer_of

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEARTBEAT_SECONDS = 15.0
HEARTBEATS_PER_READ = 4
COALESCE_SECONDS = 0.1
READ_SECONDS = 10.0
SEND_SECONDS = 30.0
_HEARTBEAT = b": still here\n\n"
_EXPIRED = b"event: expired\ndata: {}\n\n"


class InboxStream:
    """`application` of notifier/asgi.py."""

    def __init__(self) -> None:
        self._hub = Hub(settings.REDIS_URL)
        self._reader = CountsReader()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._route(scope, receive, send)
            case "lifespan":
                await self._live(receive, send)
            case "websocket":
                await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.shutdown":
                await self._hub.stop()
                await self._reader.close()
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin", "")
        match scope["path"], scope["method"]:
            case "/v1/inbox/stream", "GET":
                query = parse_qs(scope["query_string"].decode("latin-1"))
                token = query.get("token", [""])[0] or bearer_token(headers.get("authorization", ""))
                await self._open(viewer_of(token, now=clock.now()), cors_headers(origin), scope["path"], receive, send)
            case "/v1/inbox/stream", "OPTIONS":
                await _answer(send, 204, b"", preflight_headers(origin))
            case "/healthz", "GET":
                health = {"status": "ok" if self._hub.is_working else "broken", "streams": self._hub.streams}
                await _answer(send, 200 if self._hub.is_working else 503, msgspec.json.encode(health))
            case ("/v1/inbox/stream" | "/healthz") as path, _:
                await _refuse(send, Code.METHOD_NOT_ALLOWED, path, {"Allow": "GET"})
            case path, _:
                await _refuse(send, Code.NOT_FOUND, path)

    async def _open(
        self, viewer: InboxViewer | None, cors: dict[str, str], path: str, receive: Receive, send: Send
    ) -> None:
        if viewer is None:
            return await _refuse(send, Code.INBOX_TOKEN_INVALID, path, cors)
        try:
            async with self._hub.bell(viewer.recipient_id) as bell:
                watch = asyncio.create_task(_leave_with_client(bell, receive))
                try:
                    await self._pump(viewer, bell, cors, send)
                finally:
                    watch.cancel()
        except TooManyStreamsError:
            await _refuse(send, Code.THROTTLED, path, cors | {"Retry-After": "15"})

    async def _pump(self, viewer: InboxViewer, bell: Bell, cors: dict[str, str], send: Send) -> None:
        """A client that does not read for SEND_SECONDS is let go."""
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} | cors
        await _start(send, 200, headers)
        with suppress(TimeoutError):
            async for event in self._events(viewer, bell):
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self, viewer: InboxViewer, bell: Bell) -> AsyncIterator[bytes]:
        """Until the client leaves or the token ends. Pokes are lossy, so every few heartbeats the counts are read unasked."""
        yield b"retry: 3000\n\n"
        sent: Counts | None = None
        beats = 0
        bell.strike()
        while (left := (viewer.expires_at - clock.now()).total_seconds()) > 0:
            was_struck = await bell.wait(min(HEARTBEAT_SECONDS, left))
            if bell.is_gone:
                return
            beats = 0 if was_struck else beats + 1
            found = await self._read(viewer, bell) if was_struck or beats == HEARTBEATS_PER_READ else sent
            beats %= HEARTBEATS_PER_READ
            if found is None or (found == sent and not was_struck):
                yield _HEARTBEAT
                continue
            sent = found
            yield _event(found)
            await asyncio.sleep(COALESCE_SECONDS)
        yield _EXPIRED

    async def _read(self, viewer: InboxViewer, bell: Bell) -> Counts | None:
        """None while the database is away: the stream stays open, and its bell rings again in two seconds."""
        try:
            return await asyncio.wait_for(self._reader.counts(viewer), READ_SECONDS)
        except (DatabaseError, TimeoutError) as error:
            log.warning("database unavailable: an inbox stream waits", exc_info=error)
            asyncio.get_running_loop().call_later(2.0, bell.strike)
            return None


def _event(found: Counts) -> bytes:
    data = msgspec.json.encode(InboxCounts(unread_count=found.unread, unseen_count=found.unseen))
    return b"event: counts\ndata: " + data + b"\n\n"


async def _leave_with_client(bell: Bell, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    bell.leave()


async def _refuse(send: Send, code: Code, path: str, headers: dict[str, str] | None = None) -> None:
    request_id = ids.show(ids.REQUEST, ids.new())
    body = ProblemBody(
        type=f"{settings.PUBLIC_URL}/docs/errors#{code}",
        title=code.meaning,
        status=code.status,
        code=code,
        detail=code.meaning,
        instance=path,
        request_id=request_id,
    )
    headers = {"Content-Type": MEDIA_TYPE, "X-Request-Id": request_id} | (headers or {})
    await _answer(send, code.status, msgspec.json.encode(body), headers)


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    length = {} if status == 204 else {"Content-Length": str(len(body))}
    await _start(send, status, {"Content-Type": "application/json"} | (headers or {}) | length)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
