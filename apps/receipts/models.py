"""The inbox of provider calls: stored before the answer, applied by workers."""

from django.db import models
from django.db.models.functions import Now

from apps.core import ids


class ReceiptCall(models.Model):
    """One authenticated call as it came, sealed. It is open until applied or parked, and looked at when `due_at` has come.
    `tries` counts failed applications; the third parks it with its error. A call that names attempts not known yet (a receipt may
    beat the commit of its own send) carries the error `unmatched` and is tried again for ten minutes, then parked."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    account_id = models.UUIDField()
    provider = models.CharField(max_length=32)
    sealed = models.BinaryField()
    received_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"], condition=models.Q(applied_at=None, parked_at=None), name="receipt_call_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.received_at:%Y-%m-%d %H:%M:%S}"
