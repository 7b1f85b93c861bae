"""Provider accounts."""

from django.db import models

from apps.core.enums import Channel
from apps.core.tables import TenantTable


class ProviderAccount(TenantTable):
    """How a channel reaches the world for one tenant (or, without tenant, for all). `sealed`: JSON credentials, bound to the id."""

    tenant = models.ForeignKey("tenants.Tenant", null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    key = models.SlugField(max_length=63, unique=True)
    provider = models.CharField(max_length=32)
    channel = models.CharField(max_length=8, choices=[(c.value, c.value) for c in Channel])
    base_url = models.CharField(max_length=500, blank=True)
    sender = models.CharField(max_length=320, blank=True)
    sealed = models.BinaryField(editable=False, default=b"")
    settings = models.JSONField(default=dict, blank=True)
    order = models.PositiveSmallIntegerField(default=100)
    is_on = models.BooleanField(default=True)
    off_reason = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.key


class Alert(TenantTable):
    """Something that an operator must know, once for each trouble: `kind` and `subject` (an account's key) say which it is; it is over
    at `ended_at`."""

    tenant = models.ForeignKey("tenants.Tenant", null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=32)
    subject = models.CharField(max_length=200)
    text = models.CharField(max_length=500)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=models.Q(ended_at=None), name="alert_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
