"""Groups of people: by rules, or by list."""

from typing import Any, ClassVar

from django.db import models

from apps.core.enums import Worded
from apps.core.tables import TenantManager, TenantTable


class SegmentKind(Worded):
    RULES = "rules", "Everybody whom its rules describe, at the moment of asking."
    LIST = "list", "The people who were put on it."


class Segment(TenantTable):
    """`rules`: the tree (segments/rules.py) of a RULES segment. `count`: people at `counted_at`, exact then."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=63)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=[(k.value, k.sentence) for k in SegmentKind])
    rules = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    count = models.PositiveIntegerField(null=True, editable=False)
    counted_at = models.DateTimeField(null=True, editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="segment_key_once")]

    def __str__(self) -> str:
        return self.name


class SegmentMember(models.Model):
    """Somebody on a list."""

    pk = models.CompositePrimaryKey("segment_id", "recipient_id")
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+", db_index=False)
    recipient = models.ForeignKey("audience.Recipient", on_delete=models.CASCADE, related_name="+")
    tenant_id = models.UUIDField()

    objects: ClassVar[Any] = TenantManager()
