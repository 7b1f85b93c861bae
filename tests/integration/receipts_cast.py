"""Deliveries that were sent, and calls of the sandbox that speak of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import UUID

from apps.audience.addresses import address_hash, email_address
from apps.audience.models import Endpoint, Recipient
from apps.channels.sandbox.wire import SandboxEvent, SandboxEvents, encode
from apps.channels.selectors import sandbox_account
from apps.core import clock, crypto, ids
from apps.core.enums import Channel
from apps.core.types import ProviderCall
from apps.ledger.models import Attempt, Delivery, DeliveryEvent
from apps.receipts.models import ReceiptCall
from apps.receipts.services import apply_due, store_call
from apps.tenants.models import Tenant

AT = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
ACCOUNT = "sandbox-email"


@dataclass(frozen=True)
class Sent:
    """One delivery handed to the sandbox."""

    tenant: UUID
    endpoint: UUID
    delivery: UUID
    attempt: UUID
    address_hash: bytes

    @property
    def reference(self) -> str:
        return ids.show(ids.ATTEMPT, self.attempt)

    @property
    def status(self) -> str:
        return str(Delivery.objects.of(self.tenant).get(id=self.delivery).status)


def tenant(slug: str = "acme") -> UUID:
    return Tenant.objects.get_or_create(slug=slug, defaults={"name": slug.title()})[0].id


def sent(user: str = "bea", *, slug: str = "acme", account: str = ACCOUNT, with_attempt: bool = True) -> Sent:
    owner = tenant(slug)
    person = Recipient.objects.create(tenant_id=owner, user_id=user)
    address = email_address(f"{user}@simulator.test", "")
    endpoint_id = ids.new()
    hashed = address_hash(owner, Channel.EMAIL, address.hashed)
    Endpoint.objects.create(
        id=endpoint_id,
        tenant_id=owner,
        recipient=person,
        channel="email",
        kind="email",
        sealed=crypto.encrypt(address.text.encode(), bound_to=endpoint_id.bytes),
        address_hash=hashed,
        masked=address.masked,
        verified_at=AT,
    )
    delivery_id = ids.new()
    Delivery.objects.bulk_create(
        [
            Delivery(
                id=delivery_id,
                tenant_id=owner,
                notification_id=ids.new(),
                recipient_id=person.id,
                channel="email",
                endpoint_id=endpoint_id,
                category="transactional",
                mode="test",
                status="sent",
                reason="",
                account=account,
                provider_message_id="",
                created_at=AT,
            )
        ]
    )
    found = Sent(owner, endpoint_id, delivery_id, ids.new(), hashed)
    if with_attempt:
        attempt(found, account)
    return found


def attempt(one: Sent, account: str = ACCOUNT) -> None:
    Attempt.objects.bulk_create(
        [
            Attempt(
                id=one.attempt,
                tenant_id=one.tenant,
                delivery_id=one.delivery,
                number=1,
                account=account,
                template_version=0,
                locale="",
                size=0,
                started_at=AT,
                kind="accepted",
                code="",
                detail="",
                provider_message_id="",
            )
        ]
    )


def event(one: Sent, kind: str = "delivered", *, day: float = 0, event_id: str = "", code: str = "") -> SandboxEvent:
    """`day`: days after AT."""
    at = (AT + timedelta(days=day)).timestamp()
    return SandboxEvent(event_id or f"{one.reference}-{kind}-{day}", kind, at, one.reference, "sbx1", code)


def call(*events: SandboxEvent, body: bytes = b"") -> UUID:
    """A verified call, stored."""
    said = ProviderCall("", {}, body or encode(SandboxEvents(list(events))))
    return store_call(account=sandbox_account(Channel.EMAIL), call=said)


def apply() -> None:
    """Every call that is due."""
    assert apply_due(ends=monotonic() + 20)


def again() -> None:
    ReceiptCall.objects.update(due_at=clock.now() - timedelta(seconds=1))
    apply()


def kinds_of(one: Sent) -> list[str]:
    rows = DeliveryEvent.objects.of(one.tenant).filter(delivery_id=one.delivery)
    return sorted(rows.values_list("kind", flat=True))
