"""One firing of a campaign, its waves, and what they led to."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.campaigns.lifecycle import OPEN_RUNS, RunStatus, WaveKind
from apps.core import ids
from apps.core.tables import TenantManager, TenantTable


class Run(TenantTable):
    """`stamp`: milliseconds since 1970 that begin the ids of all its notifications and deliveries: they are a range of the primary keys; no
    other run of the tenant has the same. `definition`: what it was launched with (definitions.py). `occurrence`: the time on the wall
    that it stands for. `cuts`: people's ids that cut a large audience into equal parts, for what is written together to stand together
    (ledger/broadcasts.py). `throttle`: live. `next_page_at`: the throttle lets nobody begin a page before. `people_before`: who was made
    known later is not in it. `winner`: the variant's position, `winner_said`: who chose it and why. `id` is the ledger's broadcast."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey("campaigns.Campaign", on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveIntegerField()
    occurrence = models.CharField(max_length=40)
    stamp = models.BigIntegerField()
    status = models.CharField(
        max_length=10, choices=[(s.value, s.sentence) for s in RunStatus], default=RunStatus.PREPARING
    )
    definition = models.JSONField()
    cuts: "ArrayField[Any, list[Any]]" = ArrayField(models.UUIDField(), default=list)
    audience_size = models.PositiveIntegerField(null=True)
    throttle = models.PositiveIntegerField(default=0)
    next_page_at = models.DateTimeField(null=True)
    people_before = models.DateTimeField()
    winner = models.PositiveSmallIntegerField(null=True)
    winner_said = models.CharField(max_length=500, blank=True)
    paused_from = models.CharField(max_length=10, blank=True)
    pause_reason = models.CharField(max_length=32, blank=True)
    pause_detail = models.CharField(max_length=500, blank=True)
    paused_by = models.CharField(max_length=150, blank=True)
    paused_at = models.DateTimeField(null=True)
    spent_micros = models.BigIntegerField(default=0)
    estimate = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True)
    expanded_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    tallied_at = models.DateTimeField(null=True)
    judged_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "occurrence"], name="campaign_run_once"),
            models.UniqueConstraint(fields=["tenant", "stamp"], name="campaign_run_stamp"),
        ]
        indexes = [models.Index(fields=["status"], condition=Q(status__in=OPEN_RUNS), name="campaign_run_open")]

    def __str__(self) -> str:
        return ids.show(ids.CAMPAIGN_RUN, self.id)


class Wave(models.Model):
    """A part of a run's people, read page by page in order of their ids, from `first` (exclusive) to `upto` (inclusive). `zone`: of those
    on that clock; `low`, `high`: of those whose share, 0 to 999,999, is in [low, high). `due_at`: null until it is known. `is_skipped`: its
    time was over, and they get nothing. `cursor`: the last person decided on; it commits with their notifications. `seen`: people read,
    `made`: notifications, `held_out`, `repeated`: who had one already."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", db_index=False)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=[(k.value, k.sentence) for k in WaveKind], default=WaveKind.MAIN)
    zone = models.CharField(max_length=64, blank=True)
    low = models.PositiveIntegerField(default=0)
    high = models.PositiveIntegerField(default=1_000_000)
    first = models.UUIDField(null=True)
    upto = models.UUIDField(null=True)
    cursor = models.UUIDField(null=True)
    is_skipped = models.BooleanField(default=False)
    due_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    size = models.PositiveIntegerField(null=True)
    seen = models.PositiveIntegerField(default=0)
    made = models.PositiveIntegerField(default=0)
    held_out = models.PositiveIntegerField(default=0)
    repeated = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="campaign_wave_once")]
        indexes = [models.Index(fields=["due_at"], condition=Q(done_at=None), name="campaign_wave_due")]


class Tally(models.Model):
    """How many deliveries of a run stand where, as of `Run.tallied_at`; derived from the ledger, rebuilt at will."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", db_index=False)
    variant = models.PositiveSmallIntegerField()
    channel = models.CharField(max_length=8)
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=32, blank=True)
    count = models.PositiveIntegerField()
    opened = models.PositiveIntegerField(default=0)
    clicked = models.PositiveIntegerField(default=0)
    complained = models.PositiveIntegerField(default=0)
    unsubscribed = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "variant", "channel", "status", "reason"], name="campaign_tally_once"
            )
        ]
