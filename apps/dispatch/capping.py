"""Frequency caps at the gate: a place under each cap for every unit of a batch, in one trip to Redis; none for tenants without caps.

What Redis forgot is brought from the ledger. While Redis is away, PostgreSQL counts. Where it cannot be known yet whether a message on its
way has a place already, what is not critical waits a moment.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from django.conf import settings

from apps.core import clock, redis
from apps.core.enums import KeyMode
from apps.core.rows import atomic
from apps.core.types import Cap, NotificationFacts, Work
from apps.ledger.spent import Spent, not_to_be_sent, on_their_way, sent_units
from apps.preferences import choosing, counting, reserving
from apps.preferences.counting import RESERVED, UNKNOWN, Shape, Unit
from apps.routing import caps

log = logging.getLogger(__name__)
# leases and counters may be on different clocks
_SKEW = timedelta(seconds=2)
WAITS = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that is about to be sent, in the recipient's time zone, with the caps that speak of it (caps.counting)."""

    work: Work
    notification: NotificationFacts
    zone: str
    caps: tuple[Cap, ...]

    @property
    def is_test(self) -> bool:
        return self.notification.mode == KeyMode.TEST

    @property
    def is_forced(self) -> bool:
        """Summaries count, and are never refused: what they sum up was."""
        return self.notification.is_summary

    @property
    def member(self) -> str:
        return counting.member(self.notification.id, str(self.work.channel))


@dataclass(frozen=True, slots=True)
class Refused:
    """By work: the cap that is used up; and what waits until it is known."""

    over: Mapping[UUID, Cap] = field(default_factory=dict)
    waits: frozenset[UUID] = frozenset()


@dataclass(slots=True)
class _Here:
    """What this process remembers. `away_since`: PostgreSQL has counted, `times` so far, and Redis does not know of it yet."""

    away_since: datetime | None = None
    times: int = 0
    lock: Lock = field(default_factory=Lock)


_here = _Here()


def reserve(asked: Sequence[Asked], now: datetime) -> Refused:
    """A place for each under all of its caps, or none. The devices of a notification share one."""
    limited = [one for one in asked if one.caps]
    if not limited:
        return Refused()
    try:
        return _in_redis(limited, now)
    except redis.RedisError as error:
        log.warning("redis is away: frequency caps are counted in postgresql", extra={"error": type(error).__name__})
        with _here.lock:
            since = _here.away_since = _here.away_since or clock.now()
            _here.times += 1
        return _in_postgresql(limited, now, since)


def _in_redis(asked: Sequence[Asked], now: datetime) -> Refused:
    units = _units(asked, now)
    with _here.lock:
        was_away, times = _here.away_since is not None, _here.times
    since, verdicts = counting.reserve(units, recount=was_away)
    with _here.lock:
        if times == _here.times:
            _here.away_since = None
    unknown = [place for place, verdict in enumerate(verdicts) if verdict == UNKNOWN]
    waits: set[UUID] = set()
    if unknown:
        again = [asked[place] for place in unknown]
        doubtful = _doubtful(again, since)
        told = [place for place in unknown if asked[place].notification.recipient_id not in doubtful]
        if told:
            known = _known([asked[place] for place in told], [units[place] for place in told], now)
            _, answers = counting.reserve([units[place] for place in told], known=known, told=since)
            for place, verdict in zip(told, answers, strict=True):
                verdicts[place] = verdict
        waits = {asked[place].work.id for place in unknown if verdicts[place] == UNKNOWN}
    over = {
        one.work.id: one.caps[verdict - 1]
        for one, verdict in zip(asked, verdicts, strict=True)
        if verdict not in (RESERVED, UNKNOWN)
    }
    return Refused(over, frozenset(waits))


def _units(asked: Sequence[Asked], now: datetime) -> list[Unit]:
    """What caps and zones say about this moment is looked up once: there are few of them, and many people."""
    periods: dict[tuple[UUID, str], tuple[str, str, Shape]] = {}
    found = []
    for one in asked:
        recipient, counters = one.notification.recipient_id.hex, []
        for cap in one.caps:
            if (period := periods.get((cap.id, one.zone))) is None:
                window, keeps = cap.window.total_seconds(), caps.longest(cap).total_seconds()
                shape = Shape(cap.limit, window, caps.begins(cap, one.zone, now), keeps)
                period = periods[cap.id, one.zone] = cap.id.hex, caps.label(cap, one.zone, now), shape
            id_, label, shape = period
            counters.append((counting.counter_name(id_, recipient, label, one.is_test), shape))
        found.append(Unit(one.member, counters, one.is_forced))
    return found


def _doubtful(asked: Sequence[Asked], since: datetime) -> set[UUID]:
    """Whoever has a message on its way that was claimed before: it may have a place of which only Redis knew."""
    people = {one.notification.recipient_id for one in asked}
    before = since + timedelta(seconds=settings.LEASE_SECONDS) + _SKEW
    return on_their_way([one.work for one in asked], people, before)


def _known(asked: Sequence[Asked], units: Sequence[Unit], now: datetime) -> counting.Known:
    """What the counters of these units should hold, by the ledger and by PostgreSQL's own count."""
    taken = _taken(asked, now)
    return {
        name: [
            (counting.member(t.notification_id, t.channel), t.at)
            for t in taken.get((one.notification.recipient_id, one.is_test), ())
            if caps.counting((cap,), t.event_type, t.category, t.channel)
        ]
        for one, unit in zip(asked, units, strict=True)
        for cap, (name, _) in zip(one.caps, unit.counters, strict=True)
    }


def _taken(asked: Sequence[Asked], now: datetime) -> dict[tuple[UUID, bool], list[Spent | reserving.Taken]]:
    """By recipient and whether by a test key; each unit once. Two queries, over the longest of the windows."""
    people = {one.notification.recipient_id for one in asked}
    since = min(caps.begins(cap, one.zone, now) for one in asked for cap in one.caps)
    found: dict[tuple[UUID, str], Spent | reserving.Taken] = {}
    each: list[Spent | reserving.Taken] = [*reserving.taken(people, since), *sent_units(people, since)]
    for one in each:
        found[one.notification_id, one.channel] = one
    sorted_out: dict[tuple[UUID, bool], list[Spent | reserving.Taken]] = {}
    for one in found.values():
        sorted_out.setdefault((one.recipient_id, one.is_test), []).append(one)
    return sorted_out


def _in_postgresql(asked: Sequence[Asked], now: datetime, away_since: datetime) -> Refused:
    over: dict[UUID, Cap] = {}
    waits: set[UUID] = set()
    granted: dict[UUID, list[reserving.Taken]] = {}
    with atomic():
        reserving.lock({one.notification.recipient_id for one in asked})
        doubtful = _doubtful(asked, away_since)
        taken = _taken(asked, now)
        for one in asked:
            n, theirs = one.notification, taken.setdefault((one.notification.recipient_id, one.is_test), [])
            if n.recipient_id in doubtful and not one.is_forced:
                waits.add(one.work.id)
            elif (full := _full(one, theirs, now)) is not None:
                over[one.work.id] = full
            else:
                assert one.work.channel is not None
                place = reserving.Taken(
                    n.recipient_id, n.id, one.work.channel, n.category, n.event_type, one.is_test, now
                )
                theirs[:] = [t for t in theirs if (t.notification_id, t.channel) != (n.id, one.work.channel)] + [place]
                granted.setdefault(n.tenant_id, []).append(place)
        for tenant_id, places in granted.items():
            reserving.reserve(tenant_id, {(p.notification_id, p.channel): p for p in places}.values())
    return Refused(over, frozenset(waits))


def _full(one: Asked, theirs: Iterable[Spent | reserving.Taken], now: datetime) -> Cap | None:
    if one.is_forced:
        return None
    others = [t for t in theirs if (t.notification_id, t.channel) != (one.notification.id, one.work.channel)]
    for cap in one.caps:
        begins = caps.begins(cap, one.zone, now)
        counted = (t for t in others if t.at >= begins and caps.counting((cap,), t.event_type, t.category, t.channel))
        if sum(1 for _ in counted) >= cap.limit:
            return cap
    return None


def give_back(deliveries: Collection[UUID], tenant_ids: Iterable[UUID], notifications: Collection[UUID] = ()) -> None:
    """The places of deliveries that ended, or wait again, without having been sent; and of all of those notifications. Nothing where no
    tenant has caps."""
    rules = {id_: found.caps for id_, found in choosing.rules_of(tenant_ids).items() if found.caps}
    if not rules:
        return
    unsent = [unit for unit in not_to_be_sent(deliveries, notifications) if unit[0] in rules]
    if not unsent:
        return
    now = clock.now()
    names = [
        (counting.counter_name(cap.id.hex, recipient_id.hex, label, is_test), counting.member(n, channel))
        for tenant_id, recipient_id, n, channel, is_test in unsent
        for cap in rules[tenant_id]
        for label in caps.labels_around(cap, now)
    ]
    reserving.give_back([(n, channel) for _, _, n, channel, _ in unsent])
    try:
        counting.give_back(names)
    except redis.RedisError as error:
        log.warning("redis is away: places under caps are not given back", extra={"error": type(error).__name__})
