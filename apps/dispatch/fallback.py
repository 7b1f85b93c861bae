"""Fallback: when a channel gives up, or does not prove its arrival in time, the next one of the event type's chain has its turn.

Its turn is work for the brain, like the first channel's was: an opt-out, a suppressed address, an expiry hold there too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.enums import Channel, DeliveryStatus, EventKind, Reason
from apps.core.rows import atomic
from apps.core.types import EventType, Work
from apps.dispatch import bells
from apps.events import selectors as events
from apps.ledger import work as items
from apps.ledger.fallbacks import Tried, Turn, event_types_of, lock_open, take_turns, tried, wait_longer
from apps.ledger.receipts import REASONS, Applied
from apps.ledger.sensitive import erase_where_over
from apps.routing.chains import UNPROVED, Sent, State, next_channel, overdue_at

GIVES_UP = frozenset({EventKind.BOUNCED, EventKind.FAILED})


@dataclass(frozen=True, slots=True)
class GaveUp:
    """`unproved`: the channel's deliveries in one of these have not given up themselves, but are waited for no longer."""

    notification_id: UUID
    delivery_id: UUID
    channel: Channel
    reason: str
    unproved: frozenset[DeliveryStatus] = frozenset()


def event_types(notification_ids: Collection[UUID]) -> dict[UUID, EventType]:
    """Of the notifications that name one that still exists. Two queries."""
    named = event_types_of(notification_ids)
    found = events.event_types(set(named.values())) if named else {}
    return {id_: found[pair] for id_, pair in named.items() if pair in found}


def fall_back(given_up: Sequence[GaveUp]) -> set[UUID]:
    """In the transaction that wrote what gave up. The notifications whose next channel has its turn now, or had it before."""
    if not given_up:
        return set()
    chains = {id_: kind.fallback for id_, kind in event_types({g.notification_id for g in given_up}).items()}
    chained = [g for g in given_up if g.channel in chains.get(g.notification_id, ())[:-1]]
    if not chained:
        return set()
    open_ones = lock_open(g.notification_id for g in chained)
    states = tried(sorted(open_ones)) if open_ones else {}
    turns: dict[UUID, Turn] = {}
    for gave_up in chained:
        if gave_up.notification_id not in open_ones:
            continue
        so_far = _states(states[gave_up.notification_id])
        channel = next_channel(chains[gave_up.notification_id], so_far, gave_up.channel, gave_up.unproved)
        if channel is not None:
            turn = Turn(gave_up.notification_id, gave_up.delivery_id, gave_up.reason, channel)
            turns.setdefault(gave_up.notification_id, turn)
    if queues := take_turns(list(turns.values())):
        transaction.on_commit(partial(bells.ring, *sorted(queues)), robust=True)
    return set(turns)


def after_receipts(applied: Iterable[Applied]) -> None:
    """In the transaction that wrote them: what gave up by a receipt, and work that ended by one. Costs nothing for good news."""
    said = list(applied)
    fall_back(
        [GaveUp(a.notification_id, a.delivery_id, a.channel, REASONS[a.kind]) for a in said if a.kind in GIVES_UP]
    )
    if settled := {a.notification_id for a in said if a.ended_work}:
        erase_codes(event_types(settled), settled)


def judge_proofs(works: Sequence[Work], ends: float = 0.0) -> None:
    """Timers of one lane that ran out: the next channel has its turn unless arrival was proved, or something was read."""
    now = clock.now()
    kinds = event_types({w.notification_id for w in works})
    with atomic():
        open_ones = lock_open(kinds)
        states = tried(sorted(open_ones)) if open_ones else {}
        waits, overdue, over = [], [], []
        for work in works:
            assert work.channel is not None
            theirs = states.get(work.notification_id, [])
            channel = [Sent(t.status, t.sent_at) for t in theirs if t.channel == work.channel]
            after = kinds[work.notification_id].fallback_after if theirs else None
            at = overdue_at(channel, after, now) if after and not any(t.read_at for t in theirs) else None
            if at is not None and at > now:
                waits.append((work, at))
                continue
            over.append(work)
            if at is not None:
                first = next(t.id for t in theirs if t.channel == work.channel)
                overdue.append(GaveUp(work.notification_id, first, work.channel, Reason.NO_PROOF, UNPROVED))
        wait_longer(waits)
        removed = items.remove(over) if over else set()
        mine = {w.notification_id for w in over if w.id in removed}
        fall_back([g for g in overdue if g.notification_id in mine])
        erase_codes(kinds, mine)


def erase_codes(kinds: Mapping[UUID, EventType], notification_ids: Collection[UUID]) -> None:
    """Of notifications that may be over now."""
    erase_where_over(
        {id_: kinds[id_].sensitive_keys for id_ in notification_ids if id_ in kinds and kinds[id_].sensitive_keys}
    )


def _states(theirs: Sequence[Tried]) -> dict[Channel, list[State]]:
    found: dict[Channel, list[State]] = {}
    for one in theirs:
        found.setdefault(one.channel, []).append((one.status, one.reason))
    return found
