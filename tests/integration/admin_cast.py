"""Acme's ledger as an operator finds it, and the people who may look at it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from apps.audience.addresses import email_address
from apps.audience.services import upsert_recipients
from apps.core import clock, ids
from apps.core.types import InlineRecipient, Tenant
from apps.ledger.accepting import seal
from apps.ledger.models import Attempt, DeadLetter, Delivery, DeliveryEvent, Notification, WorkItem
from apps.tenants.models import Membership
from apps.tenants.models import Tenant as Tenants
from apps.tenants.selectors import forget_cached
from apps.tenants.services import create_tenant

LEDGER = ("notification", "delivery", "deadletter")


def acme(slug: str = "acme") -> Tenant:
    forget_cached()
    return create_tenant(slug=slug, name=slug.title())


def mira() -> Client:
    """May do everything."""
    forget_cached()
    client = Client()
    client.force_login(User.objects.create(username="mira", is_staff=True, is_superuser=True))
    return client


def viewer(*permissions: str) -> Client:
    """Staff with these permissions, `app.codename`, and a member of every tenant there is."""
    user = User.objects.create(username="vera", is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    everywhere, _ = Group.objects.get_or_create(name="a member, no more")
    for tenant_id in Tenants.objects.values_list("id", flat=True):
        Membership.objects.create(user=user, tenant_id=tenant_id, role=everywhere)
    client = Client()
    client.force_login(user)
    return client


def person(tenant: Tenant, user_id: str = "rosa") -> UUID:
    """With the email address `<user_id>@acme.example`."""
    inline = InlineRecipient(user_id=user_id, addresses=(email_address(f"{user_id}@acme.example", ""),))
    return upsert_recipients(tenant=tenant, inline=[inline])[user_id]


def notification(tenant: Tenant, recipient_id: UUID, *, age: timedelta = timedelta(0), **fields: Any) -> Notification:
    """Accepted `age` ago; its data says `a secret`."""
    at = clock.now() - age
    id_ = fields.pop("id", None) or UUID(int=ids.bound(at).int | 7 << 76 | 2 << 62 | ids.new().int & (1 << 62) - 1)
    known = {
        "api_key_id": None,
        "mode": "test",
        "category": "transactional",
        "event_type": "order.shipped",
        "template_key": "",
        "channels": [],
        "priority": 1,
        "sealed": seal(id_, {"code": "a secret"}, {"body": "a secret"}),
        "event_id": "",
        "actor_id": "",
        "object_id": "",
        "ordering_key": "",
        "source": "api",
        "request_id": "",
        "created_at": at,
    }
    return Notification.objects.create(id=id_, tenant_id=tenant.id, recipient_id=recipient_id, **known | fields)


def delivery(of: Notification, channel: str = "email", status: str = "delivered", **fields: Any) -> Delivery:
    known = {
        "endpoint_id": None,
        "reason": "",
        "bypassed": "",
        "account": f"sandbox-{channel}",
        "provider_message_id": "",
        "created_at": of.created_at,
    }
    return Delivery.objects.create(
        id=ids.derived(of.id, channel, str(fields.get("endpoint_id", ""))),
        notification_id=of.id,
        tenant_id=of.tenant_id,
        recipient_id=of.recipient_id,
        channel=channel,
        category=of.category,
        mode=of.mode,
        status=status,
        **known | fields,
    )


def attempt(of: Delivery, *, provider_message_id: str = "", kind: str = "accepted") -> Attempt:
    return Attempt.objects.create(
        id=ids.new(),
        delivery_id=of.id,
        tenant_id=of.tenant_id,
        number=1,
        account=of.account,
        template_version=0,
        locale="",
        size=12,
        started_at=of.created_at,
        ended_at=of.created_at + timedelta(milliseconds=80),
        kind=kind,
        code="",
        detail="",
        provider_message_id=provider_message_id,
    )


def letter(of: Delivery, reason: str = "rejected", **fields: Any) -> DeadLetter:
    return DeadLetter.objects.create(
        tenant_id=of.tenant_id,
        notification_id=of.notification_id,
        delivery_id=of.id,
        queue=f"send.{of.category}.{of.channel}",
        reason=reason,
        context={"kind": "rejected", "code": "5.7.1"},
        **fields,
    )


def work(of: Notification, *, due: timedelta = timedelta(0), **fields: Any) -> WorkItem:
    """To be routed; `due` from now."""
    now = datetime.now(UTC)
    known: dict[str, Any] = {
        "lane": of.category,
        "queue": f"route.{of.category}",
        "kind": "route",
        "channel": "",
        "id": of.id,
        "priority": 1,
    }
    return WorkItem.objects.create(
        tenant_id=of.tenant_id,
        notification_id=of.id,
        due_at=now + due,
        phase=0,
        lease_token=0,
        expiries=0,
        tries=0,
        calls=0,
        ordering_key="",
        order_at=now,
        **known | fields,
    )


def events(kind: str) -> int:
    return int(DeliveryEvent.objects.all_tenants().filter(kind=kind).count())
