"""What the tables of the ledger have in common."""

from django.db import models

from apps.core.tables import TenantManager


class LedgerTable(models.Model):
    """Tenants and recipients are plain ids here: the ledger outlives the rows they point to."""

    tenant_id = models.UUIDField()

    objects = TenantManager()

    class Meta:
        abstract = True
