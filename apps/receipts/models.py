"""The inbox of what is told to us: stored before the answer, applied by workers."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from apps.core import ids


class ReceiptCall(models.Model):
    """One authenticated call of a provider as it came, sealed. It is open until applied or parked, and looked at when `due_at` has come.
    `tries` counts failed applications; the third parks it with its error. A call that names attempts not known yet (a receipt may
    beat the commit of its own send) carries the error `unmatched` and is tried again ever more rarely for three days, then parked;
    `waiting` has the event ids that are still to be matched, the others are done. `heard`: what people's texts in it were."""

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
    waiting: "ArrayField[Any, list[str] | None]" = ArrayField(models.TextField(), null=True)
    heard = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"], condition=models.Q(applied_at=None, parked_at=None), name="receipt_call_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.received_at:%Y-%m-%d %H:%M:%S}"


class TrackedEvent(models.Model):
    """One thing a recipient did with a message, told by a client of ours or by a link or a pixel. Deleted once it is in the ledger.
    `recipient_id`: who says so, where that is not proved by the delivery's own token. `mark`: which link; `target`: where
    it leads, without what may be personal. `code`: `machine` when no person did it."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    delivery_id = models.UUIDField()
    recipient_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=16)
    at = models.DateTimeField()
    source = models.CharField(max_length=16)
    mark = models.CharField(max_length=16, blank=True)
    target = models.CharField(max_length=300, blank=True)
    code = models.CharField(max_length=16, blank=True)

    class Meta:
        db_table = "receipts_tracked_event"
