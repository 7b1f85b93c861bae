"""How much each recipient got under each frequency cap, in Redis (counting.lua): one step for a whole batch, so never one too many.

A unit is a notification on a channel, whatever the number of devices; the same unit never counts twice. What Redis cannot know, because
it was emptied or restarted meanwhile, it says: then the caller brings what the ledger knows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from apps.core import redis

RESERVED, UNKNOWN = 0, -1
SINCE = "caps:since"


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a cap's counters at this moment. `window`: seconds of a rolling one, else 0, and then what `begins` when counts. `keeps`: seconds
    after which it may be forgotten."""

    limit: int
    window: float
    begins: datetime
    keeps: float


class Unit(NamedTuple):
    """`counters`: (name, shape) of what it counts under. `is_forced`: counts, but is never refused."""

    member: str
    counters: Sequence[tuple[str, Shape]]
    is_forced: bool = False


Known = Mapping[str, Sequence[tuple[str, datetime]]]
"""By counter: who took a place, and when."""
NOTHING: Known = {}


def counter_name(cap: str, recipient: str, label: str, is_test: bool) -> str:
    """`cap`, `recipient`: their ids in hexadecimal digits. What test keys send counts by itself."""
    return f"cap:{'t' if is_test else 'r'}:{cap}:{recipient}:{label}"


def member(notification_id: UUID, channel: str) -> str:
    return f"{notification_id.hex}:{channel}"


def reserve(
    units: Sequence[Unit], *, known: Known = NOTHING, told: datetime | None = None, recount: bool = False
) -> tuple[datetime, list[int]]:
    """Since when Redis has counted without a gap; and for each unit RESERVED, UNKNOWN, or n: its nth counter is full. `known` was read
    after the answer `told`: it holds for no other. `recount`: what happened until now was counted elsewhere. One step.

    Raises RedisError.
    """
    counters = {name: shape for unit in units for name, shape in unit.counters}
    places = {name: place for place, name in enumerate(counters, 1)}
    shapes = {id(shape): shape for shape in counters.values()}
    numbers = {each: number for number, each in enumerate(shapes, 1)}
    asked = {
        "recount": recount,
        "told": _moment(told) if told else 0,
        "shapes": [
            (_milliseconds(s.window), _moment(s.begins), s.limit, max(1_000, _milliseconds(s.keeps)))
            for s in shapes.values()
        ],
        "names": list(places),
        "keys": [numbers[id(shape)] for shape in counters.values()],
        "units": [(u.member, int(u.is_forced), *[places[name] for name, _ in u.counters]) for u in units],
        "known": {
            str(places[name]): [(taken, _moment(at)) for taken, at in each]
            for name, each in known.items()
            if name in places
        },
    }
    since, *verdicts = _script()(keys=[SINCE], args=[msgspec.json.encode(asked)])
    return datetime.fromtimestamp(int(since) / 1000, UTC), verdicts


def give_back(taken: Iterable[tuple[str, str]]) -> None:
    """(counter, member) of what is not sent after all. One step. Raises RedisError."""
    with redis.quick().pipeline(transaction=False) as pipe:
        for name, who in taken:
            pipe.zrem(name, who)
        pipe.execute()


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _moment(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@cache
def _script() -> Any:
    return redis.quick().register_script(Path(__file__).with_name("counting.lua").read_text())
