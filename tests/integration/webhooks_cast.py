"""Endpoints of tenants that listen to a server of the test's own, and things that happen in the ledger."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from django.db import connection
from django.test import override_settings

from apps.audience.models import Recipient
from apps.core import clock, ids
from apps.ledger.models import Delivery, DeliveryEvent, Notification
from apps.webhooks.calling import Result, call
from apps.webhooks.claiming import claim
from apps.webhooks.collecting import collect
from apps.webhooks.models import WebhookAttempt, WebhookCall, WebhookEndpoint
from apps.webhooks.recording import record
from apps.webhooks.services import create_endpoint
from tests.contract.scripted import Script, Scripted, answer, scripted
from tests.integration.receipts_cast import tenant

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
EVERYTHING = ("message.sent", "message.delivered", "message.bounced", "message.skipped", "message.opened")


@contextmanager
def receiver(script: Script | None = None) -> Iterator[Scripted]:
    with override_settings(WEBHOOK_ALLOWED_NETWORKS=LOOPBACK), scripted(script or answer(200, b"ok")) as server:
        yield server


def endpoint(url: str, *events: str, slug: str = "acme") -> tuple[UUID, str]:
    """Its id and its secret."""
    made = create_endpoint(tenant_id=tenant(slug), url=url, events=events or EVERYTHING)
    return made.endpoint_id, made.secret


def told(seen: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(seen.body)
    return found


def notification(user: str = "rosa", *, slug: str = "acme") -> UUID:
    owner = tenant(slug)
    person, _ = Recipient.objects.get_or_create(tenant_id=owner, user_id=user)
    row = Notification(
        id=ids.new(),
        tenant_id=owner,
        recipient_id=person.id,
        mode="live",
        category="transactional",
        event_type="order.shipped",
        template_key="",
        channels=[],
        priority=1,
        event_id="",
        actor_id="",
        object_id="",
        ordering_key="",
        source="api",
        request_id="",
        created_at=clock.now(),
    )
    Notification.objects.bulk_create([row])
    return row.id


def deliveries(count: int = 1, *, status: str = "queued", reason: str = "", slug: str = "acme") -> list[UUID]:
    """Of one notification, inserted in one statement."""
    notification_id = notification(slug=slug)
    person = Notification.objects.of(tenant(slug)).get(id=notification_id).recipient_id
    rows = [
        Delivery(
            id=ids.new(),
            tenant_id=tenant(slug),
            notification_id=notification_id,
            recipient_id=person,
            channel="email",
            category="transactional",
            mode="live",
            status=status,
            reason=reason,
            account="",
            provider_message_id="",
            created_at=clock.now(),
        )
        for _ in range(count)
    ]
    Delivery.objects.bulk_create(rows)
    return [row.id for row in rows]


def become(found: list[UUID], status: str, reason: str = "") -> None:
    Delivery.objects.all_tenants().filter(id__in=found).update(status=status, reason=reason)


def happened(delivery: UUID, kind: str, *, code: str = "") -> None:
    row = Delivery.objects.all_tenants().get(id=delivery)
    DeliveryEvent.objects.bulk_create(
        [
            DeliveryEvent(
                id=ids.new(),
                tenant_id=row.tenant_id,
                notification_id=row.notification_id,
                delivery_id=delivery,
                kind=kind,
                at=clock.now(),
                code=code,
                detail="",
                source="mail",
            )
        ]
    )


def send_due(most: int = 50) -> list[Result]:
    """Collects, and makes every call that is due, one after another, without threads."""
    while collect():
        pass
    results = []
    for _ in range(most):
        jobs = claim(proven=100, others=100)
        if not jobs:
            break
        made = [call(job) for job in jobs]
        record(made)
        results += made
    return results


def due_now() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhooks_webhookcall SET due_at = statement_timestamp() - interval '1 second'")


def waits() -> list[float]:
    """Seconds until each open call is due."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM due_at - statement_timestamp())::float FROM webhooks_webhookcall ORDER BY due_at"
        )
        return [row[0] for row in cursor.fetchall()]


def attempts() -> list[tuple[Any, ...]]:
    """(number, whether it went well, status, error), in the order of time."""
    rows = WebhookAttempt.objects.all_tenants().order_by("id")
    return list(rows.values_list("number", "is_success", "status", "error"))


def open_calls() -> int:
    return int(WebhookCall.objects.all_tenants().count())


def row_of(endpoint_id: UUID) -> Any:
    return WebhookEndpoint.objects.all_tenants().get(id=endpoint_id)
