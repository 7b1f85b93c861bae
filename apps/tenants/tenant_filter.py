"""The filter by tenant and the tenant's column of the admin's lists: both only where there is more than one."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin_filters import DropdownFilter
from apps.core.types import Tenant
from apps.tenants.selectors import tenants


def seen_tenants() -> list[Tenant]:
    """Those that whoever looks may see."""
    return list(tenants().values())


class TenantFilter(DropdownFilter):
    """Also for tables that know a tenant by its plain id only."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(tenant.id), tenant.name) for tenant in sorted(tenants().values(), key=lambda tenant: tenant.name)]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = dict(self.lookup_choices).get(self.value() or "")
        return queryset if chosen is None else queryset.filter(tenant_id=self.value())


class TenantColumn:
    """For a ModelAdmin: its column `tenant` is left out while it would say the same in every row."""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = super().get_list_display(request)  # type: ignore[misc]
        return [column for column in columns if column != "tenant" or len(tenants()) > 1]
