"""Places under frequency caps that were given out while Redis was away."""

from django.db import models

from apps.core.tables import TenantTable


class Reservation(TenantTable):
    """A notification on a channel that went out, or is about to (reserving.py)."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey("audience.Recipient", on_delete=models.CASCADE, related_name="+")
    notification_id = models.UUIDField()
    channel = models.CharField(max_length=8)
    category = models.CharField(max_length=16)
    event_type = models.CharField(max_length=100, blank=True)
    is_test = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["notification_id", "channel"], name="reservation_once")]
        indexes = [models.Index(fields=["at"], name="reservation_time")]
