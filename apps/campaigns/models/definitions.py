"""What is to be said to whom, when and how fast."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from apps.campaigns.lifecycle import CampaignStatus
from apps.core import ids
from apps.core.enums import Category, Channel, KeyMode, Priority
from apps.core.tables import TenantManager, TenantTable


class Campaign(TenantTable):
    """`audience`: {include: rule, exclude: rule or null} (audience/segments); `is_frozen`: the people of the launch, else those of the
    fire time. `schedule`: {kind: now|at|recurring, start, zone, rule, exdates, past: send|next_day|skip} (scheduling.py). `throttle`:
    people a minute, 0: as fast as it goes. `ramp`: shares in percent, e.g. [0.1, 1, 10, 100], `ramp_minutes` apart. `test`: {share,
    metric, wait_minutes, rule: automatic|by_hand, undecided: wait|first} where variants are tried first. `holdout`: percent that get
    nothing. `budget`, `brake`: what differs from the tenant's policy. `send_once_key`: nobody gets two campaigns with the same one.
    `version` counts changes. `launched`: the snapshot (definitions.py) of the launch, which every run goes by; `launched_by_person`: not
    by a key. `editors`: who changed it since it was last approved."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=200)
    status = models.CharField(
        max_length=10, choices=[(s.value, s.sentence) for s in CampaignStatus], default=CampaignStatus.DRAFT
    )
    mode = models.CharField(max_length=4, choices=[(m.value, m.sentence) for m in KeyMode], default=KeyMode.LIVE)
    category = models.CharField(
        max_length=16, choices=[(c.value, c.sentence) for c in Category], default=Category.MARKETING
    )
    event_type = models.CharField(max_length=100, blank=True)
    channels: "ArrayField[Any, list[str]]" = ArrayField(
        models.CharField(max_length=8, choices=[(c.value, c.value) for c in Channel]), default=list, blank=True
    )
    priority = models.CharField(max_length=6, choices=[(p.value, p.value) for p in Priority], default=Priority.NORMAL)
    audience = models.JSONField(default=dict, blank=True)
    is_frozen = models.BooleanField(default=False)
    frozen_list = models.UUIDField(null=True, editable=False)
    data = models.JSONField(default=dict, blank=True)
    schedule = models.JSONField(default=dict, blank=True)
    throttle = models.PositiveIntegerField(default=0)
    expires_after = models.DurationField(null=True, blank=True)
    ramp = models.JSONField(default=list, blank=True)
    ramp_minutes = models.PositiveIntegerField(default=60)
    test = models.JSONField(default=dict, blank=True)
    holdout = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(50)])
    budget = models.JSONField(default=dict, blank=True)
    brake = models.JSONField(default=dict, blank=True)
    send_once_key = models.CharField(max_length=100, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)
    editors: "ArrayField[Any, list[str]]" = ArrayField(models.CharField(max_length=150), default=list, editable=False)
    created_by = models.CharField(max_length=150, editable=False)
    changed_by = models.CharField(max_length=150, editable=False)
    launched_by = models.CharField(max_length=150, blank=True, editable=False)
    launched_by_person = models.BooleanField(default=False, editable=False)
    launched_at = models.DateTimeField(null=True, editable=False)
    launched = models.JSONField(default=dict, editable=False)
    api_key_id = models.UUIDField(null=True, editable=False)
    may_critical = models.BooleanField(default=False, editable=False)
    next_fire_at = models.DateTimeField(null=True, editable=False)
    next_wall = models.CharField(max_length=19, blank=True, editable=False)
    request_key = models.BinaryField(null=True, editable=False)
    fingerprint = models.BinaryField(null=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request_key"], name="campaign_request_once")]
        indexes = [
            models.Index(fields=["tenant", "id"], name="campaign_tenant"),
            models.Index(fields=["next_fire_at"], condition=Q(status="scheduled"), name="campaign_due"),
        ]
        permissions = [
            ("approve_campaign", "Can approve campaigns of others"),
            ("launch_campaign", "Can launch campaigns"),
            ("operate_campaign", "Can pause, resume, cancel and slow down campaigns"),
            ("break_glass", "Can launch without the approval that is needed"),
        ]

    def __str__(self) -> str:
        return self.name or ids.show(ids.CAMPAIGN, self.id)


class Variant(TenantTable):
    """One wording. `position` is its number in the ledger, from 0. `weight`: its share among the variants. `is_own`: the template was made
    for this campaign alone."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+", db_index=False)
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=63)
    template_key = models.CharField(max_length=100, blank=True)
    is_own = models.BooleanField(default=False)
    weight = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "position"], name="variant_position_once")]

    def __str__(self) -> str:
        return self.name


class NamedPeople(models.Model):
    """Many people by name, until they are on the campaign's list. `names`: JSON, deflated."""

    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, primary_key=True, related_name="+")
    tenant_id = models.UUIDField()
    segment_id = models.UUIDField()
    names = models.BinaryField()

    objects: ClassVar[Any] = TenantManager()
