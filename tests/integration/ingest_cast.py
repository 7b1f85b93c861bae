"""Acme at the front door: a key, Rosa and Otto, an event type, a template; and what a request left behind."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch
from uuid import UUID

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from psycopg import Cursor

from apps.audience.models import Recipient
from apps.core import buckets, ids, rows
from apps.core.enums import Category, Channel, KeyMode, Scope
from apps.core.types import Tenant
from apps.events.selectors import forget_cached as forget_event_types
from apps.events.services import put_event_type
from apps.ledger.models import Delivery, DeliveryEvent, Notification, SeenKey, WorkItem
from apps.templates.selectors import forget_known
from apps.tenants.selectors import forget_cached
from apps.tenants.services import create_api_key, create_tenant
from tests.integration import templates_cast

SEND = "/v1/notifications"
BATCH = "/v1/notifications/batch"
SCHEDULED = "/v1/scheduled-notifications"
ROSA = {"user_id": "rosa", "category": "social", "message": {"body": "Otto likes your photo."}}


class Written(NamedTuple):
    """How many rows a request left behind."""

    notifications: int
    work: int
    keys: int
    people: int


NOTHING = Written(0, 0, 0, 0)


def written(people: int = 2) -> Written:
    """`people`: those who were there before."""
    return Written(
        Notification.objects.count(),
        WorkItem.objects.count(),
        SeenKey.objects.count(),
        Recipient.objects.count() - people,
    )


def clear() -> None:
    """For tests that commit. The big tables have no foreign keys to follow."""
    for table in (Notification, WorkItem, SeenKey, Delivery, DeliveryEvent):
        table.objects.all().delete()


def acme(slug: str = "acme", *, people: tuple[str, ...] = ("rosa", "otto")) -> Tenant:
    forget_cached()
    forget_event_types()
    forget_known()
    buckets._rest_until = 0.0
    tenant = create_tenant(slug=slug, name=slug.title())
    Recipient.objects.bulk_create(Recipient(tenant_id=tenant.id, user_id=user_id) for user_id in people)
    return tenant


def with_content(tenant: Tenant) -> Tenant:
    """`order.shipped`, transactional, with the template `order_shipped_v3`."""
    text = templates_cast.sms("Order {{ data.order_id }} is on its way.")
    templates_cast.publish(tenant, "order_shipped_v3", text, sample={"order_id": "A-1"})
    put_event_type(
        tenant=tenant,
        key="order.shipped",
        name="Order shipped",
        category=Category.TRANSACTIONAL,
        template_key="order_shipped_v3",
        channels=[Channel.SMS],
    )
    return tenant


@contextmanager
def statements(count: int) -> Iterator[None]:
    """Exactly so many SQL statements: Django's and the ledger's own."""
    own: list[str] = []

    class Counting(Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            own.append(str(query))
            return super().execute(query, *args, **kwargs)

    with CaptureQueriesContext(connection) as djangos, patch.object(rows, "Cursor", Counting):
        yield
    found = [*(query["sql"] for query in djangos), *own]
    assert len(found) == count, "\n\n".join(found)


class Caller:
    """`post`, `get` and `delete` as one API key of a tenant."""

    def __init__(self, tenant: Tenant, *scopes: Scope, mode: KeyMode = KeyMode.TEST, **options: Any) -> None:
        self.tenant = tenant
        key = create_api_key(tenant=tenant, name="shop", mode=mode, scopes=scopes or tuple(Scope), **options)
        self.headers = {"Authorization": f"Bearer {key.token}"}
        self.client = Client()

    def post(self, where: str, body: Any, *, key: str | None = None, **headers: str) -> Any:
        """`body`: bytes as they are, or anything as JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {**self.headers, **({} if key is None else {"Idempotency-Key": key}), **headers}
        return self.client.post(where, sent, content_type="application/json", headers=named)

    def send(self, key: str | None = None, **fields: Any) -> Any:
        """One notification to Rosa, unless the fields say otherwise."""
        return self.post(SEND, {**ROSA, **fields}, key=key)

    def get(self, where: str) -> Any:
        return self.client.get(where, headers=self.headers)

    def delete(self, where: str) -> Any:
        return self.client.delete(where, headers=self.headers)


def id_of(answer: Any) -> UUID:
    """The notification that was accepted."""
    assert answer.status_code == 202, answer.content
    found = ids.read(ids.NOTIFICATION, answer.json()["notification_id"])
    assert found is not None
    return found


def refused(answer: Any) -> tuple[int, str, list[str]]:
    """Status, code and pointers of a problem."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer["X-Request-Id"]
    return answer.status_code, body["code"], [error["pointer"] for error in body.get("errors", [])]
