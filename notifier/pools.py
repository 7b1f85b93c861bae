"""The worker pools: which queues each serves, with what, and how many at once.

The local runner, docker-compose.yml and the docs read this one table. A lane's pool serves that lane's routing and its four channels;
`share` bounds what one queue may occupy of the pool's threads, so that a hung channel cannot hold the others. Each of these queues has
another beside it, where what tenants have who have little in it goes past the batches of others (draining.py): by one thread, which is
in another process than those batches but for critical work. That has workers of its own, and bulk lanes yield the processor (`nice`).
NOTIFIER_POOLS changes sizes without touching the code: `marketing=20:4,critical=40,social=10:2x3` is concurrency, and share and
processes if given, by pool.

One process is one core of Python, and threads that compete for it waste some of it: two processes take 1.7 times what one takes.
"""

import re
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
    processes: int = 1


def lane_queues(lane: str) -> tuple[str, ...]:
    return (f"route.{lane}", *(f"send.{lane}.{channel}" for channel in CHANNELS))


def beside(queue: str) -> str:
    """Where it is rung for those who have little in a queue of a lane."""
    return f"few.{queue}"


def _few_queues(*lanes: str) -> tuple[str, ...]:
    return tuple(beside(queue) for lane in lanes for queue in lane_queues(lane))


_DEFAULTS: tuple[Pool, ...] = (
    Pool("critical", (*lane_queues("critical"), *_few_queues("critical")), "threads", concurrency=15, share=2),
    Pool("transactional", lane_queues("transactional"), "threads", concurrency=10, share=2, processes=2),
    Pool("social", lane_queues("social"), "threads", concurrency=10, share=2, nice=5),
    Pool("marketing", lane_queues("marketing"), "threads", concurrency=5, share=1, nice=10),
    Pool("few", _few_queues("transactional", "social", "marketing"), "threads", concurrency=15, share=1),
    Pool("bulk", ("campaigns", "bulk"), "threads", concurrency=2, share=1, nice=10, processes=2),
    Pool("system", ("receipts", "webhooks", "schedules", "system"), "threads", concurrency=8, share=2),
)


_CHANGE = re.compile(r"(?P<name>\w+)=(?P<concurrency>[1-9]\d*)(:(?P<share>[1-9]\d*))?(x(?P<processes>[1-9]\d*))?")


def resized(pools: tuple[Pool, ...], changes: list[str]) -> tuple[Pool, ...]:
    """The pools with other sizes. A change that names no pool or no whole numbers from 1 up is noted for `env.check()`."""
    sizes: dict[str, dict[str, int]] = {}
    for change in changes:
        found = _CHANGE.fullmatch(change)
        if found is None or found["name"] not in {pool.name for pool in pools}:
            env.note(f"NOTIFIER_POOLS: {change!r} is not <pool>=<concurrency>[:<share>][x<processes>].")
            continue
        given = {size: found[size] for size in ("concurrency", "share", "processes")}
        sizes[found["name"]] = {size: int(number) for size, number in given.items() if number}
    return tuple(replace(pool, **sizes.get(pool.name, {})) for pool in pools)  # type: ignore[arg-type]


POOLS = resized(_DEFAULTS, env.words("NOTIFIER_POOLS"))
QUEUES: tuple[str, ...] = tuple(queue for pool in POOLS for queue in pool.queues)
BESIDE: dict[str, str] = {beside(queue): queue for lane in LANES for queue in lane_queues(lane)}
SHARES: dict[str, int] = {queue: 1 if queue in BESIDE else pool.share for pool in POOLS for queue in pool.queues}
