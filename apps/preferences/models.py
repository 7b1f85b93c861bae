"""What a person switched off, and what the network vetoed."""

from typing import Any, ClassVar

from django.db import models

from apps.core.enums import Channel, SuppressionReason
from apps.core.tables import TenantManager, TenantTable


class Preference(TenantTable):
    """`topic`: an event type (`order.shipped`), a pattern (`order.*`), a category (`category:marketing`) or `*`.
    `channel`: one channel or `*`. Exact beats pattern beats category beats `*`; a named channel beats `*` at the same topic."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey("audience.Recipient", on_delete=models.CASCADE, related_name="+")
    topic = models.CharField(max_length=100)
    channel = models.CharField(max_length=8, default="*")
    is_on = models.BooleanField()
    source = models.CharField(max_length=32, default="admin")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "topic", "channel"], name="preference_once")]

    def __str__(self) -> str:
        return f"{self.topic} / {self.channel}: {'on' if self.is_on else 'off'}"


class Suppression(TenantTable):
    """An address that must not be used on a channel, known by its keyed hash."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=8, choices=[(c.value, c.value) for c in Channel])
    address_hash = models.BinaryField(max_length=32)
    masked = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=16, choices=[(r.value, r.sentence) for r in SuppressionReason])
    source = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "channel", "address_hash"], name="suppression_once")]

    def __str__(self) -> str:
        return f"{self.channel} {self.masked}: {self.reason}"


class SoftBounce(models.Model):
    """How often an endpoint refused messages for now since it last took one. No row: never. (soft_bounces.py)"""

    endpoint_id = models.UUIDField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    count = models.PositiveIntegerField()
    since = models.DateTimeField()

    objects: ClassVar[Any] = TenantManager()
