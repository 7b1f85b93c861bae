"""Who is told, what, what is still to be told, and how each attempt went."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from apps.core import ids
from apps.core.tables import TenantManager, TenantTable


class WebhookEndpoint(TenantTable):
    """A URL of a tenant. `sealed`: its secrets, newest first; the second is valid until `previous_until`. `is_proven`: its last answer
    was a quick yes, so it gets more calls at a time. `failing_since`: the first failure after the last success."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    events: "ArrayField[Any, list[str]]" = ArrayField(models.CharField(max_length=32))
    sealed = models.BinaryField(editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    is_on = models.BooleanField(default=True)
    off_reason = models.CharField(max_length=300, blank=True)
    is_proven = models.BooleanField(default=False, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return self.url


class WebhookEvent(models.Model):
    """What a tenant is told, word for word; its id is the `webhook-id` of every call about it. `at`: when it happened."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    recipient_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=32)
    at = models.DateTimeField()
    body = models.TextField()
    is_test = models.BooleanField(default=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id", "id"], name="webhook_event_tenant"),
            models.Index(fields=["recipient_id"], name="webhook_event_recipient"),
        ]


class WebhookCall(models.Model):
    """An event that an endpoint has not taken yet. `tries`: failed ones. It is being made while `lease_until` is ahead; `token` tells
    whose lease it is. Deleted when the endpoint said yes, or when no try is left."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="+", db_index=False)
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="+")
    tries = models.PositiveSmallIntegerField(db_default=0)
    due_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    token = models.PositiveIntegerField(db_default=0)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "event"], name="webhook_call_once")]
        indexes = [
            models.Index(fields=["endpoint", "due_at"], name="webhook_call_due"),
            models.Index(
                fields=["endpoint"], condition=models.Q(lease_until__isnull=False), name="webhook_call_under_way"
            ),
        ]


class WebhookAttempt(models.Model):
    """One call of an endpoint and its end. `status`: of the answer; None without one, and then `error` says why. `answer`: how it began,
    for operators. `next_at`: when it is tried again; None when it is done, or was given up."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="+", db_index=False)
    event_id = models.UUIDField()
    kind = models.CharField(max_length=32)
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    took_ms = models.PositiveIntegerField()
    is_success = models.BooleanField()
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=32, blank=True)
    answer = models.CharField(max_length=300, blank=True)
    next_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["endpoint", "id"], name="webhook_attempt_endpoint")]
