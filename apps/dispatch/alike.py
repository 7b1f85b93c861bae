"""A page of a campaign decided on for all who are alike at once: the brain is asked about one of them, and its answer is everybody's.

Sound, because two people of one likeness (audience/campaign_pages.py) differ in nothing that a rule looks at: which variant and channel it
is, their zone, whether they are blocked, the states of their addresses on the channel, and what they chose; none of their addresses is
vetoed. When and where they chose it is each one's own, and is told with what objects: for those who chose, only
a yes that needs no reason is everybody's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from apps.audience.campaign_pages import Likeness
from apps.audience.countries import country_of
from apps.core import ids
from apps.core.enums import Channel, DeliveryStatus, EndpointKind
from apps.core.locales import zone
from apps.core.types import NOTHING_CHOSEN, Endpoint, Recipient
from apps.dispatch.broadcasting import Invited, event_type_of, facts_of, is_plain, names_countries, notification_of
from apps.dispatch.facts import Facts
from apps.dispatch.route_batch import WITHHELD
from apps.ledger.broadcasts import Broadcast
from apps.ledger.campaign_pages import Alike, Frame
from apps.preferences.choosing import choices_of
from apps.routing.deciding import decide
from apps.routing.decisions import Bundle, Decision, Hold, Send, Skip
from apps.routing.facts import Person
from apps.routing.quiet_hours import in_turn
from apps.tenants import selectors as tenants

_KINDS = {Channel.EMAIL: EndpointKind.EMAIL, Channel.SMS: EndpointKind.PHONE, Channel.PUSH: EndpointKind.DEVICE}
_NOBODY = UUID(int=0)


def may_be_alike(frame: Frame) -> bool:
    return is_plain(frame, event_type_of(frame))


class Judged(NamedTuple):
    """`apart`: what those chose who have to be decided on by themselves."""

    alike: list[Alike]
    apart: frozenset[str]


def decide_alike(frame: Frame, broadcast: Broadcast, likenesses: Sequence[Likeness], now: datetime) -> Judged | None:
    """None: the brain wants to know who it is (a country that no zone tells), or to put messages together: they have to be decided on one
    by one."""
    facts = facts_of(frame, broadcast, event_type_of(frame))
    has_countries = names_countries(facts.rules[frame.tenant_id])
    tenant = tenants.tenant_by_id(frame.tenant_id)
    home = tenant.timezone if tenant else ""
    found: list[Alike] = []
    apart: set[str] = set()
    for likeness in likenesses:
        country = country_of(timezone=likeness.timezone)
        if has_countries and not country:
            return None
        person = _person(frame, likeness, zone(likeness.timezone, home).key, country)
        decision = _decision(facts, frame, broadcast, likeness, person, now)
        if likeness.chosen and not (isinstance(decision, Send) and not decision.because):
            apart.add(likeness.chosen)
            continue
        if isinstance(decision, Bundle):
            return None
        found += _fates(likeness, decision, person, now)
    return Judged(found, frozenset(apart))


def _person(frame: Frame, likeness: Likeness, clock: str, country: str) -> Person:
    """One of them. Their addresses are numbered, the oldest is 1."""
    channel = Channel(likeness.channel)
    return Person(
        recipient=Recipient(_NOBODY, frame.tenant_id, "", "", likeness.timezone, {}, likeness.is_blocked),
        endpoints=tuple(
            Endpoint(UUID(int=number), _NOBODY, channel, _KINDS[channel], "", b"", "", "", state == "v", state == "x")
            for number, state in enumerate(likeness.states, start=1)
        ),
        choices=choices_of(likeness.chosen) if likeness.chosen else NOTHING_CHOSEN,
        suppressed={},
        is_guest=False,
        zone=clock,
        country=country,
    )


def _decision(
    facts: Facts, frame: Frame, broadcast: Broadcast, likeness: Likeness, person: Person, now: datetime
) -> Decision:
    n = notification_of(frame, broadcast, Invited(_NOBODY, likeness.variant))
    known = replace(facts, people={_NOBODY: person})
    return decide(known.case(structs.replace(n, id=ids.new()), Channel(likeness.channel), now, asked_at=now))


def _fates(likeness: Likeness, decision: Decision, person: Person, now: datetime) -> Iterator[Alike]:
    match decision:
        case Send(endpoint_ids, bypassed, because):
            for endpoint_id in endpoint_ids:
                number = endpoint_id.int if endpoint_id else 0
                status = DeliveryStatus.QUEUED
                yield Alike(*likeness, status, None, number, because=because, bypassed=bypassed)
        case Hold(_, reason, because):
            yield Alike(*likeness, DeliveryStatus.HELD, reason, due_at=in_turn(decision, now), because=because)
        case Skip(reason, because):
            yield Alike(*likeness, WITHHELD.get(reason, DeliveryStatus.SKIPPED), reason, because=because)
