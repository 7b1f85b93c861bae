"""Facts for a whole batch in a fixed number of queries, so that deciding needs none."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.audience import selectors as audience
from apps.channels import selectors as channels
from apps.core.enums import Channel, KeyMode
from apps.core.types import EventType, NotificationFacts, Recipient
from apps.events import selectors as events
from apps.preferences import selectors as preferences
from apps.routing.facts import Case, Person, Wish
from apps.templates import rendering
from apps.tenants import selectors as tenants

NOBODY = Person(recipient=None, endpoints=(), switches=(), suppressed=frozenset(), is_guest=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """About the notifications of one batch. `contents`: published templates by (tenant, key)."""

    people: Mapping[UUID, Person]
    event_types: Mapping[tuple[UUID, str], EventType]
    contents: Mapping[tuple[UUID, str], rendering.Content]

    def event_type(self, n: NotificationFacts) -> EventType | None:
        return self.event_types.get((n.tenant_id, n.event_type)) if n.event_type else None

    def content(self, n: NotificationFacts) -> rendering.Content | None:
        event_type = self.event_type(n)
        key = n.template_key or (event_type.template_key if event_type else "")
        return self.contents.get((n.tenant_id, key)) if key else None

    def wished_channels(self, n: NotificationFacts) -> tuple[Channel, ...]:
        """The caller's wish, else the event type's, else whatever there is content for."""
        event_type = self.event_type(n)
        if wish := n.channels or (event_type.channels if event_type else ()):
            return wish
        content = self.content(n)
        return tuple(c for c in Channel if content is None or c in content.channels)

    def case(self, n: NotificationFacts, channel: Channel, now: datetime, *, is_duplicate: bool = False) -> Case:
        content = self.content(n)
        return Case(
            wish=Wish(n.category, n.event_type, n.priority, n.mode, n.actor_id, n.expires_at),
            person=self.people.get(n.recipient_id, NOBODY),
            channel=channel,
            now=now,
            has_content=bool(n.content) or (content is not None and channel in content.channels),
            has_provider=channel == Channel.IN_APP or channels.has_account(n.tenant_id, n.mode, channel),
            is_duplicate=is_duplicate,
        )


def load(notifications: Collection[NotificationFacts]) -> Facts:
    """At most eight queries, whatever the number of notifications."""
    recipients = audience.recipients({n.recipient_id for n in notifications})
    endpoints = audience.endpoints_of(recipients)
    switches = preferences.switches(recipients)
    vetoed = preferences.suppressed(
        {
            (recipients[id_].tenant_id, endpoint.channel, address_hash)
            for id_, theirs in endpoints.items()
            for endpoint in theirs
            for address_hash in endpoint.hashes
        }
    )
    guests = _guests(notifications, recipients)
    event_types = events.event_types({(n.tenant_id, n.event_type) for n in notifications if n.event_type})
    keys = {(n.tenant_id, n.template_key) for n in notifications if n.template_key}
    keys |= {(e.tenant_id, e.template_key) for e in event_types.values() if e.template_key}
    people = {
        id_: Person(
            recipient=recipient,
            endpoints=(theirs := endpoints.get(id_, ())),
            switches=switches.get(id_, ()),
            suppressed=frozenset(
                e.id for e in theirs if any((recipient.tenant_id, e.channel, h) in vetoed for h in e.hashes)
            ),
            is_guest=id_ in guests,
        )
        for id_, recipient in recipients.items()
    }
    return Facts(people, event_types, rendering.published(keys))


def _guests(notifications: Collection[NotificationFacts], recipients: Mapping[UUID, Recipient]) -> frozenset[UUID]:
    """Asked only for what came with team keys: one query per tenant among them."""
    team = {n.recipient_id for n in notifications if n.mode == KeyMode.TEAM and n.recipient_id in recipients}
    found: set[UUID] = set()
    for tenant_id in {recipients[id_].tenant_id for id_ in team}:
        theirs = {recipients[id_].user_id: id_ for id_ in team if recipients[id_].tenant_id == tenant_id}
        found.update(theirs[user_id] for user_id in tenants.guests(tenant_id, theirs))
    return frozenset(found)
