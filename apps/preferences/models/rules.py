"""What a tenant allows."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from apps.core.enums import CapPeriod, Category, Channel
from apps.core.tables import TenantTable
from apps.preferences.models.choices import FREQUENCIES

_MINUTES_OF_A_DAY = 1_440


class DefaultPreference(TenantTable):
    """What holds where a recipient chose nothing. `is_locked`: whatever the recipient chose; `reason` is what they are told."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    topic = models.CharField(max_length=100)
    channel = models.CharField(max_length=8, default="*")
    is_on = models.BooleanField(default=True)
    digest = models.CharField(max_length=8, choices=FREQUENCIES, blank=True)
    is_locked = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "topic", "channel"], name="default_preference_once")]

    def __str__(self) -> str:
        return f"{self.topic} / {self.channel}: {'on' if self.is_on else 'off'}"


class QuietHoursRule(TenantTable):
    """Quiet hours of those who chose none, or of everybody in the country when `is_locked`. Minutes after midnight on the
    recipient's own clock. `country`: ISO 3166-1, empty: any."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=63)
    country = models.CharField(max_length=2, blank=True)
    start = models.PositiveSmallIntegerField(validators=[MaxValueValidator(_MINUTES_OF_A_DAY - 1)])
    end = models.PositiveSmallIntegerField(validators=[MaxValueValidator(_MINUTES_OF_A_DAY - 1)])
    channels = ArrayField(
        models.CharField(max_length=8, choices=[(c.value, c.value) for c in Channel]), default=list, blank=True
    )
    categories = ArrayField(
        models.CharField(max_length=16, choices=[(c.value, c.value) for c in Category]), default=list, blank=True
    )
    is_locked = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="quiet_hours_rule_name_once")]

    def __str__(self) -> str:
        return self.name


class FrequencyCap(TenantTable):
    """At most `limit` messages for one recipient. `topic`: an event type, a pattern, a category or `*`; `channel`: one or `*` (push,
    email and SMS together). Critical messages neither count nor are held back."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    limit = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    period = models.CharField(max_length=8, choices=[(p.value, p.sentence) for p in CapPeriod])
    window_seconds = models.PositiveIntegerField(default=0)
    topic = models.CharField(max_length=100, default="*")
    channel = models.CharField(max_length=8, default="*")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="frequency_cap_name_once")]

    def __str__(self) -> str:
        return self.name
