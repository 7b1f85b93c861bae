"""When the messages of a digest are due, by the clock and the choices that its recipient has now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from apps.core.enums import BundleKind, DigestFrequency
from apps.core.types import NotificationFacts
from apps.dispatch.facts import Facts
from apps.ledger.flushing import Open, Waiting
from apps.routing.bundling import next_digest
from apps.routing.choosing import ruling
from apps.routing.facts import Person, Stage


@dataclass(frozen=True, slots=True)
class Hours:
    """`late`: bundles that stay open, and until when. `staying`: deliveries in them that are not due yet; the others are."""

    late: dict[UUID, datetime] = field(default_factory=dict)
    staying: set[UUID] = field(default_factory=set)


def own_hours(
    bundles: Iterable[Open],
    waiting: Sequence[Waiting],
    notifications: Mapping[UUID, NotificationFacts],
    facts: Facts,
    now: datetime,
) -> Hours:
    """Groups, and what is full, are due as a whole."""
    hours = Hours()
    theirs: dict[UUID, list[Waiting]] = {}
    for w in waiting:
        theirs.setdefault(w.bundle_id, []).append(w)
    for bundle in bundles:
        person = facts.people.get(bundle.recipient_id)
        if bundle.kind == BundleKind.GROUP or bundle.count >= bundle.most or person is None:
            continue
        due = _due(bundle, person, theirs.get(bundle.id, ()), notifications, facts, now)
        later = {delivery_id: at for delivery_id, at in due.items() if at > now}
        if later:
            hours.late[bundle.id] = min(later.values())
            hours.staying.update(later)
    return hours


def _due(
    bundle: Open,
    person: Person,
    waiting: Sequence[Waiting],
    notifications: Mapping[UUID, NotificationFacts],
    facts: Facts,
    now: datetime,
) -> dict[UUID, datetime]:
    """By delivery. What is wanted at once now is due; what is switched off waits as planned, for it may be switched on again."""
    since = min(bundle.opened_at, bundle.flush_at - timedelta(microseconds=1))
    at: dict[DigestFrequency | None, datetime] = {None: now}
    due: dict[UUID, datetime] = {}
    for w in waiting:
        frequency = _frequency(bundle, notifications.get(w.notification_id), facts, now)
        if frequency not in at:
            assert frequency is not None
            at[frequency] = next_digest(frequency, person.choices, person.zone, since)
        due[w.delivery_id] = at[frequency]
    return due


def _frequency(bundle: Open, n: NotificationFacts | None, facts: Facts, now: datetime) -> DigestFrequency | None:
    if n is None:
        return None
    planned = DigestFrequency(bundle.key)
    if bundle.kind == BundleKind.OVERFLOW:
        return planned
    choice = ruling(facts.case(n, bundle.channel, now, stage=Stage.FLUSH), n.event_type)
    if choice is None:
        return None
    return choice.digest if choice.is_on else planned
