"""The catalogue of event types."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models

from apps.core.enums import Category, Channel, DedupBy, GroupBy, ResendInDoubt
from apps.core.tables import TenantTable

_CHANNELS = [(c.value, c.value) for c in Channel]


class EventType(TenantTable):
    """`key` like `order.shipped`. `channels`: the default wish; `fallback`: tried in order when one gives up, or has not proved its
    arrival after `fallback_after_seconds` (0: off). `group_*`: messages that are summed up; `overflows`: what is over a frequency cap
    goes into a digest; `waits_for`: keys of fuller event types about the same object, for which it waits. `critical_*`: who asked
    for, and who approved, that it is critical."""

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
    dedup_by = models.CharField(
        max_length=8, choices=[(d.value, d.sentence) for d in DedupBy], default=DedupBy.CONTENT.value
    )
    group_by = models.CharField(max_length=8, choices=[(g.value, g.sentence) for g in GroupBy], blank=True)
    group_window_seconds = models.PositiveIntegerField(default=0)
    group_most = models.PositiveIntegerField(default=100, validators=[MinValueValidator(2)])
    group_leads = models.BooleanField(default=False)
    group_low_only = models.BooleanField(default=False)
    digest_template_key = models.CharField(max_length=100, blank=True)
    overflows = models.BooleanField(default=False)
    waits_for = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    waits_seconds = models.PositiveIntegerField(default=0)
    sensitive_keys = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    owner = models.CharField(max_length=200, blank=True)
    critical_reason = models.CharField(max_length=500, blank=True)
    critical_asked_by = models.CharField(max_length=150, blank=True)
    critical_approved_by = models.CharField(max_length=150, blank=True)
    critical_approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="event_type_key_once")]
        permissions = (("approve_critical", "Can approve event types of others as critical"),)

    def __str__(self) -> str:
        return self.key
