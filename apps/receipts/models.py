"""The inbox of provider calls: stored before the answer, applied by workers."""

from django.db import models

from apps.core import ids


class ReceiptCall(models.Model):
    """One authenticated call as it came, sealed. `tries` counts failed applications; after three it is parked with its error."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    account_id = models.UUIDField()
    provider = models.CharField(max_length=32)
    sealed = models.BinaryField()
    received_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=models.Q(applied_at=None, parked_at=None), name="receipt_call_open")
        ]
