"""The sandbox in a thread of a test."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.channels import transport
from apps.channels.sandbox.process import Options, Sandbox

SECRET = "a-secret"


@contextmanager
def sandbox(
    path: Path, *, receipts_after: float | None = None, door: str = "http://127.0.0.1:9", secret: str = SECRET
) -> Iterator[str]:
    """Its URL; the record is `record.jsonl` in `path`."""
    options = Options("127.0.0.1", 0, path / "store.sqlite3", path / "record.jsonl", receipts_after, door, secret)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    world = Sandbox(options)
    try:
        port = asyncio.run_coroutine_threadsafe(world.__aenter__(), loop).result(5)
        yield f"http://127.0.0.1:{port}"
        transport.close_connections()
    finally:
        asyncio.run_coroutine_threadsafe(_stop(world), loop).result(15)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(world: Sandbox) -> None:
    await world.__aexit__()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
