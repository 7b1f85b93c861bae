"""What a recipient chose."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models

from apps.core.enums import DigestFrequency
from apps.core.tables import TenantManager, TenantTable

FREQUENCIES = [(f.value, f.sentence) for f in DigestFrequency]


class Preference(TenantTable):
    """`topic`: an event type (`order.shipped`), a pattern (`order.*`), a category (`category:marketing`) or `*`.
    `channel`: one channel or `*`. Exact beats pattern beats category beats `*`; a named channel beats `*` at the same topic.
    `digest`: on, but summed up that often."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey("audience.Recipient", on_delete=models.CASCADE, db_index=False, related_name="+")
    topic = models.CharField(max_length=100)
    channel = models.CharField(max_length=8, default="*")
    is_on = models.BooleanField()
    digest = models.CharField(max_length=8, choices=FREQUENCIES, blank=True, default="", db_default="")
    source = models.CharField(max_length=32, default="admin")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "topic", "channel"], name="preference_once")]

    def __str__(self) -> str:
        return f"{self.topic} / {self.channel}: {'on' if self.is_on else 'off'}"


class Mute(TenantTable):
    """Nothing of the topic on the channel until then; `*` and `*`: a pause of everything."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey("audience.Recipient", on_delete=models.CASCADE, db_index=False, related_name="+")
    topic = models.CharField(max_length=100)
    channel = models.CharField(max_length=8, default="*")
    until = models.DateTimeField()
    source = models.CharField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "topic", "channel"], name="mute_once")]

    def __str__(self) -> str:
        return f"{self.topic} / {self.channel} until {self.until:%Y-%m-%d %H:%M}"


class Profile(models.Model):
    """The rest of a recipient's choices; none: the defaults. `quiet_hours`: [{start, end, channels, categories}] in minutes after
    midnight; null: the tenant's."""

    recipient = models.OneToOneField("audience.Recipient", on_delete=models.CASCADE, primary_key=True, related_name="+")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    quiet_hours = models.JSONField(null=True, blank=True)
    digest_hour = models.PositiveSmallIntegerField(default=9, validators=[MaxValueValidator(23)])
    digest_weekday = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(6)])
    blocked_actors = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    source = models.CharField(max_length=32)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = TenantManager()
