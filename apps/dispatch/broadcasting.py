"""A page of a campaign decided on, person by person, by the brain that decides on everything else.

What needs more than a decision for one message (a fallback chain, a bundle, a window for duplicates) is left to routing. Those whom no rule
can tell apart are decided on together (alike.py); here come the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from apps.audience import outlines
from apps.audience.countries import country_of
from apps.audience.outlines import Outline, place_of
from apps.core import crypto
from apps.core.enums import Channel, DeliveryStatus, KeyMode, Reason
from apps.core.locales import zone
from apps.core.types import NOTHING_CHOSEN, EventType, NotificationFacts, TenantRules, Veto
from apps.dispatch.facts import NO_RULES, Facts
from apps.dispatch.route_batch import WITHHELD
from apps.events import selectors as events
from apps.ledger.broadcasts import Broadcast, notification_id
from apps.ledger.campaign_pages import Fate, Frame, NewMessage
from apps.ledger.seen_keys import claim
from apps.preferences import choosing
from apps.preferences import selectors as preferences
from apps.routing.deciding import decide
from apps.routing.decisions import Bundle, Decision, Hold, Send, Skip
from apps.routing.facts import Person
from apps.routing.quiet_hours import in_turn
from apps.templates import rendering
from apps.tenants import selectors as tenants

KEPT = timedelta(days=366)
"""How long a send-once key is remembered."""
_SENT_BEFORE = Skip(Reason.SENT_BEFORE)


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody on a page, and the variant that they get."""

    recipient_id: UUID
    variant: int


def decide_page(
    frame: Frame, broadcast: Broadcast, invited: Sequence[Invited], now: datetime, *, send_once_key: str = ""
) -> list[NewMessage]:
    """One for each that still exists, in order. A fixed number of queries. Takes the keys of those who may get it but once, in the
    caller's transaction."""
    event_type = event_type_of(frame)
    if not is_plain(frame, event_type):
        return [_message(frame, broadcast, one, None) for one in invited]
    page = _Page(frame, broadcast, event_type, invited, now)
    decided = {one.recipient_id: page.decisions(one) for one in invited if one.recipient_id in page.outlines}
    repeated = _repeated(frame, invited, decided, send_once_key)
    return [
        _message(frame, broadcast, one, page.fates(one, decided[one.recipient_id], repeated))
        for one in invited
        if one.recipient_id in decided
    ]


def facts_of(frame: Frame, broadcast: Broadcast, event_type: EventType | None) -> Facts:
    """What a page needs to know besides its people."""
    rules = choosing.rules_of({frame.tenant_id}).get(frame.tenant_id, NO_RULES)
    pinned = {content.version_id for content in broadcast.contents.values()}
    kinds = {(frame.tenant_id, event_type.key): event_type} if event_type else {}
    return Facts({}, kinds, {}, {frame.tenant_id: rules}, pinned=rendering.versions(pinned))


def names_countries(rules: TenantRules) -> bool:
    """Whether it matters where somebody is."""
    return any(quiet.country for quiet in rules.quiet_hours)


Decided = tuple[tuple[Channel, Decision], ...]


class _Page:
    def __init__(
        self,
        frame: Frame,
        broadcast: Broadcast,
        event_type: EventType | None,
        invited: Sequence[Invited],
        now: datetime,
    ) -> None:
        self.frame, self.broadcast, self.now = frame, broadcast, now
        tenant = tenants.tenant_by_id(frame.tenant_id)
        self._zone = tenant.timezone if tenant else ""
        self._facts = facts_of(frame, broadcast, event_type)
        has_countries = names_countries(self._facts.rules[frame.tenant_id])
        asked = {*frame.channels, *((Channel.SMS,) if has_countries else ())}
        people = [one.recipient_id for one in invited]
        self.outlines = outlines.outlines(frame.tenant_id, people, asked, with_phones=has_countries)
        found = ((id_, outline.recipient.preferences_version) for id_, outline in self.outlines.items())
        # version 0: nothing was ever chosen
        self._choices = choosing.choices({id_: version for id_, version in found if version})
        self._vetoes = preferences.vetoes(
            (frame.tenant_id, e.channel, e.address_hash) for o in self.outlines.values() for e in o.endpoints
        )

    def decisions(self, one: Invited) -> Decided:
        outline = self.outlines[one.recipient_id]
        person = self._person(outline, self._vetoed(outline) if self._vetoes else {})
        facts = replace(self._facts, people={one.recipient_id: person})
        n = notification_of(self.frame, self.broadcast, one)
        return tuple(
            (channel, decide(facts.case(n, channel, self.now, asked_at=self.now))) for channel in self.frame.channels
        )

    def fates(self, one: Invited, decided: Decided, repeated: frozenset[UUID]) -> Sequence[Fate] | None:
        if any(isinstance(decision, Bundle) for _, decision in decided):
            return None
        outline = self.outlines[one.recipient_id]
        return [
            fate
            for channel, decision in decided
            for fate in self._fates(
                channel,
                _SENT_BEFORE if not isinstance(decision, Skip) and one.recipient_id in repeated else decision,
                outline,
            )
        ]

    def _fates(self, channel: Channel, decision: Decision, outline: Outline) -> Iterator[Fate]:
        match decision:
            case Send(endpoint_ids, bypassed, because):
                for endpoint_id in endpoint_ids:
                    place = next((place_of(e) for e in outline.endpoints if e.id == endpoint_id), "")
                    status = DeliveryStatus.QUEUED
                    yield Fate(channel, endpoint_id, status, None, place, None, because, bypassed)
            case Hold(_, reason, because):
                due_at = in_turn(decision, self.now)
                yield Fate(channel, None, DeliveryStatus.HELD, reason, "", due_at, because)
            case Skip(reason, because):
                status = WITHHELD.get(reason, DeliveryStatus.SKIPPED)
                yield Fate(channel, None, status, reason, because=because)

    def _person(self, outline: Outline, vetoed: Mapping[UUID, Veto]) -> Person:
        recipient = outline.recipient
        return Person(
            recipient=recipient,
            endpoints=outline.endpoints,
            choices=self._choices.get(recipient.id, NOTHING_CHOSEN),
            suppressed=vetoed,
            is_guest=False,
            zone=zone(recipient.timezone, self._zone).key,
            country=self._country(outline),
        )

    def _vetoed(self, outline: Outline) -> dict[UUID, Veto]:
        tenant_id = self.frame.tenant_id
        return {
            e.id: veto
            for e in outline.endpoints
            if (veto := self._vetoes.get((tenant_id, e.channel, e.address_hash))) is not None
        }

    def _country(self, outline: Outline) -> str:
        phones = [e.address for e in reversed(outline.endpoints) if e.channel == Channel.SMS and not e.is_retired]
        person = outline.recipient
        return country_of(timezone=person.timezone, phones=[p for p in phones if p], locale=person.locale)


def event_type_of(frame: Frame) -> EventType | None:
    key = frame.tenant_id, frame.event_type
    return events.event_types([key]).get(key) if frame.event_type else None


def is_plain(frame: Frame, event_type: EventType | None) -> bool:
    """Whether a decision for each channel is all there is to it."""
    if frame.mode == KeyMode.TEAM or not frame.channels or len(settings.HASH_KEYS) > 1:
        return False
    return event_type is None or not (event_type.fallback or event_type.dedup_window or event_type.grouping)


def _repeated(
    frame: Frame, invited: Sequence[Invited], decided: Mapping[UUID, Decided], send_once_key: str
) -> frozenset[UUID]:
    """Those who got a campaign of that key. Who is to get nothing takes no key."""
    if not send_once_key:
        return frozenset()
    scope = (b"send-once", frame.tenant_id.bytes, frame.mode.encode(), send_once_key.encode())
    keys = {
        crypto.fingerprint(*scope, one.recipient_id.bytes): one.recipient_id
        for one in invited
        if any(not isinstance(decision, Skip) for _, decision in decided.get(one.recipient_id, ()))
    }
    mine = claim({key: _id(frame, person) for key, person in keys.items()}, KEPT)
    return frozenset(person for key, person in keys.items() if key not in mine)


def _id(frame: Frame, person: UUID) -> UUID:
    return notification_id(frame.stamp, frame.broadcast_id, person, frame.cuts)


def _message(frame: Frame, broadcast: Broadcast, one: Invited, fates: Sequence[Fate] | None) -> NewMessage:
    content = broadcast.contents.get(one.variant)
    key = content.template_key if content else ""
    return NewMessage(_id(frame, one.recipient_id), one.recipient_id, one.variant, key, fates)


def notification_of(frame: Frame, broadcast: Broadcast, one: Invited) -> NotificationFacts:
    content = broadcast.contents.get(one.variant)
    return NotificationFacts(
        id=_id(frame, one.recipient_id),
        tenant_id=frame.tenant_id,
        recipient_id=one.recipient_id,
        mode=frame.mode,
        category=frame.category,
        event_type=frame.event_type,
        template_key=content.template_key if content else "",
        channels=frame.channels,
        priority=frame.priority,
        data={},
        content={},
        expires_at=frame.expires_at,
        actor_id="",
        object_id="",
        ordering_key="",
        source="campaign",
        broadcast_id=frame.broadcast_id,
        variant=one.variant,
        template_version_id=content.version_id if content else None,
    )
