"""What a summary says about the messages that it sums up: `digest` in its data. Pure.

The newest ones in detail, at most MOST_ITEMS and within MOST_BYTES, oldest first; the rest as numbers. The same thing (type, actor
and object) is one item, told as it was told last, however often it came.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

MOST_ITEMS = 50
MOST_ACTORS = 50
MOST_BYTES = 64 * 1024
_LEAST_FOR_ITEMS = 8 * 1024
_LONGEST_NAME = 100
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Item:
    """One message, or `count` that are the same. `content`: the caller's own, where no template is named."""

    event_type: str
    template_key: str
    content: Mapping[str, str]
    data: Mapping[str, Any]
    actor_id: str
    object_id: str
    at: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class Actor:
    """`types`: of what they did."""

    id: str
    name: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """`total`: messages that it stands for; `types`: how many of each event type; `others`: actors who are not listed. `frequency`: of
    a recipient's digest. `group`: what in-app items of the same group have in common, `object_id`: what all are about. `replaces`:
    notifications whose place in the feed it takes."""

    kind: str
    since: datetime
    total: int
    types: Mapping[str, int]
    actors: tuple[Actor, ...]
    others: int
    items: tuple[Item, ...]
    frequency: str = ""
    group: str = ""
    object_id: str = ""
    replaces: tuple[UUID, ...] = ()


def digest_of(data: Mapping[str, Any]) -> Digest | None:
    """From the data of a summary; None where that was erased."""
    return msgspec.convert(data["digest"], Digest) if "digest" in data else None


def data_of(digest: Digest) -> Mapping[str, Any]:
    """Of a summary."""
    return {"digest": msgspec.to_builtins(digest)}


def sum_up(
    items: Iterable[Item],
    *,
    kind: str,
    since: datetime,
    sensitive: Mapping[str, Collection[str]] = NOTHING,
    before: Digest | None = None,
    frequency: str = "",
    group: str = "",
    replaces: Iterable[UUID] = (),
) -> Digest:
    """`sensitive`: by event type, keys of the data that no summary tells. `before`: an earlier summary that this one continues."""
    fresh = [_told(item, sensitive.get(item.event_type, ())) for item in items]
    types = Counter(before.types if before else {})
    for item in fresh:
        types[item.event_type] += item.count
    told = sorted((*(before.items if before else ()), *fresh), key=lambda item: item.at)
    actors = _actors(sorted(fresh, key=lambda item: item.at), before)
    whole = Digest(
        kind=kind,
        since=min(since, before.since) if before else since,
        total=sum(types.values()),
        types=dict(types),
        actors=actors[:MOST_ACTORS],
        others=max(len(actors) - MOST_ACTORS, 0) + (before.others if before else 0),
        items=(),
        frequency=frequency,
        group=group,
        object_id=_common([item.object_id for item in told]),
        replaces=tuple(replaces),
    )
    room = max(MOST_BYTES - len(msgspec.json.encode(whole)), _LEAST_FOR_ITEMS)
    return replace(whole, items=_fitting(_once(told), room))


def without(digest: Digest, types: Collection[str], actor_ids: Collection[str]) -> Digest:
    """The same digest as if nothing of these types, and nothing of these actors' that is told in detail, had come."""
    kept = tuple(i for i in digest.items if i.event_type not in types and i.actor_id not in actor_ids)
    lost = Counter[str]()
    for item in digest.items:
        if item.actor_id in actor_ids and item.event_type not in types:
            lost[item.event_type] += item.count
    counts = {kind: count - lost[kind] for kind, count in digest.types.items() if kind not in types}
    actors = tuple(a for a in digest.actors if a.id not in actor_ids and not set(a.types) <= set(types))
    return replace(
        digest,
        total=sum(counts.values()),
        types=counts,
        actors=actors,
        others=digest.others if counts else 0,
        items=kept,
    )


def _told(item: Item, sensitive: Collection[str]) -> Item:
    if not any(key in item.data for key in sensitive):
        return item
    return replace(item, data={key: value for key, value in item.data.items() if key not in sensitive})


def _actors(items: Sequence[Item], before: Digest | None) -> tuple[Actor, ...]:
    """In the order they came first; who is among the `others` of the earlier one, and is told there, is no new one."""
    found = {actor.id: actor for actor in before.actors} if before else {}
    counted = {item.actor_id for item in before.items} - set(found) if before else set()
    for item in items:
        if item.actor_id and item.actor_id not in counted:
            known = found.get(item.actor_id)
            types = (*known.types, item.event_type) if known else (item.event_type,)
            name = known.name if known else _name(item)
            found[item.actor_id] = Actor(item.actor_id, name, tuple(dict.fromkeys(types)))
    return tuple(found.values())


def _name(item: Item) -> str:
    name = item.data.get("actor_name")
    return name.strip()[:_LONGEST_NAME] if isinstance(name, str) and name.strip() else item.actor_id


def _once(items: Sequence[Item]) -> list[Item]:
    """What names neither actor nor object is never the same as another."""
    found: dict[tuple[str, ...], Item] = {}
    for place, item in enumerate(items):
        key: tuple[str, ...] = (item.event_type, item.actor_id, item.object_id)
        if not item.actor_id and not item.object_id:
            key = (*key, str(place))
        same = found.pop(key, None)
        found[key] = replace(item, count=item.count + same.count) if same else item
    return list(found.values())


def _fitting(items: Sequence[Item], room: int) -> tuple[Item, ...]:
    kept: list[Item] = []
    for item in reversed(items[-MOST_ITEMS:]):
        size = len(msgspec.json.encode(item))
        if size > room and not kept:
            item = replace(item, data={}, content={})
            size = len(msgspec.json.encode(item))
        if size > room:
            break
        kept.append(item)
        room -= size
    return tuple(reversed(kept))


def _common(ids: Collection[str]) -> str:
    return next(iter(ids)) if len(set(ids)) == 1 else ""
