"""What was decided to wait in a bundle, into its bundle."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from apps.core.enums import BundleKind, Channel
from apps.core.types import NotificationFacts, Work
from apps.dispatch.facts import Facts
from apps.ledger.bundles import Joined, Joining, join
from apps.ledger.routing_results import delivery_id
from apps.routing.deciding import sending
from apps.routing.decisions import Bundle, Decision

Each = tuple[Work, NotificationFacts, Channel, Decision]


def bundled(decided: Sequence[Each], facts: Facts, now: datetime) -> tuple[list[Each], Joined]:
    """In the transaction that writes the deliveries. What leads its bundle is to be sent instead."""
    joined = join(
        joining(work, n, channel, decision, delivery_id(n.id, channel, None))
        for work, n, channel, decision in decided
        if isinstance(decision, Bundle)
    )
    if not joined.leading:
        return list(decided), joined
    return [
        (work, n, channel, sending(facts.case(n, channel, now)))
        if isinstance(decision, Bundle) and delivery_id(n.id, channel, None) in joined.leading
        else (work, n, channel, decision)
        for work, n, channel, decision in decided
    ], joined


def joining(work: Work, n: NotificationFacts, channel: Channel, decision: Bundle, delivery: UUID) -> Joining:
    """Of a delivery that is to be, or is already (then see ledger.bundles.withdraw)."""
    return Joining(
        delivery_id=delivery,
        notification_id=n.id,
        tenant_id=n.tenant_id,
        recipient_id=n.recipient_id,
        channel=channel,
        category=n.category,
        mode=n.mode,
        kind=decision.kind,
        key=decision.key,
        until=decision.until,
        most=decision.most,
        at=work.order_at,
        leads=decision.leads,
        event_type=n.event_type if decision.kind == BundleKind.GROUP else "",
        reason=decision.reason,
        because=decision.because,
    )
