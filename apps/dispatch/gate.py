"""The gate: just before they are sent, messages are judged again, for the whole batch, and take their places under frequency caps."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import structs

from apps.core.enums import Channel, DeliveryStatus, Reason, WorkKind
from apps.core.rows import atomic
from apps.core.types import Cap, NotificationFacts, Work
from apps.dispatch import bells, capping
from apps.dispatch.bundled import joining
from apps.dispatch.capping import Asked
from apps.dispatch.facts import Facts
from apps.dispatch.shared_addresses import told_elsewhere
from apps.ledger import bundles
from apps.ledger.routing_results import Address, Decided, address_deliveries, note_bypasses, write_deliveries
from apps.ledger.selectors import Gated
from apps.ledger.sending_results import Settlement
from apps.ledger.spent import seen_elsewhere
from apps.routing import caps
from apps.routing.deciding import decide, decide_all
from apps.routing.decisions import Bundle, Decision, Hold, Send, Skip
from apps.routing.facts import Case, Stage
from apps.routing.quiet_hours import in_turn

ALONE = frozenset({Reason.QUIET_HOURS, Reason.AWAITS_FULLER})
"""Why a message waits by itself."""


class Passed(msgspec.Struct, frozen=True):
    """May go, now, to that endpoint (None: the channel needs none)."""

    work: Work
    notification: NotificationFacts
    endpoint_id: UUID | None


class _Judged(msgspec.Struct, frozen=True):
    work: Work
    notification: NotificationFacts
    decision: Decision


def pass_gate(
    works: Sequence[Work],
    notifications: Mapping[UUID, NotificationFacts],
    gated: Mapping[UUID, Gated],
    facts: Facts,
    now: datetime,
) -> tuple[list[Passed], list[Settlement]]:
    """Claimed sends of one channel and lane. Those that are to be summed up are withdrawn here; the rest of what may not go is to be
    settled; of deliveries that are settled only the work ends."""
    over = {work.id for work in works if work.kind == WorkKind.SEND and work.id in gated and gated[work.id].is_settled}
    settled = [Settlement(work) for work in works if work.id in over]
    works = [work for work in works if work.id not in over]
    settled += [_without_notification(work) for work in works if work.notification_id not in notifications]
    known = [work for work in works if work.notification_id in notifications]
    held = [work.id for work in known if work.id in gated and gated[work.id].is_held]
    seen = seen_elsewhere(held) if held else frozenset()
    cases = {
        work.id: facts.case(notifications[work.notification_id], _channel(work), now, stage=Stage.GATE)
        for work in known
    }
    cases |= {
        id_: structs.replace(cases[id_], was_held=gated[id_].held_for in ALONE, seen_elsewhere=id_ in seen)
        for id_ in held
    }
    judged = decide_all(cases)
    refused = capping.reserve(_limited(known, notifications, cases, judged), now)
    judged |= {id_: decide(structs.replace(cases[id_], over=cap)) for id_, cap in refused.over.items()}

    each = [_Judged(work, notifications[work.notification_id], judged[work.id]) for work in known]
    settled += [_after_a_moment(one.work) for one in each if one.work.id in refused.waits]
    each = [one for one in each if one.work.id not in refused.waits]
    _withdraw([one for one in each if isinstance(one.decision, Bundle)])
    note_bypasses(
        {
            one.work.id: (one.decision.bypassed, one.decision.because)
            for one in each
            if isinstance(one.decision, Send) and one.decision.bypassed and not _is_noted(one.work, gated)
        }
    )
    settled += [s for one in each if (s := _withheld(one.work, one.decision, now))]
    passed = _addressed([one for one in each if isinstance(one.decision, Send)], gated, facts, settled)
    return _once_at_each_address(passed, facts, settled), settled


def _is_noted(work: Work, gated: Mapping[UUID, Gated]) -> bool:
    """Routing overrode a "no" already, or the delivery is gone."""
    return work.id not in gated or bool(gated[work.id].bypassed)


def _limited(
    works: Sequence[Work],
    notifications: Mapping[UUID, NotificationFacts],
    cases: Mapping[UUID, Case],
    judged: Mapping[UUID, Decision],
) -> list[Asked]:
    """What would be sent, with the caps that speak of it."""
    limits: dict[tuple[UUID, str], tuple[Cap, ...]] = {}
    asked = []
    for work in works:
        case, n = cases[work.id], notifications[work.notification_id]
        if case.rules.caps and isinstance(judged[work.id], Send):
            kind = n.tenant_id, n.event_type
            if kind not in limits:
                limits[kind] = caps.counting(case.rules.caps, n.event_type, n.category, case.channel)
            asked.append(Asked(work, n, case.person.zone, limits[kind]))
    return asked


def _addressed(
    sends: Sequence[_Judged], gated: Mapping[UUID, Gated], facts: Facts, settled: list[Settlement]
) -> list[Passed]:
    """What was held has no address yet: it goes where the person is reached now, to a device that has been decided for otherwise."""
    passed, mine, others = [], [], []
    for one in sends:
        assert isinstance(one.decision, Send)
        work, n, endpoint_ids = one.work, one.notification, one.decision.endpoint_ids
        endpoint_id = gated[work.id].endpoint_id if work.id in gated else None
        if endpoint_id is None and work.channel != Channel.IN_APP:
            endpoint_id, *devices = endpoint_ids
            mine.append(Address(work.id, endpoint_id, facts.place(n, endpoint_id)))
            others += [
                Decided(work, n, _channel(work), id_, DeliveryStatus.QUEUED, place=facts.place(n, id_))
                for id_ in devices
            ]
        if endpoint_id in endpoint_ids:
            passed.append(Passed(work, n, endpoint_id))
        else:
            settled.append(Settlement(work, status=DeliveryStatus.SKIPPED, reason=Reason.ENDPOINT_RETIRED))
    if mine:
        with atomic():
            address_deliveries(mine)
            queues = write_deliveries(others)
        bells.ring(*sorted(queues))
    return passed


def _once_at_each_address(passed: list[Passed], facts: Facts, settled: list[Settlement]) -> list[Passed]:
    elsewhere = told_elsewhere(
        {
            one.work.id: (one.notification, endpoint)
            for one in passed
            if one.notification.broadcast_id
            for endpoint in facts.people[one.notification.recipient_id].endpoints
            if endpoint.id == one.endpoint_id
        }
    )
    settled += [
        Settlement(one.work, status=DeliveryStatus.SKIPPED, reason=Reason.SENT_BEFORE)
        for one in passed
        if one.work.id in elsewhere
    ]
    return [one for one in passed if one.work.id not in elsewhere]


def _withdraw(bundled: Sequence[_Judged]) -> None:
    joinings = [
        joining(one.work, one.notification, _channel(one.work), one.decision, one.work.id)
        for one in bundled
        if isinstance(one.decision, Bundle)
    ]
    if joinings:
        with atomic():
            # it has been judged for itself, and led nothing
            joined = bundles.withdraw([one.work for one in bundled], [replace(j, leads=False) for j in joinings])
        bells.ring(*sorted(joined.queues))


def _withheld(work: Work, decision: Decision, now: datetime) -> Settlement | None:
    match decision:
        case Hold(_, reason, because):
            again_in = in_turn(decision, work.order_at) - now
            return Settlement(work, status=DeliveryStatus.HELD, reason=reason, again_in=again_in, because=because)
        case Skip(Reason.EXPIRED, because):
            return Settlement(work, status=DeliveryStatus.EXPIRED, reason=Reason.EXPIRED, because=because)
        case Skip(reason, because, into):
            status = DeliveryStatus.CANCELLED if reason == Reason.CANCELLED else DeliveryStatus.SKIPPED
            return Settlement(work, status=status, reason=reason, because=because, merged_into=into)
        case _:
            return None


def _without_notification(work: Work) -> Settlement:
    return Settlement(work, status=DeliveryStatus.FAILED, reason=Reason.INTERNAL_ERROR, is_dead=True)


def _after_a_moment(work: Work) -> Settlement:
    return Settlement(work, again_in=timedelta(seconds=capping.WAITS * (1 + random.random())))


def _channel(work: Work) -> Channel:
    assert work.channel is not None
    return work.channel
