"""What the brain is told about a summary: what it sums up is its wish; its event type's rules bound its parts already."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from apps.core.types import EventType, NotificationFacts
from apps.routing.bundling import group_key
from apps.routing.digests import digest_of
from apps.routing.facts import Person, Wish

TEMPLATE = "digest"
"""The key of a tenant's own template for summaries of which no event type says another."""


@dataclass(frozen=True, slots=True)
class Named:
    """By (tenant, key): what notifications, and the parts of summaries, name; no template where a version of it is pinned."""

    event_types: frozenset[tuple[UUID, str]]
    templates: frozenset[tuple[UUID, str]]

    @classmethod
    def by(cls, notifications: Iterable[NotificationFacts]) -> "Named":
        event_types, templates = set(), set()
        for n in notifications:
            event_types.add((n.tenant_id, n.event_type))
            if n.template_version_id is None:
                templates.add((n.tenant_id, n.template_key))
            if n.is_summary and (digest := digest_of(n.data)):
                event_types.update((n.tenant_id, key) for key in digest.types)
                templates.update((n.tenant_id, item.template_key) for item in digest.items)
                templates.add((n.tenant_id, TEMPLATE))
        return cls(frozenset(pair for pair in event_types if pair[1]), frozenset(pair for pair in templates if pair[1]))


def summary_wish(n: NotificationFacts, person: Person) -> Wish:
    """`actor_id`: of one whom the recipient has blocked, if all that it tells was done by such."""
    digest = digest_of(n.data)
    actors = {item.actor_id for item in digest.items} if digest else set()
    blocked = person.choices.blocked_actors
    return Wish(
        category=n.category,
        event_type=n.event_type,
        priority=n.priority,
        mode=n.mode,
        actor_id=min(actors) if actors and actors <= blocked else "",
        expires_at=n.expires_at,
        is_summary=True,
        parts=tuple(digest.types) if digest else (),
    )


def group_of(n: NotificationFacts, event_type: EventType | None) -> str:
    """What its item in the feed has in common with those that are summed up with it; empty: nothing."""
    if n.is_summary:
        digest = digest_of(n.data)
        return digest.group if digest else ""
    return group_key(event_type.grouping, n.event_type, n.object_id, n.actor_id) if event_type else ""


def replaced_by(n: NotificationFacts) -> tuple[UUID, ...]:
    digest = digest_of(n.data) if n.is_summary else None
    return digest.replaces if digest else ()
