"""What the notifications of one campaign run share, and whether they may go out.

The ids of a run's notifications and deliveries begin with its stamp (milliseconds since 1970) and follow from the person: a page that is
written again writes nothing, and all of a run is one range of the primary keys.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from apps.core import crypto, ids
from apps.core.arrays import uuids
from apps.core.enums import Category, Reason
from apps.core.rows import execute, fetch
from apps.ledger.work import CALLING, CLAIMED, READY


@dataclass(frozen=True, slots=True)
class Content:
    template_key: str
    version_id: UUID


@dataclass(frozen=True, slots=True)
class Broadcast:
    """`halt`: why nothing of it goes out now. `contents`: by variant."""

    id: UUID
    tenant_id: UUID
    halt: Reason | None
    contents: Mapping[int, Content]
    data: Mapping[str, Any] = field(repr=False)


def begin_of(stamp: int) -> UUID:
    """The smallest id of that millisecond."""
    return UUID(int=stamp << 80)


def end_of(stamp: int) -> UUID:
    """The largest."""
    return UUID(int=(stamp + 1 << 80) - 1)


def notification_id(stamp: int, broadcast_id: UUID, recipient_id: UUID, cuts: Sequence[UUID] = ()) -> UUID:
    """`cuts`: at most 4,095 ids of people, in order. Who is between the same two has an id in the same part of the run's range: those who
    are written together stand together in every index."""
    place = UUID(int=begin_of(stamp).int | bisect_right(cuts, recipient_id) << 64)
    return ids.derived(place, broadcast_id, recipient_id)


def open_broadcast(*, id: UUID, tenant_id: UUID, contents: Mapping[int, Content], data: Mapping[str, Any]) -> None:
    """Once; a second time it changes nothing."""
    execute(
        """INSERT INTO ledger_broadcast (id, tenant_id, contents, sealed) VALUES (%(id)s, %(tenant)s, %(contents)s, %(sealed)s)
        ON CONFLICT (id) DO NOTHING""",
        {
            "id": id,
            "tenant": tenant_id,
            "contents": msgspec.json.encode({str(number): c for number, c in contents.items()}).decode(),
            "sealed": crypto.encrypt(msgspec.json.encode(dict(data)), bound_to=id.bytes) if data else None,
        },
    )


def broadcasts(broadcast_ids: Collection[UUID]) -> dict[UUID, Broadcast]:
    """One query; none for none."""
    if not broadcast_ids:
        return {}
    rows = fetch(
        "SELECT id, tenant_id, halt, contents::text, sealed FROM ledger_broadcast WHERE id = ANY(%(ids)s)",
        {"ids": list(broadcast_ids)},
    )
    return {
        id_: Broadcast(id_, tenant, _reason(halt), *_inside(id_, said, sealed))
        for id_, tenant, halt, said, sealed in rows
    }


def halt(*, id: UUID, reason: Reason | None) -> None:
    """From its next batch on, no worker sends anything of it; None: they do again."""
    execute("UPDATE ledger_broadcast SET halt = %(halt)s WHERE id = %(id)s", {"id": id, "halt": reason or ""})


def wake(*, stamp: int, lane: Category, tenant_id: UUID) -> set[str]:
    """What was put on hold because the run was paused is due now. The queues that got work."""
    rows = fetch(
        f"""WITH held AS MATERIALIZED (
            SELECT id FROM ledger_delivery WHERE id BETWEEN %(begin)s AND %(end)s AND tenant_id = %(tenant)s
                AND status = 'held' AND reason = 'paused')
        UPDATE ledger_work_item w SET due_at = now() FROM held h
        WHERE w.lane = %(lane)s AND w.id = h.id AND w.phase = {READY} RETURNING w.queue""",
        {"lane": lane.value, "tenant": tenant_id, **_range(stamp)},
    )
    return {queue for (queue,) in rows}


@dataclass(frozen=True, slots=True)
class Afoot:
    """Of a run: `calling`: being handed to providers; `claimed`: taken by a worker, not sent yet; `waiting`: the rest of what is open."""

    calling: int
    claimed: int
    waiting: int


def afoot(*, stamp: int, lane: Category, tenant_id: UUID) -> Afoot:
    found = dict(
        fetch(
            """SELECT phase, count(*) FROM ledger_work_item
            WHERE lane = %(lane)s AND id BETWEEN %(begin)s AND %(end)s AND tenant_id = %(tenant)s GROUP BY phase""",
            {"lane": lane.value, "tenant": tenant_id, **_range(stamp)},
        )
    )
    return Afoot(found.get(CALLING, 0), found.get(CLAIMED, 0), found.get(READY, 0))


def backlog(*, lane: Category, most: int) -> int:
    """Due work of the lane, counted up to `most`."""
    rows = fetch(
        f"""SELECT count(*) FROM (
            SELECT FROM ledger_work_item WHERE lane = %(lane)s AND phase = {READY} AND due_at <= now() LIMIT %(most)s) x""",
        {"lane": lane.value, "most": most},
    )
    return int(rows[0][0])


def known(
    *, stamp: int, broadcast_id: UUID, recipient_ids: Sequence[UUID], cuts: Sequence[UUID] = ()
) -> frozenset[UUID]:
    """Those of them who have their notification of this run."""
    by_id = {notification_id(stamp, broadcast_id, one, cuts): one for one in recipient_ids}
    rows = fetch("SELECT id FROM ledger_notification WHERE id = ANY(%(ids)s)", {"ids": uuids(by_id)})
    return frozenset(by_id[id_] for (id_,) in rows)


def _range(stamp: int) -> dict[str, UUID]:
    return {"begin": begin_of(stamp), "end": end_of(stamp)}


def _reason(text: str) -> Reason | None:
    return Reason(text) if text else None


def _inside(id_: UUID, said: str, sealed: bytes | None) -> tuple[Mapping[int, Content], Mapping[str, Any]]:
    contents = msgspec.json.decode(said, type=dict[str, Content])
    data = msgspec.json.decode(crypto.decrypt(sealed, bound_to=id_.bytes)) if sealed else {}
    return {int(number): content for number, content in contents.items()}, data
