"""Runs under way, and what became of their messages: straight into the tables."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.audience.models import Recipient
from apps.campaigns.models import Campaign, Meter, Run, Variant, Wave
from apps.core import clock, ids
from apps.ledger import broadcasts
from apps.ledger.models import Delivery, DeliveryEvent, Notification
from tests.integration.dispatch_cast import tenant


@dataclass(frozen=True)
class Said:
    """One delivery that somebody had."""

    notification: UUID
    delivery: UUID
    recipient: UUID


def run_of(
    *,
    status: str = "running",
    size: int = 100,
    name: str = "Spring sale",
    stamp: int = 0,
    slug: str = "acme",
    **fields: Any,
) -> Run:
    """A campaign under way, with variants A and B, all of whose people were read."""
    owner, now = tenant(slug), clock.now()
    definition = {"category": "marketing", "channels": ["email"], "brake": fields.pop("brake", {}), "variants": []}
    campaign = Campaign.objects.create(
        tenant_id=owner,
        name=name,
        status=fields.pop("campaign_status", "running"),
        created_by="mira",
        changed_by="mira",
    )
    for position, letter in enumerate("AB"):
        Variant.objects.create(tenant_id=owner, campaign_id=campaign.id, position=position, name=letter)
    definition["variants"] = [{"position": 0, "name": "A"}, {"position": 1, "name": "B"}]
    waves = fields.pop("waves", [{"seen": size, "made": size, "done_at": now}])
    known = {"people_before": now, "audience_size": size, "started_at": now - timedelta(minutes=5)}
    run = Run.objects.create(
        tenant_id=owner,
        campaign_id=campaign.id,
        number=1,
        occurrence="now",
        stamp=stamp or int(now.timestamp() * 1000),
        status=status,
        definition=definition,
        **known | fields,
    )
    for position, wave in enumerate(waves):
        Wave.objects.create(
            tenant_id=owner,
            run_id=run.id,
            position=position,
            **{"size": size, "due_at": now - timedelta(minutes=5)} | wave,
        )
    broadcasts.open_broadcast(id=run.id, tenant_id=owner, contents={}, data={})
    return run


def said(
    run: Run,
    status: str = "delivered",
    reason: str = "",
    *,
    channel: str = "email",
    variant: int = 0,
    to: UUID | None = None,
    device: str = "",
    **fields: Any,
) -> Said:
    """To somebody new, or `to` somebody who has one already."""
    recipient = to or Recipient.objects.create(tenant_id=run.tenant_id, user_id=f"u-{ids.new().hex}").id
    notification = broadcasts.notification_id(run.stamp, run.id, recipient)
    at = fields.pop("at", clock.now())
    if not Notification.objects.of(run.tenant_id).filter(id=notification).exists():
        _notification(run, notification, recipient, variant, at)
    sent = at if status in ("sent", "delivered", "bounced", "unknown") else None
    known: dict[str, Any] = {"sent_at": sent, "created_at": at, "account": "sandbox-email" if sent else ""}
    if status == "delivered":
        known["delivered_at"] = at + timedelta(seconds=3)
    if status not in ("queued", "held", "sending", "sent"):
        known["ended_at"] = at
    delivery = ids.derived(notification, channel, device)
    Delivery.objects.create(
        id=delivery,
        notification_id=notification,
        tenant_id=run.tenant_id,
        recipient_id=recipient,
        channel=channel,
        category="marketing",
        mode="test",
        status=status,
        reason=reason,
        variant=variant,
        **known | fields,
    )
    return Said(notification, delivery, recipient)


def _notification(run: Run, id_: UUID, recipient: UUID, variant: int, at: datetime) -> None:
    Notification.objects.create(
        id=id_,
        tenant_id=run.tenant_id,
        recipient_id=recipient,
        mode="test",
        category="marketing",
        event_type="",
        template_key="",
        channels=["email"],
        priority=1,
        event_id="",
        actor_id="",
        object_id="",
        ordering_key="",
        source="campaign",
        request_id="",
        broadcast_id=run.id,
        variant=variant,
        created_at=at,
    )


def happened(to: Said, kind: str, *, code: str = "", detail: str = "") -> None:
    row = Delivery.objects.all_tenants().get(id=to.delivery)
    DeliveryEvent.objects.create(
        id=ids.new(),
        notification_id=to.notification,
        delivery_id=to.delivery,
        tenant_id=row.tenant_id,
        kind=kind,
        at=clock.now(),
        code=code,
        detail=detail,
        source="mail",
    )


def make_due(run: Run) -> None:
    """To be counted again at once."""
    Meter.objects.all_tenants().filter(run_id=run.id).update(next_at=clock.now() - timedelta(seconds=1))
