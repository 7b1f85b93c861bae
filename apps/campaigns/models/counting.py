"""What a run led to, counted: derived from the ledger, made anew at will."""

from typing import Any, ClassVar

from django.db import models

from apps.campaigns.models.runs import Run
from apps.core import ids
from apps.core.enums import Worded
from apps.core.tables import TenantManager


class Dimension(Worded):
    OUTCOME = "outcome", "What became of people: `status:reason`, the best of their channels, open ones first."
    LOCALE = "locale", "The language that people chose."
    ZONE = "zone", "The clock that people live by."
    HOUR = "hour", "The hour on people's own clocks when it was sent."
    LINK = "link", "The links of its mails, by their number."
    DELAY = "delay", "Seconds from the decision to the proof of arrival, at most."
    MACHINE = "machine", "Opens and clicks that machines made."


class Slice(models.Model):
    """People of a run (of `delay`, `link` and `machine`: messages) by one `dimension`; `variant` null: all of them."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", db_index=False)
    dimension = models.CharField(max_length=8, choices=[(d.value, d.sentence) for d in Dimension])
    variant = models.PositiveSmallIntegerField(null=True)
    value = models.CharField(max_length=100, blank=True)
    count = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    opened = models.PositiveIntegerField(default=0)
    clicked = models.PositiveIntegerField(default=0)
    unsubscribed = models.PositiveIntegerField(default=0)
    complained = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "dimension", "variant", "value"], name="campaign_slice_once", nulls_distinct=False
            )
        ]


class Meter(models.Model):
    """When a run is counted. `next_at`: not before; `took`, `slices_took`: seconds that the last counts took. `samples`: [epoch seconds,
    people read, people whose messages have ended], newest last. `judged_from`: what was sent before is no evidence any more: a person
    knew it and went on."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="meter")
    tenant_id = models.UUIDField()
    next_at = models.DateTimeField()
    took = models.FloatField(default=0)
    sliced_at = models.DateTimeField(null=True)
    slices_took = models.FloatField(default=0)
    samples = models.JSONField(default=list)
    judged_from = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager()
