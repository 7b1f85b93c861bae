"""Recipients and their endpoints."""

from django.contrib.postgres.indexes import GinIndex, HashIndex
from django.db import models

from apps.core.enums import Channel, EndpointKind
from apps.core.tables import TenantTable


class Recipient(TenantTable):
    """A person of a tenant, known by the tenant's own `user_id`. `preferences_version`: counts the changes of what they chose; who
    reads the person knows whether a copy of their choices is still good.

    PostgreSQL does not check the tenant, which nobody can delete: it would take a seventh of an import.
    """

    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    user_id = models.CharField(max_length=128)
    locale = models.CharField(max_length=35, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    blocked_at = models.DateTimeField(null=True, blank=True)
    preferences_version = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user_id"], name="recipient_user_id_once")]
        indexes = [
            models.Index(fields=["tenant", "id"], name="recipient_by_tenant"),
            GinIndex(fields=["attributes"], opclasses=["jsonb_path_ops"], name="recipient_attributes"),
        ]

    def __str__(self) -> str:
        return self.user_id


class Endpoint(TenantTable):
    """One address of a recipient on one channel. `sealed` decrypts bound to the endpoint's id; `address_hash` finds it.

    PostgreSQL checks that the person exists, whose tenant it is.
    """

    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="+", db_index=False)
    channel = models.CharField(max_length=8, choices=[(c.value, c.value) for c in Channel])
    kind = models.CharField(max_length=8, choices=[(k.value, k.value) for k in EndpointKind])
    sealed = models.BinaryField()
    address_hash = models.BinaryField(max_length=32)
    masked = models.CharField(max_length=100)
    platform = models.CharField(max_length=8, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_reason = models.CharField(max_length=32, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "channel", "address_hash"], name="endpoint_once")]
        indexes = [
            # the hash is keyed by tenant and channel: it alone tells whose it is
            HashIndex(fields=["address_hash"], name="endpoint_by_hash"),
            # who has an address of a channel, counted without a look at the rows; new people are the last in it, whatever the channel
            models.Index(
                fields=["tenant", "recipient", "channel"],
                include=["verified_at"],
                condition=models.Q(retired_at=None),
                name="endpoint_in_use",
            ),
        ]

    def __str__(self) -> str:
        return self.masked
