"""All that a person's settings page shows, in a fixed number of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from apps.audience import selectors as audience
from apps.core import clock
from apps.core.types import Choices, Endpoint, EventType, TenantRules, Veto
from apps.events.selectors import event_type_page
from apps.ledger import journal
from apps.pages.matrix import Matrix, matrix
from apps.pages.visitors import Visitor
from apps.pages.wording import WEEKS
from apps.preferences import choosing
from apps.preferences import selectors as preferences

MOST_TYPES = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """What decides: for a change of it."""

    types: Sequence[EventType]
    choices: Choices
    rules: TenantRules


@dataclass(frozen=True, slots=True)
class Shown:
    """What is seen besides. `volumes`: by (event type, category)."""

    kept: Kept
    matrix: Matrix
    volumes: Mapping[tuple[str, str], journal.Volume]
    endpoints: Sequence[tuple[Endpoint, Veto | None]]


def kept(visitor: Visitor) -> Kept:
    """At most five queries."""
    return Kept(
        event_type_page(visitor.tenant.id, MOST_TYPES, None),
        choosing.stored([visitor.recipient.id])[visitor.recipient.id],
        choosing.rules_of([visitor.tenant.id])[visitor.tenant.id],
    )


def shown(visitor: Visitor) -> Shown:
    found, mine = kept(visitor), visitor.recipient.id
    since = clock.now() - timedelta(weeks=WEEKS)
    volumes = journal.volumes(tenant_id=visitor.tenant.id, recipient_id=mine, since=since)
    endpoints = [e for e in audience.endpoints_of([mine]).get(mine, ()) if not e.is_retired]
    keys = {(e.id, key): (visitor.tenant.id, e.channel, key) for e in endpoints for key in e.hashes}
    vetoes = preferences.vetoes(keys.values())
    return Shown(
        found,
        matrix(found.types, found.choices, found.rules, {category for kind, category in volumes if not kind}),
        volumes,
        [(e, next((vetoes[k] for key in e.hashes if (k := keys[e.id, key]) in vetoes), None)) for e in endpoints],
    )
