"""Rate limits as buckets that refill evenly (GCRA), several asked in one step: all give, or none does.

Kept in Redis, by Redis' clock. While Redis is away, every process keeps buckets of its own with the same parameters, so a
limit then holds per process. After a failure Redis is left alone for REST_SECONDS, so that requests do not each wait for it.
A cost above the burst waits for a full bucket and is charged in full: the rate holds over time.
Generic Cell Rate Algorithm: ITU-T I.371, as a virtual scheduling algorithm.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from time import monotonic
from typing import Any

from apps.core import redis

log = logging.getLogger(__name__)

REST_SECONDS = 1.0
MOST_LOCAL = 10_000

# For each bucket the moment (microseconds) at which it will be full again is stored. Times are integers: Lua would cut digits.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local cost = tonumber(ARGV[1])
local wait, full, after = 0, {}, {}
for i, key in ipairs(KEYS) do
    local step, burst = 1000000 / ARGV[2 * i], tonumber(ARGV[2 * i + 1])
    full[i] = math.max(tonumber(redis.call('GET', key)) or 0, now)
    after[i] = full[i] + cost * step
    wait = math.max(wait, full[i] + math.min(cost, burst) * step - now - burst * step)
end
local reply = {wait < 1 and 1 or 0, math.ceil(wait)}
for i, key in ipairs(KEYS) do
    if wait < 1 then
        full[i] = after[i]
        redis.call('SET', key, string.format('%.0f', full[i]), 'PX', math.ceil((full[i] - now) / 1000) + 1000)
    end
    reply[i + 2] = string.format('%.0f', full[i] - now)
end
return reply
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`rate` tokens a second, at most `burst` at once. `alone`: the share of both that this process keeps while Redis is away."""

    key: str
    rate: float
    burst: int
    alone: float = 1.0


@dataclass(frozen=True, slots=True)
class Level:
    """What is left: whole tokens, and seconds until the bucket is full."""

    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """`retry_after`: seconds until the same cost would be given (0 when it was). `levels`: one per bucket, in order."""

    is_allowed: bool
    retry_after: float
    levels: tuple[Level, ...]


def take(buckets: Sequence[Bucket], cost: int = 1) -> Verdict:
    """`cost` tokens from each bucket, or from none. Never raises for a missing Redis."""
    global _rest_until
    if monotonic() >= _rest_until:
        try:
            allowed, wait, *fill = _script()(
                keys=[bucket.key for bucket in buckets],
                args=[cost, *(argument for bucket in buckets for argument in (bucket.rate, bucket.burst))],
            )
        except redis.RedisError as error:
            _rest_until = monotonic() + REST_SECONDS
            log.warning("redis is away: rate limits hold per process", exc_info=error)
        else:
            return _verdict(buckets, bool(allowed), wait / 1e6, [int(micros) / 1e6 for micros in fill])
    return _take_here([_alone(bucket) for bucket in buckets], cost)


def most_at_once(bucket: Bucket) -> int:
    """What it gives at once, when it is full."""
    return bucket.burst if monotonic() >= _rest_until else _alone(bucket).burst


def _alone(bucket: Bucket) -> Bucket:
    return Bucket(bucket.key, bucket.rate * bucket.alone, max(1, round(bucket.burst * bucket.alone)))


@cache
def _script() -> Any:
    return redis.quick().register_script(_TAKE)


_rest_until = 0.0
_local: OrderedDict[str, float] = OrderedDict()
_lock = Lock()


def _take_here(buckets: Sequence[Bucket], cost: int) -> Verdict:
    """The same in this process; the buckets longest unused are forgotten beyond MOST_LOCAL."""
    now = monotonic()
    with _lock:
        full = [max(_local.get(bucket.key, 0.0), now) for bucket in buckets]
        wait = max(
            moment - now + (min(cost, bucket.burst) - bucket.burst) / bucket.rate
            for moment, bucket in zip(full, buckets, strict=True)
        )
        is_allowed = wait < 1e-6
        if is_allowed:
            full = [moment + cost / bucket.rate for moment, bucket in zip(full, buckets, strict=True)]
            for moment, bucket in zip(full, buckets, strict=True):
                _local[bucket.key] = moment
                _local.move_to_end(bucket.key)
            while len(_local) > MOST_LOCAL:
                _local.popitem(last=False)
    return _verdict(buckets, is_allowed, wait, [moment - now for moment in full])


def _verdict(buckets: Sequence[Bucket], is_allowed: bool, wait: float, fill: Sequence[float]) -> Verdict:
    levels = (
        Level(max(0, int(bucket.burst - seconds * bucket.rate + 1e-3)), seconds)
        for bucket, seconds in zip(buckets, fill, strict=True)
    )
    return Verdict(is_allowed, 0.0 if is_allowed else wait, tuple(levels))
