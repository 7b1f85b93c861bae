"""PostgreSQL and Redis of one directory: `with Servers.start(directory, durable=False) as servers: ...`."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from notifier.local.holding import ServerError, hold
from notifier.local.postgres import Postgres
from notifier.local.redis import Redis

__all__ = ["ServerError", "Servers"]


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class Servers:
    """Two running servers. Leaving the `with` block, or `stop()`, stops both and waits for them.

    They also stop when the process that started them ends in any way (on Linux; elsewhere the next start stops them).
    """

    postgres: Postgres
    redis: Redis
    _held: ExitStack

    @classmethod
    def start(cls, directory: Path, durable: bool, *, say: Callable[[str], None] = _silent) -> Self:
        """Return when both answer. `directory` is made if needed and serves one holder at a time.

        durable: data stay and a commit survives a power cut. Otherwise: free ports, no fsync, data gone after `stop()`.
        say: gets one sentence for everything out of the ordinary (a taken port, a left-over server).
        Raises ServerError; its message is meant for a person.
        """
        directory = directory.resolve()
        with ExitStack() as stack:
            stack.enter_context(hold(directory))
            redis = Redis(directory, durable=durable, say=say)
            stack.callback(redis.stop)
            redis.start()
            postgres = Postgres(directory, durable=durable, say=say)
            stack.callback(postgres.stop)
            postgres.start()
            return cls(postgres, redis, stack.pop_all())

    @property
    def database_url(self) -> str:
        return self.postgres.database_url

    @property
    def redis_url(self) -> str:
        return self.redis.redis_url

    def stop(self) -> None:
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
