"""Acme, its people and its messages, straight into the ledger; and a carrier that says what a test wants."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.audience.addresses import address_hash
from apps.audience.models import Endpoint, Recipient
from apps.channels import registry, selectors
from apps.channels.base import Provider
from apps.core import clock, crypto, ids
from apps.core.enums import Category, Channel, KeyMode, OutcomeKind, Priority
from apps.core.types import Account, NewNotification, OutboundMessage, Outcome, Work
from apps.dispatch import bells
from apps.dispatch.route_batch import route_batch
from apps.dispatch.send_batch import send_batch
from apps.ledger import work
from apps.ledger.accepting import Request, accept
from apps.ledger.models import Attempt, DeadLetter, Delivery, DeliveryEvent, Lease, Notification, WorkItem
from apps.tenants.models import Tenant

LEASE = timedelta(seconds=30)
ACCEPTED = Outcome(OutcomeKind.ACCEPTED, provider_message_id="m1")


def tenant(slug: str = "acme") -> UUID:
    return Tenant.objects.get_or_create(slug=slug, defaults={"name": slug.title()})[0].id


def person(user: str = "rosa", *, slug: str = "acme") -> UUID:
    return Recipient.objects.get_or_create(tenant_id=tenant(slug), user_id=user)[0].id


def people(count: int) -> list[UUID]:
    """Each with an email address, in two statements."""
    owner = tenant()
    rows = Recipient.objects.bulk_create([Recipient(tenant_id=owner, user_id=f"u{n}") for n in range(count)])
    Endpoint.objects.bulk_create([_endpoint(owner, row.id, Channel.EMAIL, f"{row.user_id}@acme.test") for row in rows])
    return [row.id for row in rows]


def endpoint(
    recipient: UUID, channel: Channel = Channel.EMAIL, address: str = "", *, slug: str = "acme", **fields: Any
) -> UUID:
    row = _endpoint(tenant(slug), recipient, channel, address or f"{recipient}@acme.test", **fields)
    row.save(force_insert=True)
    return row.id


def _endpoint(owner: UUID, recipient: UUID, channel: Channel, address: str, **fields: Any) -> Endpoint:
    id_ = ids.new()
    kinds = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.PUSH: "device"}
    return Endpoint(
        id=id_,
        tenant_id=owner,
        recipient_id=recipient,
        channel=channel,
        kind=kinds[channel],
        sealed=crypto.encrypt(address.encode(), bound_to=id_.bytes),
        address_hash=address_hash(owner, channel, address),
        masked="r***@acme.test",
        **{"verified_at": clock.now()} | fields,
    )


def notify(
    recipients: Sequence[UUID],
    *,
    slug: str = "acme",
    mode: KeyMode = KeyMode.TEST,
    channels: Sequence[Channel] = (Channel.EMAIL,),
    category: Category = Category.TRANSACTIONAL,
    priority: Priority = Priority.NORMAL,
    content: dict[str, str] | None = None,
    event_type: str = "",
    template_key: str = "",
    data: dict[str, Any] | None = None,
    **fields: Any,
) -> list[UUID]:
    """Accepted notifications, one per recipient; `content` is inline unless an event type or a template is named."""
    if content is None:
        content = {} if event_type or template_key else {"title": "Hello", "body": "It is here."}
    made = [
        NewNotification(
            id=ids.new(),
            recipient_id=recipient,
            category=category,
            event_type=event_type,
            template_key=template_key,
            channels=tuple(channels),
            priority=priority,
            data=data or {},
            content=content,
            due_at=fields.get("due_at"),
            expires_at=fields.get("expires_at"),
            event_id="",
            actor_id=fields.get("actor_id", ""),
            object_id=fields.get("object_id", ""),
            ordering_key=fields.get("ordering_key", ""),
        )
        for recipient in recipients
    ]
    day = timedelta(days=1)
    accept(Request(tenant(slug), None, mode, "api", "", ids.new().bytes * 2, bytes(32), b"{}", day, day), made)
    return [n.id for n in made]


def claimed(queue: str, limit: int = 5_000, **weights: int) -> list[Work]:
    return work.claim(queue=queue, limit=limit, lease=LEASE, weights={tenant(slug): w for slug, w in weights.items()})


def route(lane: str = "transactional") -> int:
    """Routes what is due, and rings; how many."""
    works = claimed(f"route.{lane}")
    if works and (queues := route_batch(works)):
        bells.ring(*queues)
    return len(works)


def send(queue: str = "send.transactional.email", *, seconds: float = 60.0) -> int:
    works = claimed(queue) or work.claim_lone(queue=queue, lease=LEASE)
    if works:
        send_batch(works, monotonic() + seconds)
    return len(works)


def make_due() -> None:
    """Whatever waits for its time is due now."""
    WorkItem.objects.all_tenants().update(due_at=clock.now() - timedelta(minutes=1))


def lapse_leases() -> None:
    WorkItem.objects.all_tenants().filter(phase__gt=0).update(lease_until=clock.now() - timedelta(minutes=2))
    Lease.objects.update(look_at=clock.now() - timedelta(minutes=2))


def states() -> list[tuple[str, str, str]]:
    """(channel, status, reason) of every delivery."""
    rows = Delivery.objects.all_tenants().order_by("channel", "status", "reason")
    return list(rows.values_list("channel", "status", "reason"))


def state(delivery: UUID) -> tuple[str, str]:
    return Delivery.objects.all_tenants().values_list("status", "reason").get(id=delivery)


def delivery() -> Delivery:
    return Delivery.objects.all_tenants().get()


def item() -> WorkItem:
    return WorkItem.objects.all_tenants().get()


def left() -> list[tuple[str, int]]:
    """(queue, phase) of all unfinished work."""
    return sorted(WorkItem.objects.all_tenants().values_list("queue", "phase"))


def attempts() -> list[tuple[int, str, str, str]]:
    """(number, account, kind, code) of every attempt."""
    rows = Attempt.objects.all_tenants().order_by("started_at", "number")
    return list(rows.values_list("number", "account", "kind", "code"))


def dead() -> list[tuple[str, dict[str, Any]]]:
    return list(DeadLetter.objects.all_tenants().order_by("id").values_list("reason", "context"))


def counts() -> dict[str, int]:
    """Rows of every table of the ledger that a step may write."""
    kinds = (Notification, Delivery, Attempt, DeliveryEvent, DeadLetter, WorkItem)
    return {kind.__name__: kind.objects.all_tenants().count() for kind in kinds}


def committed(sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """What another connection sees."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(sql, list(parameters))
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        other.close()


class Carrier(Provider):
    """Takes the place of the sandbox. `says`: outcomes in turn, the last one for good; `during` runs inside each call."""

    name = "sandbox"
    channels = frozenset({Channel.PUSH, Channel.EMAIL, Channel.SMS})
    max_batch = 100

    def __init__(self) -> None:
        self.says: list[Outcome | Exception] = [ACCEPTED]
        self.during: Callable[[Sequence[OutboundMessage]], object] = lambda messages: None
        self.calls: list[list[OutboundMessage]] = []
        self.accounts: list[str] = []

    @property
    def messages(self) -> list[OutboundMessage]:
        return [message for call in self.calls for message in call]

    def send(
        self, account: Account, messages: Sequence[OutboundMessage], *, deadline: float, **told: Any
    ) -> list[Outcome]:
        self.calls.append(list(messages))
        self.accounts.append(account.key)
        self.during(messages)
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return [said] * len(messages)


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Carrier:
    taken = Carrier()
    monkeypatch.setitem(registry._made, "sandbox", taken)  # type: ignore[arg-type]
    selectors.forget_cached()
    return taken


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queues whose bell was rung, in order; nothing is published."""
    heard: list[str] = []
    monkeypatch.setattr(bells, "ring", lambda *queues: heard.extend(queues))
    monkeypatch.setattr(bells, "ring_on", lambda *queues: heard.extend(queues))
    return heard


def soon(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)
