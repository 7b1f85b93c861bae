"""Synthetic probes: a message to a test recipient by the way that all messages take, and whether it arrived in time."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.audience.selectors import recipient_ids
from apps.channels.alerts import end_alert, raise_alert
from apps.core import ids
from apps.core.enums import Category, Channel, DeliveryStatus, KeyMode, Priority
from apps.core.types import NewNotification
from apps.dispatch import bells
from apps.insights.models import Probe
from apps.ledger.accepting import Request, accept
from apps.ledger.selectors import DeliverySummary, summary

log = logging.getLogger(__name__)
KIND = "probe"
CATEGORY = Category.TRANSACTIONAL
SOURCE = "probe"
# a probe's keys are random: they are never asked for again
KEY_TTL = timedelta(minutes=1)
LOST = (
    DeliveryStatus.BOUNCED,
    DeliveryStatus.FAILED,
    DeliveryStatus.SKIPPED,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.CANCELLED,
)


def run_due(now: datetime) -> None:
    """Judges what is under way, then sends what is due. What another worker holds is passed by."""
    with transaction.atomic():
        for probe in Probe.objects.all_tenants().filter(is_on=True).order_by("id").select_for_update(skip_locked=True):
            if probe.last_notification_id and probe.judged_at is None:
                _judge(probe, now)
            is_under_way = probe.last_notification_id and probe.judged_at is None
            if not is_under_way and (probe.sent_at is None or now - probe.sent_at >= timedelta(seconds=probe.period)):
                _send(probe, now)


def _send(probe: Any, now: datetime) -> None:
    probe.sent_at, probe.judged_at, probe.last_notification_id = now, None, None
    recipient_id = recipient_ids(probe.tenant_id, [probe.user_id]).get(probe.user_id)
    if recipient_id is None:
        _note(probe, now, arrived=False, said=f"{probe.user_id} is not a recipient of this tenant.")
        return
    notification = NewNotification(
        id=ids.new(),
        recipient_id=recipient_id,
        category=CATEGORY,
        event_type="",
        template_key="",
        channels=(Channel(probe.channel),),
        priority=Priority.HIGH,
        data={},
        content={"title": "Probe", "body": f"A probe of {probe.channel}, sent {now:%Y-%m-%d %H:%M:%S} UTC."},
        due_at=None,
        expires_at=now + timedelta(seconds=probe.patience),
        event_id="",
        actor_id="",
        object_id="",
        ordering_key="",
    )
    key = ids.new().bytes * 2
    request = Request(probe.tenant_id, None, KeyMode(probe.mode), SOURCE, "", key, bytes(32), b"{}", KEY_TTL, KEY_TTL)
    accept(request, [notification])
    probe.last_notification_id = notification.id
    probe.save()
    transaction.on_commit(lambda: bells.ring(f"route.{CATEGORY}"), robust=True)


def _judge(probe: Any, now: datetime) -> None:
    found = summary(tenant_id=probe.tenant_id, notification_id=probe.last_notification_id, now=now)
    deliveries = found.deliveries if found else ()
    enough = {DeliveryStatus.DELIVERED} | ({DeliveryStatus.SENT} if probe.expects == "sent" else set())
    if arrived := next((one for one in deliveries if one.status in enough), None):
        _note(probe, now, arrived=True, said=f"By {arrived.account}.", took=_seconds(probe, arrived))
    elif deliveries and all(one.status in LOST for one in deliveries):
        last = deliveries[-1]
        _note(probe, now, arrived=False, said=f"It ended as {last.status}: {last.reason or 'no reason was given'}.")
    elif now - probe.sent_at > timedelta(seconds=probe.patience):
        reached = deliveries[-1].status if deliveries else "queued"
        _note(probe, now, arrived=False, said=f"After {probe.patience} s it is {reached}.")


def _seconds(probe: Any, arrived: DeliverySummary) -> float:
    return float(max(0.0, (arrived.updated_at - probe.sent_at).total_seconds()))


def _note(probe: Any, now: datetime, *, arrived: bool, said: str, took: float | None = None) -> None:
    probe.judged_at, probe.has_arrived, probe.said, probe.took = now, arrived, said[:300], took
    probe.save()
    name = f"{probe.tenant_id}/{probe.channel}/{probe.user_id}"
    if arrived:
        end_alert(kind=KIND, subject=name)
    else:
        text = f"The probe of {probe.channel} to {probe.user_id} did not arrive. {said}"
        raise_alert(kind=KIND, subject=name, text=text, tenant_id=probe.tenant_id)
