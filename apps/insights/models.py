"""What was learnt about receipts, about fatigue and about who does what with messages, and probes. All but those can be made anew at
any time."""

from typing import Any, ClassVar

from django.db import models

from apps.core.enums import Channel
from apps.core.tables import TenantManager, TenantTable


class ReceiptNorm(models.Model):
    """How receipts of an account usually come, for a place (a mail's domain, a number's country; empty: for all of them).
    `delay`: seconds from the sending within which 95 % of receipts come. `missing`: the share of messages without any receipt
    after `patience` seconds. `silent_since`: it is silent now, and nothing is learnt from that."""

    id = models.BigAutoField(primary_key=True)
    account = models.CharField(max_length=63)
    place = models.CharField(max_length=100, blank=True)
    sample = models.PositiveIntegerField()
    delay = models.FloatField()
    patience = models.FloatField()
    missing = models.FloatField()
    learnt_at = models.DateTimeField()
    silent_since = models.DateTimeField(null=True)

    class Meta:
        db_table = "insights_receipt_norm"
        constraints = [models.UniqueConstraint(fields=["account", "place"], name="receipt_norm_once")]

    def __str__(self) -> str:
        return f"{self.account} {self.place}".strip()


class FatigueDay(TenantTable):
    """What people said no to on a UTC day, beside what was sent to them then: per event type (empty: none) and category. `opt_outs`:
    switched off, unsubscribed, answered STOP; `mutes`: for a time only; `complaints`: reported as unwanted."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    event_type = models.CharField(max_length=100, blank=True)
    category = models.CharField(max_length=16)
    sent = models.PositiveIntegerField(default=0)
    opt_outs = models.PositiveIntegerField(default=0)
    mutes = models.PositiveIntegerField(default=0)
    complaints = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "insights_fatigue_day"
        verbose_name = "fatigue"
        verbose_name_plural = "fatigue"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day", "event_type", "category"], name="fatigue_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.event_type or self.category}"


class Probe(TenantTable):
    """A message that is sent again and again to a test recipient, to see that it arrives. `period` and `patience` in seconds;
    `expects`: what proves the arrival. `last_notification_id`: the one that is under way, or was judged at `judged_at`."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=8, choices=[(c.value, c.value) for c in Channel])
    user_id = models.CharField(max_length=128, help_text="A test recipient with an address of ours on this channel.")
    mode = models.CharField(max_length=4, choices=[("live", "live"), ("test", "test: the sandbox")], default="live")
    expects = models.CharField(
        max_length=9,
        choices=[("delivered", "a receipt of delivery"), ("sent", "that the provider takes it")],
        default="delivered",
    )
    period = models.PositiveIntegerField(default=900)
    patience = models.PositiveIntegerField(default=300)
    is_on = models.BooleanField(default=True)
    sent_at = models.DateTimeField(null=True, editable=False)
    last_notification_id = models.UUIDField(null=True, editable=False)
    judged_at = models.DateTimeField(null=True, editable=False)
    has_arrived = models.BooleanField(null=True, editable=False)
    took = models.FloatField(null=True, editable=False)
    said = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "channel", "user_id"], name="probe_once")]

    def __str__(self) -> str:
        return f"{self.channel} to {self.user_id}"


class Activity(models.Model):
    """When a person was last sent something on a channel, and last did something with it. Of what test keys sent: nothing. No row: never
    (activity.py)."""

    pk = models.CompositePrimaryKey("recipient_id", "channel")
    recipient_id = models.UUIDField()
    channel = models.CharField(max_length=8)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        db_table = "insights_activity"
        indexes = [models.Index(fields=["tenant", "recipient_id"], name="activity_tenant")]


class Mark(models.Model):
    """Up to when something was worked off."""

    name = models.CharField(max_length=32, primary_key=True)
    at = models.DateTimeField()

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        db_table = "insights_mark"
