"""What a receipt means for the address it speaks of."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from apps.audience import selectors as audience
from apps.audience import services as audience_services
from apps.core import clock
from apps.core.enums import EventKind, OutcomeKind, Reason, SuppressionReason
from apps.core.types import NewSuppression
from apps.ledger.receipts import Applied
from apps.preferences import services as preferences

SUPPRESSES: Mapping[EventKind, SuppressionReason] = {
    EventKind.BOUNCED: SuppressionReason.HARD_BOUNCE,
    EventKind.COMPLAINED: SuppressionReason.COMPLAINT,
    EventKind.OPTED_OUT: SuppressionReason.OPTED_OUT,
}
SOURCE = "receipt"


def act_on(applied: Iterable[Applied]) -> None:
    """In the caller's transaction, with at most three statements: suppresses addresses, retires those that do not exist."""
    vetoed: dict[UUID, tuple[UUID, SuppressionReason]] = {}
    dead: set[UUID] = set()
    for one in applied:
        if one.endpoint_id is None:
            continue
        if reason := SUPPRESSES.get(one.kind):
            vetoed.setdefault(one.endpoint_id, (one.tenant_id, reason))
        elif one.kind == EventKind.FAILED and one.code == OutcomeKind.INVALID_ADDRESS:
            dead.add(one.endpoint_id)
    if vetoed:
        _suppress(vetoed)
    if dead:
        audience_services.retire_endpoints(dead=dict.fromkeys(dead), reason=Reason.INVALID_ADDRESS, now=clock.now())


def _suppress(vetoed: Mapping[UUID, tuple[UUID, SuppressionReason]]) -> None:
    preferences.suppress(
        [
            NewSuppression(
                tenant_id=vetoed[endpoint.id][0],
                channel=endpoint.channel,
                address_hash=endpoint.address_hash,
                masked=endpoint.masked,
                reason=vetoed[endpoint.id][1],
                source=SOURCE,
            )
            for endpoint in audience.endpoints(vetoed).values()
        ]
    )
