"""Who agreed to what, within which limits."""

from typing import Any, ClassVar

from django.db import models

from apps.core import ids
from apps.core.enums import Worded
from apps.core.tables import TenantManager, TenantTable


class Decision(Worded):
    ASKED = "asked", "It waits for somebody's decision."
    APPROVED = "approved", "It was approved."
    RETURNED = "returned", "Changes were asked for."
    VOID = "void", "What was approved is not what would be sent now."
    BROKEN = "broken", "It was launched without an approval, by somebody who may."


class Approval(TenantTable):
    """`snapshot`: the definition that was looked at; `digest`: SHA-256 of it, hex. `people`, `cost_low`, `cost_high`: as they were then;
    costs in millionths of `currency`."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey("campaigns.Campaign", on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    snapshot = models.JSONField()
    people = models.PositiveIntegerField()
    cost_low = models.BigIntegerField(default=0)
    cost_high = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="EUR")
    asked_by = models.CharField(max_length=150)
    note = models.CharField(max_length=500, blank=True)
    decision = models.CharField(max_length=8, choices=[(d.value, d.sentence) for d in Decision], default=Decision.ASKED)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    comment = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return ids.show("apr", self.id)


class Policy(models.Model):
    """A tenant's rules for campaigns. An approval is needed above so many people, or above that cost, at the launch and when it fires; it
    is void when people or cost grow by more than `growth_percent`. `day_budgets`: {channel: millionths of the currency a day} for all its
    campaigns together. `brake`: thresholds (braking.py)."""

    tenant = models.OneToOneField("tenants.Tenant", on_delete=models.CASCADE, primary_key=True, related_name="+")
    approval_above_people = models.PositiveIntegerField(default=1_000)
    approval_above_micros = models.BigIntegerField(default=100_000_000)
    approval_for_keys = models.BooleanField(default=False)
    growth_percent = models.PositiveSmallIntegerField(default=10)
    type_number_above = models.PositiveIntegerField(default=10_000)
    currency = models.CharField(max_length=3, default="EUR")
    day_budgets = models.JSONField(default=dict, blank=True)
    refuses_over_budget = models.BooleanField(default=True)
    brake = models.JSONField(default=dict, blank=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = "rules of a tenant"
        verbose_name_plural = "rules for campaigns"

    def __str__(self) -> str:
        return f"Rules of {self.tenant}"


class Spending(models.Model):
    """What was set aside for messages, in millionths of the policy's currency, as they were decided on; only where there is a limit.
    `subject_id`: the tenant, for all its campaigns together, or a campaign. `day`: in UTC; without channel on 1970-01-01: a campaign's
    whole life."""

    pk = models.CompositePrimaryKey("tenant_id", "subject_id", "channel", "day")
    tenant_id = models.UUIDField()
    subject_id = models.UUIDField()
    channel = models.CharField(max_length=8, blank=True)
    day = models.DateField()
    micros = models.BigIntegerField(default=0)

    objects: ClassVar[Any] = TenantManager()
