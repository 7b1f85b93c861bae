"""The catalogue of event types."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.enums import Category, Channel, ResendInDoubt
from apps.core.tables import TenantTable

_CHANNELS = [(c.value, c.value) for c in Channel]


class EventType(TenantTable):
    """`key` like `order.shipped`. `channels`: the default wish; `fallback`: tried in order when one gives up, or has not proved its
    arrival after `fallback_after_seconds` (0: off)."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    category = models.CharField(max_length=16, choices=[(c.value, c.sentence) for c in Category])
    template_key = models.CharField(max_length=100, blank=True)
    channels = ArrayField(models.CharField(max_length=8, choices=_CHANNELS), default=list, blank=True)
    fallback = ArrayField(models.CharField(max_length=8, choices=_CHANNELS), default=list, blank=True)
    fallback_after_seconds = models.PositiveIntegerField(default=0)
    resend_in_doubt = models.CharField(
        max_length=8, choices=[(r.value, r.sentence) for r in ResendInDoubt], default=ResendInDoubt.DEFAULT.value
    )
    dedup_window_seconds = models.PositiveIntegerField(default=0)
    sensitive_keys = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    owner = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="event_type_key_once")]

    def __str__(self) -> str:
        return self.key
