"""What happened: notifications, deliveries and what became of them, and what their tenants are told of it."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core import ids
from apps.core.tables import TenantManager
from apps.ledger.models.base import LedgerTable


class Notification(LedgerTable):
    """What a caller asked for, for one recipient. Append-only; `sealed` (data and inline content) is erased on request."""

    id = models.UUIDField(primary_key=True)
    recipient_id = models.UUIDField()
    api_key_id = models.UUIDField(null=True)
    mode = models.CharField(max_length=4)
    category = models.CharField(max_length=16)
    event_type = models.CharField(max_length=100)
    template_key = models.CharField(max_length=100)
    channels: "ArrayField[Any, list[str]]" = ArrayField(models.CharField(max_length=8))
    priority = models.PositiveSmallIntegerField()
    sealed = models.BinaryField(null=True)
    due_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    event_id = models.CharField(max_length=255)
    actor_id = models.CharField(max_length=128)
    object_id = models.CharField(max_length=128)
    ordering_key = models.CharField(max_length=128)
    source = models.CharField(max_length=16)
    request_id = models.CharField(max_length=64)
    broadcast_id = models.UUIDField(null=True)
    variant = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_notification"

    def __str__(self) -> str:
        return ids.show(ids.NOTIFICATION, self.id)


class Broadcast(LedgerTable):
    """What the notifications of one campaign run share. `halt`: the reason why none of them goes out now. `contents`: by variant
    {template_key, version_id}; `sealed`: their data."""

    id = models.UUIDField(primary_key=True)
    halt = models.CharField(max_length=32)
    contents = models.JSONField()
    sealed = models.BinaryField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_broadcast"


class Delivery(LedgerTable):
    """A notification on one channel to one endpoint. Its id is derived from these three. `bypassed`: the "no" that critical overrode.
    `because`: what the decision rested on, where it was not a plain yes. `merged_into`: the notification that speaks for this one.
    `variant`: of its campaign; null without one. `place`: where it goes as providers see it, a mail's domain or a number's country
    (`+49`). `duplicate_possible`: it was sent again while an earlier attempt's fate was not known."""

    id = models.UUIDField(primary_key=True)
    notification_id = models.UUIDField()
    recipient_id = models.UUIDField()
    channel = models.CharField(max_length=8)
    endpoint_id = models.UUIDField(null=True)
    category = models.CharField(max_length=16)
    mode = models.CharField(max_length=4)
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=32)
    bypassed = models.CharField(max_length=32)
    because = models.JSONField(null=True)
    merged_into = models.UUIDField(null=True)
    variant = models.PositiveSmallIntegerField(null=True)
    place = models.CharField(max_length=100)
    account = models.CharField(max_length=63)
    provider_message_id = models.CharField(max_length=255)
    duplicate_possible = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)
    complained_at = models.DateTimeField(null=True)
    unsubscribed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ledger_delivery"
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return ids.show(ids.DELIVERY, self.id)


class Bundle(LedgerTable):
    """Deliveries of one recipient on one channel that wait to be summed up; one open at a time for a key. Its flush is a work item with
    its id. `most`: items that flush it early; `summary_id`: the notification that was made of it."""

    id = models.UUIDField(primary_key=True)
    recipient_id = models.UUIDField()
    channel = models.CharField(max_length=8)
    category = models.CharField(max_length=16)
    mode = models.CharField(max_length=4)
    kind = models.CharField(max_length=8)
    key = models.CharField(max_length=300)
    event_type = models.CharField(max_length=100)
    most = models.PositiveIntegerField()
    count = models.PositiveIntegerField()
    flush_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    summary_id = models.UUIDField(null=True)

    class Meta:
        db_table = "ledger_bundle"

    def __str__(self) -> str:
        return f"{self.kind} {self.key} / {self.channel}"


class BundleItem(LedgerTable):
    """A delivery and the bundle that it waits, or waited, in."""

    delivery_id = models.UUIDField(primary_key=True)
    bundle_id = models.UUIDField()
    notification_id = models.UUIDField()
    at = models.DateTimeField()

    class Meta:
        db_table = "ledger_bundle_item"


class InDoubt(Delivery):
    """The deliveries whose fate is not known, for their page."""

    class Meta:
        proxy = True
        verbose_name = "delivery in doubt"
        verbose_name_plural = "in doubt"
        default_permissions = ()


class Attempt(LedgerTable):
    """One call to one provider for one delivery: written before the call (intent), completed after it. `size` in bytes; `parts`:
    what it is billed as, the segments of an SMS."""

    id = models.UUIDField(primary_key=True)
    delivery_id = models.UUIDField()
    number = models.PositiveSmallIntegerField()
    account = models.CharField(max_length=63)
    template_version_id = models.UUIDField(null=True)
    template_version = models.PositiveIntegerField()
    locale = models.CharField(max_length=35)
    size = models.PositiveIntegerField()
    parts = models.PositiveSmallIntegerField(default=1)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    kind = models.CharField(max_length=16)
    code = models.CharField(max_length=64)
    detail = models.CharField(max_length=500)
    provider_message_id = models.CharField(max_length=255)
    retry_after = models.FloatField(null=True)
    exchange = models.JSONField(null=True)

    class Meta:
        db_table = "ledger_attempt"


class DeliveryEvent(LedgerTable):
    """What was learnt or done later: receipts, opens, operators' actions. Append-only. `source`: an account key or a person."""

    id = models.UUIDField(primary_key=True)
    notification_id = models.UUIDField()
    delivery_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=16)
    at = models.DateTimeField()
    code = models.CharField(max_length=64)
    detail = models.CharField(max_length=500)
    source = models.CharField(max_length=150)

    class Meta:
        db_table = "ledger_delivery_event"


class Change(LedgerTable):
    """Something a listening tenant is to be told, until somebody takes it. Written by triggers alone (telling.sql)."""

    id = models.UUIDField(primary_key=True)
    notification_id = models.UUIDField()
    delivery_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=32)
    reason = models.CharField(max_length=32, db_default="")
    at = models.DateTimeField()

    class Meta:
        db_table = "ledger_change"


class Listener(models.Model):
    """A tenant that wants to be told of changes, and of which `kinds` (telling.py)."""

    tenant_id = models.UUIDField(primary_key=True)
    kinds: "ArrayField[Any, list[str]]" = ArrayField(models.CharField(max_length=32))

    objects = TenantManager()

    class Meta:
        db_table = "ledger_listener"
