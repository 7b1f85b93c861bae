"""The whole sandbox, put together and run until it is told to stop."""

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path

from apps.channels.sandbox.callbacks import Callbacks
from apps.channels.sandbox.record import Record
from apps.channels.sandbox.server import SandboxServer
from apps.channels.sandbox.store import Store
from apps.channels.sandbox.world import World


@dataclass(frozen=True, slots=True)
class Options:
    """`receipts_after` in seconds, None for no receipts; `door`: where receipts go; `port` 0: any that is free."""

    host: str
    port: int
    store: Path
    record: Path | None
    receipts_after: float | None
    door: str
    secret: str


class Sandbox:
    """`async with Sandbox(options) as port:` serves until the block ends."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._store = Store(options.store)
        self._record = Record(options.record)
        self._world = World(self._store, self._record, options.receipts_after)
        self._callbacks = Callbacks(Store(options.store), options.door, options.secret)

    async def __aenter__(self) -> int:
        options = self._options
        server = SandboxServer(self._world, self._store, options.secret, self._callbacks.nudge)
        self._server = await server.serve(options.host, options.port)
        self._callbacks.start()
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.to_thread(self._callbacks.stop)
        self._store.close()
        self._record.close()


async def run(options: Options) -> None:
    """Serves until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with Sandbox(options):
        await stopped.wait()
