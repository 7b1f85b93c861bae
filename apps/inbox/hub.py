"""One Redis connection for all open streams of a process: it listens on the channels of connected recipients and rings their bells.

A bell has no content and rings once however often it was struck, so a slow stream holds nothing back and nothing piles up.
When Redis was away, every bell rings once the channels are listened to again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import uniform
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from apps.inbox.pokes import REST_SECONDS, channel_of

log = logging.getLogger(__name__)

MOST_PER_RECIPIENT = 20
PING_SECONDS = 10.0
_HOME = "ntf:inbox"


class TooManyStreamsError(Exception):
    """This recipient has MOST_PER_RECIPIENT streams open on this process."""


class Bell:
    """What a stream waits on."""

    def __init__(self) -> None:
        self._struck = asyncio.Event()
        self._heard = asyncio.Event()
        self.is_gone = False

    def strike(self) -> None:
        self._struck.set()

    def hear(self) -> None:
        """Its channel is listened to. Whoever stopped waiting for that may have missed something."""
        if self._heard.is_set():
            self.strike()
        self._heard.set()

    def leave(self) -> None:
        """The client went away: wakes the stream for the last time."""
        self.is_gone = True
        self.strike()

    async def until_heard(self, seconds: float) -> None:
        """At most so long: without Redis a stream begins all the same."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)
        self._heard.set()

    async def wait(self, seconds: float) -> bool:
        """Whether it was struck in that time, or since the last wait."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._struck.wait(), seconds)
        was_struck = self._struck.is_set()
        self._struck.clear()
        return was_struck


class Hub:
    """Starts with its first stream. `stop` ends it for good."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._bells: dict[str, set[Bell]] = {}
        self._heard: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._was_away = False

    @property
    def is_working(self) -> bool:
        """False when a fault of ours ended it; a missing Redis does not."""
        return self._task is None or not self._task.done()

    @property
    def streams(self) -> int:
        return sum(map(len, self._bells.values()))

    @asynccontextmanager
    async def bell(self, recipient_id: UUID) -> AsyncIterator[Bell]:
        """A bell that rings for this recipient, listened to from the start if Redis answers within a second.

        Raises TooManyStreamsError.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._keep_listening())
        channel, bell = channel_of(recipient_id), Bell()
        bells = self._bells.setdefault(channel, set())
        if len(bells) >= MOST_PER_RECIPIENT:
            raise TooManyStreamsError
        bells.add(bell)
        self._changed.set()
        try:
            if channel not in self._heard:
                await bell.until_heard(1.0)
            else:
                bell.hear()
            yield bell
        finally:
            bells.discard(bell)
            if not bells and self._bells.get(channel) is bells:
                del self._bells[channel]
                self._changed.set()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_listening(self) -> None:
        pause = 0.1
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                self._was_away = True
                log.warning("redis is away: open inbox streams hear nothing until it is back", exc_info=error)
            pause = 0.1 if asyncio.get_running_loop().time() - started > 10 else min(pause * 2, 2.0)
            await asyncio.sleep(pause * uniform(0.5, 1.0))

    async def _listen(self) -> None:
        """Returns never; raises when the connection is lost or deaf."""
        client = Redis.from_url(
            self._url,
            socket_timeout=None,
            socket_connect_timeout=1.0,
            socket_keepalive=True,
            health_check_interval=0,
            retry=Retry(NoBackoff(), 0),
        )
        pubsub = client.pubsub()
        tasks: list[asyncio.Task[None]] = []
        again: asyncio.TimerHandle | None = None
        try:
            async with asyncio.timeout(2.0):
                await pubsub.subscribe(_HOME)
            if self._was_away:
                again = asyncio.get_running_loop().call_later(REST_SECONDS * 1.5, self._strike_all)
            tasks = [asyncio.create_task(self._subscribe(pubsub)), asyncio.create_task(self._hear(pubsub))]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            self._heard.clear()
            if again is not None:
                again.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
                    await client.aclose()

    async def _subscribe(self, pubsub: PubSub) -> None:
        """Keeps the channels that Redis sends in step with the streams that are open; asks for a sign of life when nothing changes."""
        asked: set[str] = set()
        self._changed.set()
        while True:
            try:
                await asyncio.wait_for(self._changed.wait(), PING_SECONDS)
            except TimeoutError:
                await pubsub.ping()
                continue
            self._changed.clear()
            wanted = set(self._bells)
            if unwanted := asked - wanted:
                self._heard -= unwanted
                await pubsub.unsubscribe(*unwanted)
            if missing := wanted - asked:
                await pubsub.subscribe(*missing)
            asked = wanted

    async def _hear(self, pubsub: PubSub) -> None:
        silence = PING_SECONDS * 2.5
        while True:
            message = await pubsub.get_message(timeout=silence)
            if message is None:
                raise TimeoutError(f"Redis was silent for {silence:.0f} s.")
            kind, channel = message["type"], _text(message["channel"])
            if kind == "subscribe" and channel in self._bells:
                self._heard.add(channel)
                for bell in self._bells[channel]:
                    bell.hear()
            elif kind == "message":
                for bell in self._bells.get(channel, ()):
                    bell.strike()

    def _strike_all(self) -> None:
        """Once more a moment after the connection stands: processes that found Redis away are only now publishing again."""
        for bells in self._bells.values():
            for bell in bells:
                bell.strike()


def _text(channel: bytes | str | None) -> str:
    return channel.decode() if isinstance(channel, bytes) else channel or ""
