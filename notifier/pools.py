"""The worker pools: which queues each serves, with what, and how many at once.

The local runner, docker-compose.yml and the docs read this one table. A lane's pool serves that lane's routing and its four channels;
`share` bounds what one queue may occupy of the pool's threads, so that a hung channel cannot hold the others. Critical work
has workers of its own, and bulk lanes yield the processor (`nice`). NOTIFIER_POOLS changes sizes without touching the code:
`marketing=20:4,critical=40` is concurrency, and share if given, by pool.
"""

from dataclasses import dataclass, replace
from typing import Literal

from notifier import env

CHANNELS = ("push", "email", "sms", "in_app")
LANES = ("critical", "transactional", "social", "marketing")


@dataclass(frozen=True)
class Pool:
    name: str
    queues: tuple[str, ...]
    pool: Literal["threads", "prefork", "solo"]
    concurrency: int
    share: int
    nice: int = 0


def lane_queues(lane: str) -> tuple[str, ...]:
    return (f"route.{lane}", *(f"send.{lane}.{channel}" for channel in CHANNELS))


_DEFAULTS: tuple[Pool, ...] = (
    Pool("critical", lane_queues("critical"), "threads", concurrency=20, share=4),
    Pool("transactional", lane_queues("transactional"), "threads", concurrency=10, share=2),
    Pool("social", lane_queues("social"), "threads", concurrency=10, share=2, nice=5),
    Pool("marketing", lane_queues("marketing"), "threads", concurrency=10, share=2, nice=10),
    Pool("system", ("receipts", "system"), "threads", concurrency=4, share=2),
)


def resized(pools: tuple[Pool, ...], changes: list[str]) -> tuple[Pool, ...]:
    """The pools with other sizes. A change that names no pool or no whole numbers from 1 up is noted for `env.check()`."""
    sizes: dict[str, tuple[int, int | None]] = {}
    for change in changes:
        name, _, size = change.partition("=")
        concurrency, _, share = size.partition(":")
        is_number = (
            concurrency.isdecimal() and int(concurrency) > 0 and (not share or (share.isdecimal() and int(share) > 0))
        )
        if name not in {pool.name for pool in pools} or not is_number:
            env.note(f"NOTIFIER_POOLS: {change!r} is not <pool>=<concurrency>[:<share>].")
            continue
        sizes[name] = (int(concurrency), int(share) if share else None)
    return tuple(
        replace(pool, concurrency=sizes[pool.name][0], share=sizes[pool.name][1] or pool.share)
        if pool.name in sizes
        else pool
        for pool in pools
    )


POOLS = resized(_DEFAULTS, env.words("NOTIFIER_POOLS"))
QUEUES: tuple[str, ...] = tuple(queue for pool in POOLS for queue in pool.queues)
SHARES: dict[str, int] = {queue: pool.share for pool in POOLS for queue in pool.queues}
