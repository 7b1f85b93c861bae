"""Which messages another one speaks for: the same one, sent already; a fuller one about the same object, which has come.

A fuller message counts once it goes to the person on any channel, now or later; and no longer when all of it came to nothing.
What has no object is about nothing in particular: it neither waits nor takes another's place.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from apps.core import crypto
from apps.core.enums import Channel, DedupBy
from apps.core.types import EventType, NotificationFacts, Work
from apps.dispatch.facts import Facts
from apps.events import selectors as events
from apps.ledger.routing_results import claim_keys
from apps.ledger.seen_keys import marks, note_marks
from apps.routing.decisions import Decision, Skip

Ours = Sequence[tuple[Work, NotificationFacts]]
Deciding = Callable[[Work, NotificationFacts], Iterable[tuple[Channel, Decision]]]
KEPT = timedelta(days=1)
"""How long after its window a fuller message still takes the place of what has not gone out: quiet hours may hold that back."""


def duplicates(ours: Ours, facts: Facts, deciding: Deciding) -> dict[tuple[UUID, Channel], UUID]:
    """By (notification, channel): the notification with the same content within its event type's window. What is withheld takes no
    key."""
    wanted: dict[bytes, tuple[UUID, timedelta]] = {}
    asked: list[tuple[UUID, Channel, bytes]] = []
    for work, n in ours:
        event_type = facts.event_type(n)
        if event_type is None or not event_type.dedup_window or n.is_summary:
            continue
        for channel, decision in deciding(work, n):
            if not isinstance(decision, Skip):
                key = content_key(n, channel, event_type.dedup_by)
                wanted.setdefault(key, (n.id, event_type.dedup_window))
                asked.append((n.id, channel, key))
    holders = claim_keys(wanted)
    standing = ((id_, channel, holders.get(key) or wanted[key][0]) for id_, channel, key in asked)
    return {(id_, channel): holder for id_, channel, holder in standing if holder != id_}


def note_fuller(ours: Ours, facts: Facts, deciding: Deciding) -> frozenset[UUID]:
    """Notes those that others wait for. Returns them. One statement, none when there are none."""
    waiting = events.waiting_for({n.tenant_id for _, n in ours if n.object_id and n.event_type})
    noted: dict[bytes, tuple[UUID, timedelta]] = {}
    for work, n in ours:
        poorer = waiting[n.tenant_id].get(n.event_type, ()) if n.object_id and n.event_type else ()
        if poorer and any(not isinstance(decision, Skip) for _, decision in deciding(work, n)):
            for kind in poorer:
                noted[_object_key(n, kind)] = (n.id, kind.waits + KEPT)
    note_marks(noted)
    return frozenset(id_ for id_, _ in noted.values())


def with_fuller(
    facts: Facts, asked: Iterable[tuple[datetime, NotificationFacts]], fresh: Collection[UUID] = ()
) -> Facts:
    """`asked`: since when each was due, and it.

    `fresh`: whose deliveries are not written yet. One statement; none when no event type among them waits for another."""
    sought: dict[UUID, tuple[bytes, datetime]] = {}
    for due_at, n in asked:
        kind = facts.event_type(n)
        if kind is not None and kind.waits_for and n.object_id:
            # a mark lives for the wait and KEPT: one that was noted a wait before this was due lives until then
            sought[n.id] = (_object_key(n, kind), due_at + KEPT)
    found = marks([key for key, _ in sought.values()], fresh)
    fuller = {
        id_: found[key].ref_id for id_, (key, since) in sought.items() if key in found and found[key].until >= since
    }
    return replace(facts, fuller=fuller) if fuller else facts


def content_key(n: NotificationFacts, channel: Channel, by: DedupBy) -> bytes:
    whole = [n.data, n.content] if by == DedupBy.CONTENT else []
    parts = (n.mode, n.event_type, channel.value, n.actor_id, n.object_id)
    content = msgspec.json.encode(whole, order="sorted")
    return crypto.fingerprint(b"content", n.recipient_id.bytes, *(part.encode() for part in parts), content)


def _object_key(n: NotificationFacts, poorer: EventType) -> bytes:
    parts = (n.mode, poorer.key, n.object_id)
    return crypto.fingerprint(b"fuller", n.recipient_id.bytes, *(part.encode() for part in parts))
