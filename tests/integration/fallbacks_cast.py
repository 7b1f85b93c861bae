"""Chains on top of the doubts' cast: Rosa's notification of a type with one, and channels that refuse."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.core import clock, ids
from apps.core.enums import Category, Channel, EventKind, OutcomeKind, Reason
from apps.core.types import OutboundMessage, Outcome, Receipt
from apps.dispatch.fallback import GaveUp, after_receipts
from apps.ledger.models import Attempt, Delivery
from apps.ledger.receipts import record
from tests.integration.dispatch_cast import ACCEPTED, Carrier, notify, tenant
from tests.integration.doubts_cast import drained, event_type, reached

PUSH, EMAIL, SMS, IN_APP = Channel
T = Category.TRANSACTIONAL
CHAIN = ["push", "sms", "email"]
GONE = Outcome(OutcomeKind.INVALID_ADDRESS, "unregistered")


def shipped(
    *channels: Channel, who: UUID | None = None, category: Category = T, chain: Any = CHAIN, **wish: Any
) -> UUID:
    """Rosa's notification of an event type with a chain, routed. She has an address on each of `channels`."""
    fields = {name: wish.pop(name) for name in ("fallback_after_seconds", "sensitive_keys") if name in wish}
    event_type("order.shipped", category=category, fallback=chain, **fields)
    rosa = who or reached(*channels)
    content = {"title": "a", "body": "b"}
    (n,) = notify([rosa], category=category, event_type="order.shipped", content=content, **{"channels": [PUSH]} | wish)
    drained(category)
    return n


def run(category: Category = T) -> None:
    """Whatever is due, until nothing is."""
    for _ in range(5):
        drained(category)
        for channel in (PUSH, SMS, EMAIL, IN_APP):
            drained(category, channel)


def refuses(carrier: Carrier, *channels: Channel, outcome: Outcome = GONE) -> None:
    """These channels refuse, the others accept."""

    def send(account: Any, messages: Sequence[OutboundMessage], *, deadline: float, **told: Any) -> list[Outcome]:
        carrier.calls.append(list(messages))
        return [outcome if m.channel in channels else ACCEPTED for m in messages]

    carrier.send = send  # type: ignore[method-assign]


def sent_by(carrier: Carrier) -> list[str]:
    return [message.channel.value for message in carrier.messages]


def gave_up(d: Delivery) -> GaveUp:
    return GaveUp(d.notification_id, d.id, Channel(d.channel), Reason.INVALID_ADDRESS)


def receipts_say(kind: EventKind, channel: Channel) -> None:
    """The channel's provider, of its one attempt, twice."""
    delivery = Delivery.objects.of(tenant()).get(channel=channel)
    attempt = Attempt.objects.all_tenants().get(delivery_id=delivery.id)
    said = Receipt(f"{kind}-{channel}", kind, clock.now(), reference=ids.show(ids.ATTEMPT, attempt.id))
    for _ in range(2):
        after_receipts(record([(f"sandbox-{channel}", said)]).applied)
