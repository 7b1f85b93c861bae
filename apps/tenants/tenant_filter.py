"""The filter by tenant of the admin's lists, also for tables that know a tenant by its plain id only."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin_filters import DropdownFilter
from apps.tenants.selectors import tenants


class TenantFilter(DropdownFilter):
    """Not shown while there is only one tenant."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(tenant.id), tenant.name) for tenant in sorted(tenants().values(), key=lambda tenant: tenant.name)]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = dict(self.lookup_choices).get(self.value() or "")
        return queryset if chosen is None else queryset.filter(tenant_id=self.value())
