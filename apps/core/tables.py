"""The base of tables that belong to a tenant: every chain begins with `.of(tenant)`, or says `.all_tenants()`."""

from typing import Any, Self
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import models

from apps.core import ids
from apps.core.tenant_scope import bound
from apps.core.types import Tenant


@models.ForeignKey.register_lookup
@models.Field.register_lookup
class AnyOf(models.Lookup):
    """`filter(id__any=[...])`: `id = ANY(one array)` instead of `__in`, which makes a placeholder, an adaptation and a look at the
    field of every value: for batches. Values go to PostgreSQL as they are; an empty list asks nothing."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        if not self.rhs:
            raise EmptyResultSet
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s)", (*parameters, list(self.rhs))


class TenantQuerySet(models.QuerySet[Any]):
    def of(self, tenant: Tenant | UUID) -> Self:
        id_ = tenant.id if isinstance(tenant, Tenant) else tenant
        view = bound()
        return self.filter(tenant_id=id_) if view is None or id_ in view.tenants else self.none()

    def all_tenants(self) -> Self:
        """For caretakers and the admin of the same app only. In the admin: of those tenants that whoever looks may see."""
        view = bound()
        return (
            self.all() if view is None else self.filter(view.rows(getattr(self.model, "path_to_tenant", "tenant_id")))
        )


TenantManager = models.Manager.from_queryset(TenantQuerySet)


class TenantRow(models.Model):
    """Of what is written once."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)

    objects = TenantManager()

    class Meta:
        abstract = True


class TenantTable(TenantRow):
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
