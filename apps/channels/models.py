"""Provider accounts, what they ask for, and what goes wrong with them."""

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


class Price(TenantTable):
    """What one part of a message costs: a segment of an SMS, a mail, a push. Without tenant: for all. Empty `provider`, `account` (a key)
    or `place` (how a delivery's begins: `+49`, `+1`): any; the most exact row counts, of equal ones the newest that is valid. `low` and
    `high`: millionths of `currency`; they differ where the provider's price does (by network, by volume)."""

    tenant = models.ForeignKey("tenants.Tenant", null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=8, choices=[(c.value, c.value) for c in Channel])
    provider = models.CharField(max_length=32, blank=True)
    account = models.CharField(max_length=63, blank=True)
    place = models.CharField(max_length=100, blank=True)
    low = models.PositiveBigIntegerField()
    high = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3, default="EUR")
    valid_from = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "channel", "provider", "account", "place", "currency", "valid_from"],
                name="price_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=models.Q(high__gte=models.F("low")), name="price_low_to_high"),
        ]

    def __str__(self) -> str:
        return " ".join(part for part in (self.channel, self.provider, self.account, self.place) if part)


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
