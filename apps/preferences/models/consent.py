"""What a recipient said about what they want: append-only, each record bound to the one before."""

from typing import Any, ClassVar

from django.db import models

from apps.core import ids
from apps.core.tables import TenantManager


class ConsentRecord(models.Model):
    """One change of a recipient's choices, whoever made it. `what`: preference, mute, quiet_hours, digest_time, blocked_actors or
    suppression; `before` and `after`: its state as JSON (null: none). `text`: what the person was shown; `address`: where from
    (network address), `agent`: with what. `notification_id`: the message that led to it. `hash`: SHA-256 over the record and the
    hash of the recipient's record before it (`number` - 1). The recipient is a plain id: a record outlives the person's row."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    recipient_id = models.UUIDField()
    number = models.PositiveIntegerField()
    what = models.CharField(max_length=16)
    topic = models.CharField(max_length=100, blank=True)
    channel = models.CharField(max_length=8, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    source = models.CharField(max_length=64)
    text = models.TextField(blank=True)
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=300, blank=True)
    notification_id = models.UUIDField(null=True)
    at = models.DateTimeField()
    previous_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient_id", "number"], name="consent_record_number_once")]
        indexes = [models.Index(fields=["tenant", "at"], name="consent_record_time")]
