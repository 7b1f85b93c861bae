"""What is left to do, what gave up, and which keys are used."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core import ids
from apps.ledger.models.base import LedgerTable


class WorkItem(LedgerTable):
    """One piece of unfinished work; its id is the notification's (route), the delivery's (send, doubt, resend) or the chain's
    (fallback, proof; one a notification) or the bundle's (flush; then so is `notification_id`). Deleted when done.
    `phase`: 0 ready, 1 claimed, 2 calling. `expiries`: how often its lease ran out. `calls`: provider calls
    made, `tries`: those that count against the budget, `earlier`: attempts of this delivery before this work. `order_at`: its
    place among equal ordering keys, which are a recipient's own (`<recipient>/<key>`); of a doubt, when it began. `move`: what is
    planned for a doubt at `due_at`."""

    id = models.UUIDField(primary_key=True)
    lane = models.CharField(max_length=16)
    queue = models.CharField(max_length=32)
    kind = models.CharField(max_length=8)
    channel = models.CharField(max_length=8)
    notification_id = models.UUIDField()
    priority = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    phase = models.PositiveSmallIntegerField()
    lease_until = models.DateTimeField(null=True)
    lease_token = models.PositiveIntegerField()
    attempt_id = models.UUIDField(null=True)
    expiries = models.PositiveSmallIntegerField()
    tries = models.PositiveSmallIntegerField()
    calls = models.PositiveSmallIntegerField()
    earlier = models.PositiveSmallIntegerField(default=0)
    move = models.CharField(max_length=16, default="")
    ordering_key = models.CharField(max_length=128)
    order_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_work_item"


class Lease(models.Model):
    """What one claim took, until all of it is done. `look_at`: when to see whether it is."""

    id = models.UUIDField(primary_key=True)
    lane = models.CharField(max_length=16)
    items: "ArrayField[Any, list[Any]]" = ArrayField(models.UUIDField())
    look_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_lease"


class DeadLetter(LedgerTable):
    """What gave up, until an operator replays it or gives it up. `context`: the last outcome or the error, never content."""

    id = models.UUIDField(primary_key=True, default=ids.new)
    notification_id = models.UUIDField()
    delivery_id = models.UUIDField(null=True)
    queue = models.CharField(max_length=32)
    reason = models.CharField(max_length=32)
    context = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=16, blank=True)
    resolved_by = models.CharField(max_length=150, blank=True)

    class Meta:
        db_table = "ledger_dead_letter"
        indexes = [
            models.Index(fields=["tenant_id", "reason"], condition=models.Q(resolved_at=None), name="dead_letter_open"),
            models.Index(fields=["notification_id"], name="dead_letter_notification"),
        ]

    def __str__(self) -> str:
        return ids.show(ids.DEAD_LETTER, self.id)


class SeenKey(models.Model):
    """A key that may be used once within its time: SHA-256 over its scope and parts. `answer`: what the first caller got."""

    key = models.BinaryField(primary_key=True)
    ref_id = models.UUIDField()
    fingerprint = models.BinaryField(null=True)
    answer = models.BinaryField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_seen_key"
