"""Route a batch: facts, decisions, deliveries and their work, in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from apps.core import clock
from apps.core.enums import Channel, DeliveryStatus, Reason, WorkKind
from apps.core.rows import atomic
from apps.core.types import NotificationFacts, Work
from apps.dispatch import merging
from apps.dispatch.bundled import bundled
from apps.dispatch.facts import Facts, load
from apps.ledger import selectors as ledger
from apps.ledger import work as items
from apps.ledger.fallbacks import Timer, await_proof
from apps.ledger.routing_results import Decided, write_deliveries
from apps.ledger.sensitive import erase_where_over
from apps.routing.chains import follows, goes_on
from apps.routing.deciding import decide
from apps.routing.decisions import Bundle, Decision, Hold, Send, Skip
from apps.routing.quiet_hours import in_turn

WITHHELD = {Reason.EXPIRED: DeliveryStatus.EXPIRED, Reason.CANCELLED: DeliveryStatus.CANCELLED}
NO_DUPLICATES: Mapping[tuple[UUID, Channel], UUID] = {}


def route_batch(works: Sequence[Work], ends: float = 0.0) -> list[str]:
    """Routes claimed work of one lane: whole notifications, and single channels whose turn it is; the queues in which there is work now
    for that. What was cancelled or taken over meanwhile is left alone."""
    now = clock.now()
    notifications = ledger.notifications([w.notification_id for w in works])
    facts = load(notifications.values())
    with atomic():
        mine = items.remove(works)
        ours = [(w, notifications[w.notification_id]) for w in works if w.id in mine]
        judged = {work.id: list(_decisions(work, n, facts, now)) for work, n in ours}
        duplicates = merging.duplicates(ours, facts, lambda work, _: judged[work.id])
        copies = {id_ for id_, _ in duplicates}
        judged |= {work.id: list(_decisions(work, n, facts, now, duplicates)) for work, n in ours if n.id in copies}
        fuller = merging.note_fuller(ours, facts, lambda work, _: judged[work.id])
        facts = merging.with_fuller(facts, [(work.order_at, n) for work, n in ours], fuller)
        judged |= {
            work.id: list(_decisions(work, n, facts, now, duplicates)) for work, n in ours if n.id in facts.fuller
        }
        decided = [(work, n, channel, decision) for work, n in ours for channel, decision in judged[work.id]]
        decided, joined = bundled(decided, facts, now)
        queues = write_deliveries([one for each in decided for one in _deliveries(*each, facts)]) | joined.queues
        await_proof([timer for each in decided if (timer := _timer(*each, facts, now))])
        erase_where_over({n.id: keys for _, n in ours if (keys := _sensitive(n, facts))})
    return sorted(queues)


def _decisions(
    work: Work,
    n: NotificationFacts,
    facts: Facts,
    now: datetime,
    duplicates: Mapping[tuple[UUID, Channel], UUID] = NO_DUPLICATES,
) -> Iterator[tuple[Channel, Decision]]:
    """What is wished for; of a chain, its channels in order until one is not withheld."""

    def decided(channel: Channel) -> Decision:
        if work.kind == WorkKind.FALLBACK and facts.is_erased(n):
            return Skip(Reason.ERASED)
        return decide(facts.case(n, channel, now, duplicate_of=duplicates.get((n.id, channel)), asked_at=work.order_at))

    way = facts.way(n) if work.kind == WorkKind.ROUTE else facts.turn(n, work.channel)
    for channel in way.at_once:
        yield channel, decided(channel)
    for channel in way.chain:
        decision = decided(channel)
        yield channel, decision
        if not goes_on(decision):
            return


def _timer(
    work: Work, n: NotificationFacts, channel: Channel, decision: Decision, facts: Facts, now: datetime
) -> Timer | None:
    event_type = facts.event_type(n)
    if event_type is None or not event_type.fallback_after or not follows(event_type.fallback, channel):
        return None
    match decision:
        case Send():
            return Timer(work, channel, now + event_type.fallback_after)
        case Hold(until) | Bundle(until=until):
            return Timer(work, channel, until + event_type.fallback_after)
        case _:
            return None


def _deliveries(
    work: Work, n: NotificationFacts, channel: Channel, decision: Decision, facts: Facts
) -> Iterator[Decided]:
    match decision:
        case Send(endpoint_ids, bypassed):
            for endpoint_id in endpoint_ids:
                place = facts.place(n, endpoint_id)
                yield Decided(
                    work,
                    n,
                    channel,
                    endpoint_id,
                    DeliveryStatus.QUEUED,
                    bypassed=bypassed,
                    place=place,
                    because=decision.because,
                )
        case Hold(_, reason, because):
            due_at = in_turn(decision, work.order_at)
            yield Decided(work, n, channel, None, DeliveryStatus.HELD, reason, due_at=due_at, because=because)
        case Bundle(reason=reason, because=because):
            yield Decided(work, n, channel, None, DeliveryStatus.HELD, reason, because=because, is_bundled=True)
        case Skip(reason, because, into):
            status = WITHHELD.get(reason, DeliveryStatus.SKIPPED)
            yield Decided(work, n, channel, None, status, reason, because=because, merged_into=into)


def _sensitive(n: NotificationFacts, facts: Facts) -> tuple[str, ...]:
    event_type = facts.event_type(n)
    return event_type.sensitive_keys if event_type else ()
