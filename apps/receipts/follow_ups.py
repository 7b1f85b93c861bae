"""What a receipt means for the address it speaks of, and for the person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from apps.audience import selectors as audience
from apps.audience import services as audience_services
from apps.core import clock
from apps.core.enums import Category, Channel, EventKind, OutcomeKind, Reason, SuppressionReason
from apps.core.types import NewSuppression
from apps.dispatch.fallback import after_receipts
from apps.ledger.receipts import Applied
from apps.preferences import services as preferences
from apps.preferences.soft_bounces import Refusals, begin_anew, count_soft_bounces

SUPPRESSES: Mapping[EventKind, SuppressionReason] = {
    EventKind.BOUNCED: SuppressionReason.HARD_BOUNCE,
    EventKind.COMPLAINED: SuppressionReason.COMPLAINT,
    EventKind.OPTED_OUT: SuppressionReason.OPTED_OUT,
}
# the person spoke, not the network: what is theirs to switch goes off, too, for whatever address comes next
PERSONS_OWN = frozenset({EventKind.COMPLAINED, EventKind.OPTED_OUT})
ARRIVED = frozenset({EventKind.DELIVERED, EventKind.OPENED, EventKind.CLICKED})
MARKETING = f"category:{Category.MARKETING}"
SOURCE = "receipt"


def act_on(applied: Sequence[Applied]) -> None:
    """In the caller's transaction, with a fixed number of statements: suppresses addresses, retires those that do not exist,
    counts soft bounces, switches marketing off, gives the next channel its turn. `applied` in the order of time."""
    vetoed: dict[UUID, tuple[Applied, SuppressionReason]] = {}
    refused: dict[UUID, tuple[Applied, Refusals]] = {}
    arrived: set[UUID] = set()
    dead: set[UUID] = set()
    gone: set[tuple[UUID, UUID, Channel]] = set()
    for one in applied:
        if one.kind in PERSONS_OWN:
            gone.add((one.tenant_id, one.recipient_id, one.channel))
        endpoint = one.endpoint_id
        if endpoint is None:
            continue
        if reason := SUPPRESSES.get(one.kind):
            vetoed.setdefault(endpoint, (one, reason))
        elif one.kind == EventKind.FAILED and one.code == OutcomeKind.INVALID_ADDRESS:
            dead.add(endpoint)
        elif one.kind == EventKind.SOFT_BOUNCED:
            refused[endpoint] = (one, _one_more(one, refused.get(endpoint)))
        elif one.kind in ARRIVED:
            arrived.add(endpoint)
            refused.pop(endpoint, None)
    begin_anew(arrived)
    hopeless = count_soft_bounces({endpoint: refusals for endpoint, (_, refusals) in refused.items()})
    for endpoint in hopeless:
        vetoed.setdefault(endpoint, (refused[endpoint][0], SuppressionReason.SOFT_BOUNCE))
    if vetoed:
        _suppress(vetoed)
    if dead:
        audience_services.retire_endpoints(dead=dict.fromkeys(dead), reason=Reason.INVALID_ADDRESS, now=clock.now())
    _switch_marketing_off(gone)
    after_receipts(applied)


def _one_more(one: Applied, before: tuple[Applied, Refusals] | None) -> Refusals:
    if before is None:
        return Refusals(one.tenant_id, 1, one.at, one.at)
    return replace(before[1], count=before[1].count + 1, last_at=one.at)


def _suppress(vetoed: Mapping[UUID, tuple[Applied, SuppressionReason]]) -> None:
    preferences.suppress(
        [
            NewSuppression(
                tenant_id=vetoed[endpoint.id][0].tenant_id,
                channel=endpoint.channel,
                address_hash=endpoint.address_hash,
                masked=endpoint.masked,
                reason=vetoed[endpoint.id][1],
                source=vetoed[endpoint.id][0].source,
            )
            for endpoint in audience.endpoints(vetoed).values()
        ]
    )


def _switch_marketing_off(people: Collection[tuple[UUID, UUID, Channel]]) -> None:
    """On the channel that they answered on."""
    preferences.switch_off(people, topic=MARKETING, source=SOURCE)
