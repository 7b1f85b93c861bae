"""Flush bundles: judge what waited again, and let one summary speak for what is left. In one transaction, so that a worker that dies
in the middle leaves everything as it was.

A group of which only one is left is no group: that one goes out as it is. Of a digest goes out what is due by its recipient's own hour
and choices; the rest waits on (digest_hours.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from uuid import UUID

from msgspec import structs

from apps.core import clock
from apps.core.enums import BundleKind, Channel, DeliveryStatus, DigestFrequency, Priority, Reason, WorkKind
from apps.core.rows import atomic
from apps.core.types import NotificationFacts, Work
from apps.dispatch import bells, merging
from apps.dispatch.digest_hours import own_hours
from apps.dispatch.facts import Facts, load
from apps.dispatch.fallback import GaveUp, fall_back
from apps.inbox import selectors as inbox
from apps.ledger import flushing as ledger
from apps.ledger import selectors
from apps.ledger import work as items
from apps.ledger.flushing import Alone, Ended, Open, Summary, Waiting
from apps.ledger.routing_results import Decided, write_deliveries
from apps.ledger.sensitive import erase_where_over
from apps.ledger.spent import seen_elsewhere
from apps.routing.chains import has_given_up
from apps.routing.deciding import decide
from apps.routing.decisions import Send, Skip
from apps.routing.digests import Digest, Item, data_of, digest_of, sum_up
from apps.routing.facts import Stage

MOST_AT_ONCE = 2_000
"""Items of the bundles that are locked together: who wants to join one of them waits for as long."""


def flush_bundles(works: Sequence[Work], ends: float) -> None:
    """Claimed flushes of one lane. What does not fit before `ends` (monotonic seconds) is given back."""
    sizes = ledger.counts([w.id for w in works])
    left = sorted(works, key=lambda w: str(w.channel))
    for chunk in _chunks(left, sizes):
        if monotonic() > ends:
            items.release(lane=left[0].lane.value, works=left)
            return
        bells.ring(*sorted(_flush(chunk)))
        left = left[len(chunk) :]


def _chunks(works: Sequence[Work], sizes: Mapping[UUID, int]) -> Iterator[list[Work]]:
    chunk: list[Work] = []
    size = 0
    for work in works:
        if chunk and (work.channel != chunk[0].channel or size + sizes.get(work.id, 0) > MOST_AT_ONCE):
            yield chunk
            chunk, size = [], 0
        chunk.append(work)
        size += sizes.get(work.id, 0)
    if chunk:
        yield chunk


@dataclass
class Flush:
    """What is to be written."""

    ended: list[Ended] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    alone: list[Alone] = field(default_factory=list)
    besides: list[Decided] = field(default_factory=list)
    closed: dict[UUID, UUID | None] = field(default_factory=dict)
    given_up: list[GaveUp] = field(default_factory=list)


Survivors = dict[UUID, list[Waiting]]
"""Of one bundle: by notification, its deliveries (push has one for each device)."""


def _flush(works: Sequence[Work]) -> set[str]:
    """Of one channel. Returns the queues that got work."""
    now = clock.now()
    with atomic():
        mine = ledger.hold_flushes(works)
        if not mine:
            return set()
        bundles = {b.id: b for b in ledger.lock_bundles(mine)}
        waiting = ledger.lock_waiting(list(bundles))
        notifications = selectors.notifications(list({w.notification_id for w in waiting}))
        facts = load(notifications.values(), works[0].channel)
        known = [(w.at, notifications[w.notification_id]) for w in waiting if w.notification_id in notifications]
        facts = merging.with_fuller(facts, known)
        hours = own_hours(bundles.values(), waiting, notifications, facts, now)
        late, waiting = hours.late, [w for w in waiting if w.delivery_id not in hours.staying]
        flush = Flush()
        survivors = _judge(waiting, bundles, notifications, facts, flush, now)
        before = _in_feeds(bundles, survivors)
        for id_ in (bundles.keys() - late.keys()) | survivors.keys():
            _sum_up(bundles[id_], survivors.get(id_, {}), before.get(id_, ()), notifications, facts, flush, now)
        flush.closed = {id_: into for id_, into in flush.closed.items() if id_ not in late}
        ledger.postpone([(w, late[w.id]) for w in works if w.id in late])
        if over := [w for w in works if w.id in mine and w.id not in late]:
            items.remove(over)
        ledger.write_summaries(flush.summaries)
        ledger.end_items(flush.ended)
        queues = ledger.let_go(flush.alone) | write_deliveries(flush.besides)
        if flush.closed:
            ledger.close_bundles(flush.closed)
        fall_back(flush.given_up)
        _erase(notifications, facts)
    return queues | {f"route.{s.bundle.category}" for s in flush.summaries}


def _judge(
    waiting: Sequence[Waiting],
    bundles: Mapping[UUID, Open],
    notifications: Mapping[UUID, NotificationFacts],
    facts: Facts,
    flush: Flush,
    now: datetime,
) -> dict[UUID, Survivors]:
    """By bundle, what is still wanted; what is not, ends with its reason."""
    seen = seen_elsewhere([w.delivery_id for w in waiting]) if waiting else set()
    found: dict[UUID, Survivors] = {}
    for w in waiting:
        n, channel = notifications.get(w.notification_id), bundles[w.bundle_id].channel
        if n is None:
            flush.ended.append(Ended(w.delivery_id, DeliveryStatus.SKIPPED, Reason.ERASED))
            continue
        case = facts.case(n, channel, now, stage=Stage.FLUSH)
        decision = decide(structs.replace(case, seen_elsewhere=w.delivery_id in seen))
        if not isinstance(decision, Skip):
            found.setdefault(w.bundle_id, {}).setdefault(n.id, []).append(w)
            continue
        status = DeliveryStatus.EXPIRED if decision.reason == Reason.EXPIRED else DeliveryStatus.SKIPPED
        flush.ended.append(Ended(w.delivery_id, status, decision.reason, decision.because, decision.into))
        if has_given_up(status, decision.reason):
            flush.given_up.append(GaveUp(n.id, w.delivery_id, channel, decision.reason))
    return found


def _in_feeds(
    bundles: Mapping[UUID, Open], survivors: Mapping[UUID, Survivors]
) -> dict[UUID, Sequence[NotificationFacts]]:
    """What a summary will take the place of: unread in the feed, of the same group. Two queries; none for other channels."""
    groups = {
        (b.recipient_id, b.key): b.id
        for id_ in survivors
        if (b := bundles[id_]).channel == Channel.IN_APP and b.kind == BundleKind.GROUP
    }
    unread = inbox.unread_of_groups(groups) if groups else {}
    shown = selectors.notifications([id_ for ids in unread.values() for id_ in ids]) if unread else {}
    return {
        groups[group]: [n for id_ in ids if (n := shown.get(id_)) and n.mode == bundles[groups[group]].mode]
        for group, ids in unread.items()
    }


def _sum_up(
    bundle: Open,
    survivors: Survivors,
    before: Sequence[NotificationFacts],
    notifications: Mapping[UUID, NotificationFacts],
    facts: Facts,
    flush: Flush,
    now: datetime,
) -> None:
    if not survivors:
        flush.closed[bundle.id] = None
        return
    parts = [notifications[id_] for id_ in survivors]
    if bundle.kind == BundleKind.GROUP and len(parts) == 1 and not before:
        flush.closed[bundle.id] = None
        _let_go(bundle, parts[0], survivors[parts[0].id][0], facts, flush, now)
        return
    id_ = ledger.summary_id(bundle.id, now)
    flush.closed[bundle.id] = id_
    expiries = [n.expires_at for n in parts]
    kinds = {n.event_type for n in parts}
    only = facts.event_type(parts[0]) if len(kinds) == 1 else None
    flush.summaries.append(
        Summary(
            bundle=bundle,
            id=id_,
            priority=min((n.priority for n in parts), key=lambda priority: priority.rank, default=Priority.NORMAL),
            template_key=only.digest_template_key if only else "",
            expires_at=None if None in expiries else max(at for at in expiries if at),
            data=data_of(_digest(bundle, survivors, before, notifications, facts)),
        )
    )
    flush.ended += [
        Ended(w.delivery_id, DeliveryStatus.MERGED, merged_into=id_) for each in survivors.values() for w in each
    ]


def _digest(
    bundle: Open,
    survivors: Survivors,
    before: Sequence[NotificationFacts],
    notifications: Mapping[UUID, NotificationFacts],
    facts: Facts,
) -> Digest:
    earlier = [n for n in before if not n.is_summary]
    told = [_item(n, bundle.opened_at) for n in earlier]
    told += [_item(notifications[id_], waits[0].at) for id_, waits in survivors.items()]
    sensitive = {
        kind.key: kind.sensitive_keys for kind in facts.event_types.values() if kind.tenant_id == bundle.tenant_id
    }
    is_group = bundle.kind == BundleKind.GROUP
    return sum_up(
        told,
        kind=bundle.kind.value,
        since=bundle.opened_at,
        sensitive=sensitive,
        before=next((digest for n in before if n.is_summary and (digest := digest_of(n.data))), None),
        frequency="" if is_group else DigestFrequency(bundle.key).value,
        group=bundle.key if is_group else "",
        replaces=[n.id for n in before],
    )


def _item(n: NotificationFacts, at: datetime) -> Item:
    return Item(n.event_type, n.template_key, n.content, n.data, n.actor_id, n.object_id, at)


def _let_go(bundle: Open, n: NotificationFacts, waits: Waiting, facts: Facts, flush: Flush, now: datetime) -> None:
    decision = decide(facts.case(n, bundle.channel, now, stage=Stage.FLUSH))
    assert isinstance(decision, Send)
    first, *others = decision.endpoint_ids
    flush.alone.append(Alone(waits.delivery_id, first, facts.place(n, first)))
    flush.besides += [
        Decided(_as_routed(n, now), n, bundle.channel, other, DeliveryStatus.QUEUED, place=facts.place(n, other))
        for other in others
    ]


def _as_routed(n: NotificationFacts, now: datetime) -> Work:
    return Work(
        id=n.id,
        kind=WorkKind.ROUTE,
        queue=f"route.{n.category}",
        lane=n.category,
        channel=None,
        tenant_id=n.tenant_id,
        notification_id=n.id,
        lease_token=0,
        tries=0,
        calls=0,
        expiries=0,
        priority=n.priority.rank,
        expires_at=n.expires_at,
        ordering_key=f"{n.recipient_id}/{n.ordering_key}" if n.ordering_key else "",
        order_at=now,
    )


def _erase(notifications: Mapping[UUID, NotificationFacts], facts: Facts) -> None:
    """Codes and the like of what is over now."""
    kinds = {n.id: kind for n in notifications.values() if (kind := facts.event_type(n)) and kind.sensitive_keys}
    erase_where_over({id_: kind.sensitive_keys for id_, kind in kinds.items()})
