"""What a provider's answer means for the address, and what a finished notification means for its secrets."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from apps.audience import selectors as audience
from apps.audience import services as audience_services
from apps.core import clock
from apps.core.enums import Reason, SuppressionReason
from apps.core.types import Account, NewSuppression, NotificationFacts
from apps.dispatch.facts import Facts
from apps.ledger.sending_results import Settlement
from apps.ledger.sensitive import erase_where_over
from apps.preferences import services as preferences
from apps.routing.retrying import Step


def apply(results: Sequence[Settlement], steps: Sequence[tuple[UUID | None, Step]], account: Account) -> None:
    """Retires addresses that do not exist, suppresses those that opted out."""
    dead = {
        endpoint_id: result.outcome.dead_since if result.outcome else None
        for result, (endpoint_id, step) in zip(results, steps, strict=True)
        if step.retires_endpoint and endpoint_id
    }
    if dead:
        audience_services.retire_endpoints(dead=dead, reason=Reason.INVALID_ADDRESS, now=clock.now())
    vetoed = {
        endpoint_id: result.work.tenant_id
        for result, (endpoint_id, step) in zip(results, steps, strict=True)
        if step.suppresses and endpoint_id
    }
    if vetoed:
        preferences.suppress(
            [
                NewSuppression(
                    tenant_id=vetoed[endpoint.id],
                    channel=endpoint.channel,
                    address_hash=endpoint.address_hash,
                    masked=endpoint.masked,
                    reason=SuppressionReason.OPTED_OUT,
                    source=account.key,
                )
                for endpoint in audience.endpoints(list(vetoed)).values()
            ]
        )


def erase_sensitive(notifications: Iterable[NotificationFacts], facts: Facts) -> None:
    """Codes and the like go as soon as nothing of the notification is left to send."""
    erase_where_over(
        {
            n.id: event_type.sensitive_keys
            for n in notifications
            if (event_type := facts.event_type(n)) and event_type.sensitive_keys
        }
    )
