"""What is to be sent when, to whom, and what became of each time."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.core import ids
from apps.core.enums import KeyMode, Worded
from apps.core.tables import TenantManager, TenantTable
from apps.schedules.missed import Missed
from apps.schedules.rules import MOST_TEXT


class Status(Worded):
    ACTIVE = "active", "It fires at its next time."
    PAUSED = "paused", "It does not fire until somebody resumes it."
    CANCELLED = "cancelled", "It never fires again."
    FINISHED = "finished", "It has fired for the last time."


class Outcome(Worded):
    FIRED = "fired", "Its notifications were accepted."
    SKIPPED = "skipped", "Left out; the reason says why."
    FAILED = "failed", "The front door refused it; nothing was accepted."


class SkipReason(Worded):
    MISSED = "missed", "Nobody was there to fire it in time, and the policy leaves it out."
    PAUSED = "paused", "It was paused then."
    PAST = "past", "It was over on that clock when the schedule was made or changed."
    EXPIRED = "expired", "Its messages would have been over already."
    NOBODY = "nobody", "None of its recipients was left on that clock."


class Schedule(TenantTable):
    """`sealed`: the request as the front door's body, without recipients, bound to `id`. Times on the wall are texts like
    `2027-01-04T09:00:00`. `zone`: an IANA name, or `recipient`. `waves`: per zone the next time on the wall; one zone unless every
    recipient has their own. `next_fire_at`: the earliest of them. `request_key`, `fingerprint`: of the request that made it, if it named
    a key."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    api_key_id = models.UUIDField(null=True, editable=False)
    mode = models.CharField(max_length=8, choices=[(mode.value, mode.value) for mode in KeyMode])
    may_critical = models.BooleanField(default=False, editable=False)
    name = models.CharField(max_length=200, blank=True)
    sealed = models.BinaryField(editable=False)
    start = models.CharField(max_length=19)
    zone = models.CharField(max_length=64)
    rule = models.CharField(max_length=MOST_TEXT, blank=True)
    exdates: "ArrayField[Any, list[str]]" = ArrayField(models.CharField(max_length=19), default=list)
    rdates: "ArrayField[Any, list[str]]" = ArrayField(models.CharField(max_length=19), default=list)
    missed = models.CharField(max_length=8, choices=[(m.value, m.sentence) for m in Missed], default=Missed.SKIP)
    missed_limit = models.PositiveSmallIntegerField(default=10)
    expires_after = models.DurationField(null=True)
    status = models.CharField(max_length=12, choices=[(s.value, s.sentence) for s in Status], default=Status.ACTIVE)
    waves = models.JSONField(default=dict, editable=False)
    next_fire_at = models.DateTimeField(null=True, editable=False)
    last_fired_at = models.DateTimeField(null=True, editable=False)
    fired_count = models.PositiveIntegerField(default=0, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    request_key = models.BinaryField(null=True, editable=False)
    fingerprint = models.BinaryField(null=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request_key"], name="schedule_request_once")]
        indexes = [
            models.Index(fields=["next_fire_at"], condition=Q(status="active"), name="schedule_due"),
            models.Index(fields=["tenant", "id"], name="schedule_tenant"),
        ]

    def __str__(self) -> str:
        return self.name or ids.show(ids.SCHEDULE, self.id)


class ScheduleRecipient(models.Model):
    """`zone`: whose clock tells their next wave, where each has their own; else empty. `sealed`: what differs for this person, bound to
    `id`; empty when nothing does."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="+", db_index=False)
    recipient_id = models.UUIDField()
    zone = models.CharField(max_length=64, blank=True)
    sealed = models.BinaryField(default=b"", editable=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "recipient_id"], name="schedule_recipient_once"),
        ]
        indexes = [models.Index(fields=["recipient_id"], name="schedule_recipient_person")]


class ScheduleRun(models.Model):
    """One decision about one time of one wave; about `covers` times from `wall` on, when they were left out together. `count`:
    notifications. `error`, `detail`: the first refusal of the front door."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="+", db_index=False)
    zone = models.CharField(max_length=64)
    wall = models.CharField(max_length=19)
    due_at = models.DateTimeField()
    at = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=[(o.value, o.sentence) for o in Outcome])
    reason = models.CharField(max_length=16, blank=True)
    covers = models.PositiveIntegerField(default=1)
    count = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=300, blank=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "zone", "wall"], name="schedule_run_once")]
        indexes = [models.Index(fields=["schedule", "id"], name="schedule_run_schedule")]
