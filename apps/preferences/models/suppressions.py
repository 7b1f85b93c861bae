"""Which addresses the network vetoed."""

from typing import Any, ClassVar

from django.db import models

from apps.core.enums import Channel, SuppressionReason
from apps.core.tables import TenantManager, TenantTable


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
