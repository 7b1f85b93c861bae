"""Facts for a whole batch in a fixed number of queries, so that deciding needs none."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from apps.audience import selectors as audience
from apps.audience.addresses import place_of
from apps.audience.countries import country_of
from apps.channels import selectors as channels
from apps.core import ids
from apps.core.enums import Channel, KeyMode
from apps.core.locales import zone
from apps.core.types import NOTHING_CHOSEN, Endpoint, EventType, NotificationFacts, Recipient, TenantRules, Veto
from apps.dispatch.summaries import Named, summary_wish
from apps.events import selectors as events
from apps.ledger.sensitive import ERASED
from apps.preferences import choosing
from apps.preferences import selectors as preferences
from apps.routing import chains
from apps.routing.facts import Case, Person, Stage, Wish
from apps.templates import rendering
from apps.tenants import selectors as tenants

NO_RULES = TenantRules()
NO_TIME = timedelta(0)
NOBODY = Person(recipient=None, endpoints=(), choices=NOTHING_CHOSEN, suppressed={}, is_guest=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """About the notifications of one batch. `contents`: published templates by (tenant, key); `pinned`: versions by id. `fuller`: by
    notification, the one that takes its place (merging.py). `wishes`: of campaign runs, made when the first is asked for."""

    people: Mapping[UUID, Person]
    event_types: Mapping[tuple[UUID, str], EventType]
    contents: Mapping[tuple[UUID, str], rendering.Content]
    rules: Mapping[UUID, TenantRules]
    fuller: Mapping[UUID, UUID] = field(default_factory=dict)
    pinned: Mapping[UUID, rendering.Content] = field(default_factory=dict)
    wishes: dict[tuple[UUID, datetime | None], Wish] = field(default_factory=dict)

    def event_type(self, n: NotificationFacts) -> EventType | None:
        return self.event_types.get((n.tenant_id, n.event_type)) if n.event_type else None

    def content(self, n: NotificationFacts) -> rendering.Content | None:
        """The version that was pinned, whatever is current; else of its template the version that this person gets."""
        if n.template_version_id is not None:
            return self.pinned.get(n.template_version_id)
        event_type = self.event_type(n)
        key = n.template_key or (event_type.template_key if event_type else "")
        found = self.contents.get((n.tenant_id, key)) if key else None
        return found and found.for_person(n.recipient_id)

    def wished_channels(self, n: NotificationFacts) -> tuple[Channel, ...]:
        """The caller's wish, else the event type's, else whatever there is content for."""
        event_type = self.event_type(n)
        if wish := n.channels or (event_type.channels if event_type else ()):
            return wish
        content = self.content(n)
        return tuple(c for c in Channel if content is None or c in content.channels)

    def place(self, n: NotificationFacts, endpoint_id: UUID | None) -> str:
        """Where a delivery goes as providers see it: a mail's domain, a number's country (`+49`)."""
        found = next((e for e in self.people.get(n.recipient_id, NOBODY).endpoints if e.id == endpoint_id), None)
        return place_of(found) if found else ""

    def way(self, n: NotificationFacts) -> chains.Way:
        """Which channels are decided at once, and which one after another."""
        return chains.way(self.wished_channels(n), self.chain(n))

    def turn(self, n: NotificationFacts, channel: Channel | None) -> chains.Way:
        """The same when it is one channel's turn in the chain."""
        chain = self.chain(n)
        begin = chain.index(channel) if channel in chain else len(chain)
        return chains.Way((), tuple(chain[begin:]))

    def is_erased(self, n: NotificationFacts) -> bool:
        """Whether sensitive data that the content may name is gone."""
        event_type = self.event_type(n)
        return event_type is not None and any(n.data.get(key) == ERASED for key in event_type.sensitive_keys)

    def chain(self, n: NotificationFacts) -> tuple[Channel, ...]:
        event_type = self.event_type(n)
        return event_type.fallback if event_type else ()

    def case(
        self,
        n: NotificationFacts,
        channel: Channel,
        now: datetime,
        *,
        stage: Stage = Stage.ROUTE,
        duplicate_of: UUID | None = None,
        asked_at: datetime | None = None,
    ) -> Case:
        content = self.content(n)
        return Case(
            wish=self._wish(n),
            person=self.people.get(n.recipient_id, NOBODY),
            channel=channel,
            now=now,
            has_content=bool(n.content or n.is_summary) or (content is not None and channel in content.channels),
            has_provider=channel == Channel.IN_APP or channels.has_account(n.tenant_id, n.mode, channel),
            duplicate_of=duplicate_of,
            fuller=self.fuller.get(n.id),
            rules=self.rules.get(n.tenant_id, NO_RULES),
            stage=stage,
            asked_at=asked_at,
        )

    def _wish(self, n: NotificationFacts) -> Wish:
        if n.is_summary:
            return summary_wish(n, self.people.get(n.recipient_id, NOBODY))
        if n.broadcast_id is None:
            return self._wish_of(n)
        kind = n.broadcast_id, n.expires_at
        if (wish := self.wishes.get(kind)) is None:
            wish = self.wishes[kind] = self._wish_of(n)
        return wish

    def _wish_of(self, n: NotificationFacts) -> Wish:
        event_type = self.event_type(n)
        return Wish(
            category=n.category,
            event_type=n.event_type,
            priority=n.priority,
            mode=n.mode,
            actor_id=n.actor_id,
            expires_at=n.expires_at,
            object_id=n.object_id,
            grouping=event_type.grouping if event_type else None,
            overflows=event_type.overflows if event_type else False,
            waits=event_type.waits if event_type and event_type.waits_for and n.object_id else NO_TIME,
            verifies=ids.read(ids.ENDPOINT, n.object_id) if n.is_verification else None,
            halt=n.halt,
        )


def load(notifications: Collection[NotificationFacts], channel: Channel | None = None) -> Facts:
    """At most eight queries, whatever the number of notifications, and three for tenants whose rules are not at hand. `channel`: the
    only one to be decided on; by default those that any of them wishes for."""
    named = Named.by(notifications)
    event_types = events.event_types(named.event_types)
    keys = set(named.templates)
    keys |= {(e.tenant_id, e.template_key) for e in event_types.values() if e.template_key}
    rules = choosing.rules_of({n.tenant_id for n in notifications})
    pinned = {n.template_version_id for n in notifications if n.template_version_id is not None}
    facts = Facts({}, event_types, rendering.published(keys), rules, pinned=rendering.versions(pinned))
    wished = {channel} if channel else {c for n in notifications for c in (*facts.wished_channels(n), *facts.chain(n))}
    if any(quiet.country for each in rules.values() for quiet in each.quiet_hours):
        # a number tells a country, on whatever channel the message goes
        wished = {*wished, Channel.SMS}
    return replace(facts, people=_people(notifications, wished))


def _people(notifications: Collection[NotificationFacts], wished: Collection[Channel]) -> Mapping[UUID, Person]:
    recipients = audience.recipients({n.recipient_id for n in notifications})
    endpoints = audience.endpoints_of(recipients, wished)
    chosen = choosing.choices({id_: person.preferences_version for id_, person in recipients.items()})
    vetoes = preferences.vetoes(
        {
            (recipients[id_].tenant_id, endpoint.channel, address_hash)
            for id_, theirs in endpoints.items()
            for endpoint in theirs
            for address_hash in endpoint.hashes
        }
    )
    guests = _guests(notifications, recipients)
    homes = {id_: tenants.tenant_by_id(id_) for id_ in {recipient.tenant_id for recipient in recipients.values()}}
    zones = {id_: tenant.timezone if tenant else "" for id_, tenant in homes.items()}
    return {
        id_: Person(
            recipient=recipient,
            endpoints=(theirs := endpoints.get(id_, ())),
            choices=chosen.get(id_, NOBODY.choices),
            suppressed=_suppressed(recipient, theirs, vetoes) if vetoes else NOBODY.suppressed,
            is_guest=id_ in guests,
            zone=zone(recipient.timezone, zones[recipient.tenant_id]).key,
            country=_country(recipient, theirs),
        )
        for id_, recipient in recipients.items()
    }


def _suppressed(
    recipient: Recipient, endpoints: Sequence[Endpoint], vetoes: Mapping[preferences.SuppressionKey, Veto]
) -> dict[UUID, Veto]:
    found = {e.id: vetoes.get((recipient.tenant_id, e.channel, h)) for e in endpoints for h in e.hashes}
    return {id_: veto for id_, veto in found.items() if veto is not None}


def _country(recipient: Recipient, endpoints: Sequence[Endpoint]) -> str:
    phones = [e.address for e in reversed(endpoints) if e.channel is Channel.SMS and not e.is_retired]
    return country_of(timezone=recipient.timezone, phones=phones, locale=recipient.locale)


def _guests(notifications: Collection[NotificationFacts], recipients: Mapping[UUID, Recipient]) -> frozenset[UUID]:
    """Asked only for what came with team keys: one query per tenant among them."""
    team = {n.recipient_id for n in notifications if n.mode == KeyMode.TEAM and n.recipient_id in recipients}
    found: set[UUID] = set()
    for tenant_id in {recipients[id_].tenant_id for id_ in team}:
        theirs = {recipients[id_].user_id: id_ for id_ in team if recipients[id_].tenant_id == tenant_id}
        found.update(theirs[user_id] for user_id in tenants.guests(tenant_id, theirs))
    return frozenset(found)
