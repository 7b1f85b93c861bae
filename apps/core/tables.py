"""The base of tables that belong to a tenant: every chain begins with `.of(tenant)`, or says `.all_tenants()`."""

from typing import Any, Self
from uuid import UUID

from django.db import models

from apps.core import ids
from apps.core.types import Tenant


class TenantQuerySet(models.QuerySet[Any]):
    def of(self, tenant: Tenant | UUID) -> Self:
        return self.filter(tenant_id=tenant.id if isinstance(tenant, Tenant) else tenant)

    def all_tenants(self) -> Self:
        """For caretakers and the admin of the same app only."""
        return self.all()


TenantManager = models.Manager.from_queryset(TenantQuerySet)


class TenantTable(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TenantManager()

    class Meta:
        abstract = True
