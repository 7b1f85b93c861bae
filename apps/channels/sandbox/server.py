"""The sandbox's doors. Everything but /healthz needs `Authorization: Bearer <the sandbox secret>`.

POST /<channel>/messages     a batch (wire.SandboxBatch), up to 500
GET /messages                the newest kept messages; ?channel= &address= &delivery= &reference= &limit= (100, at most 1,000)
GET /messages/count          how many of them; same filters
DELETE /messages             forget messages and receipts (never the record)
GET, PUT /faults             {"sms": "down"}: every message of a channel behaves like that magic word, until changed
GET /healthz
"""

import asyncio
import hmac
import logging
from collections.abc import Callable

import msgspec

from apps.channels.sandbox.behaviour import DRIP_SECONDS, SLOW_SECONDS, WORDS
from apps.channels.sandbox.http11 import BadRequestError, Reply, Request, read_request
from apps.channels.sandbox.store import Kept, Store
from apps.channels.sandbox.wire import BATCH_LIMIT, SandboxBatch, SandboxRefusal, encode
from apps.channels.sandbox.world import Answer, World
from apps.core.enums import Channel

log = logging.getLogger(__name__)
CHANNELS = frozenset({Channel.EMAIL, Channel.SMS, Channel.PUSH})
FILTERS = ("channel", "address", "delivery", "reference")
MOST = 1_000
_batch = msgspec.json.Decoder(SandboxBatch)


class SandboxServer:
    """`on_receipts`: called after messages were taken that will have receipts."""

    def __init__(self, world: World, store: Store, secret: str, on_receipts: Callable[[], None]) -> None:
        self._world = world
        self._store = store
        self._bearer = f"Bearer {secret}".encode() if secret else b""
        self._on_receipts = on_receipts

    async def serve(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._talk, host, port, limit=64 * 1024, backlog=512)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await read_request(reader):
                answer = self._answer(request)
                if not await _write(writer, answer):
                    break
        except BadRequestError as error:
            writer.write(_refusal(400, str(error)).encode())
        except ConnectionError:
            log.debug("the client went away")
        except asyncio.CancelledError:
            log.debug("stopping")
        finally:
            writer.close()

    def _answer(self, request: Request) -> Answer:
        if request.path == "/healthz":
            return Answer(Reply(200), "")
        if not self._bearer or not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._bearer):
            return Answer(_refusal(401, "unauthenticated"), "")
        channel, _, rest = request.path[1:].partition("/")
        if request.method == "POST" and rest == "messages" and channel in CHANNELS:
            return self._take(channel, request.body)
        match request.method, request.path:
            case "GET", "/messages":
                return Answer(self._list(request), "")
            case "GET", "/messages/count":
                return Answer(Reply(200, encode({"count": self._store.count(**_filters(request))})), "")
            case "DELETE", "/messages":
                self._store.clear()
                return Answer(Reply(200), "")
            case "GET", "/faults":
                return Answer(Reply(200, encode(self._world.faults)), "")
            case "PUT", "/faults":
                return Answer(self._set_faults(request.body), "")
        return Answer(_refusal(404, "not_found"), "")

    def _take(self, channel: str, body: bytes) -> Answer:
        try:
            batch = _batch.decode(body)
        except msgspec.DecodeError as error:
            return Answer(_refusal(400, str(error)), "")
        if not 0 < len(batch.messages) <= BATCH_LIMIT:
            return Answer(_refusal(400, f"Send 1 to {BATCH_LIMIT} messages."), "")
        answer = self._world.take(channel, batch)
        self._on_receipts()
        return answer

    def _list(self, request: Request) -> Reply:
        text = request.query.get("limit", "100")
        limit = min(int(text), MOST) if text.isascii() and text.isdigit() else 100
        rows = self._store.messages(limit=limit, **_filters(request))
        return Reply(200, encode({"messages": [_shown(row) for row in rows]}))

    def _set_faults(self, body: bytes) -> Reply:
        try:
            faults = msgspec.json.decode(body, type=dict[str, str])
        except msgspec.DecodeError as error:
            return _refusal(400, str(error))
        if not set(faults) <= CHANNELS or not set(faults.values()) <= set(WORDS):
            return _refusal(400, "Send channels and magic words.")
        self._world.faults = faults
        return Reply(200, encode(faults))


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    """Whether the connection may be used again."""
    data = answer.reply.encode()
    match answer.connection:
        case "drop":
            writer.transport.abort()
            return False
        case "drip":
            for position in range(len(data)):
                writer.write(data[position : position + 1])
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
            return False
        case "slow":
            await asyncio.sleep(SLOW_SECONDS)
    writer.write(data)
    await writer.drain()
    return True


def _shown(row: Kept) -> dict[str, object]:
    return row._asdict() | {"content": msgspec.Raw(row.content.encode()), "taken": bool(row.taken)}


def _filters(request: Request) -> dict[str, str]:
    return {name: request.query[name] for name in FILTERS if name in request.query}


def _refusal(status: int, error: str) -> Reply:
    return Reply(status, encode(SandboxRefusal(error)))
