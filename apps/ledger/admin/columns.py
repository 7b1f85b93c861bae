"""Columns that several lists of the ledger have. `complete` puts `person` on rows that show one."""

from typing import Any

from django.utils.safestring import SafeString

from apps.core.admin_bases import display, moment
from apps.tenants.selectors import tenants


class Columns:
    @display(description="When")
    def at(self, row: Any) -> SafeString | str:
        return moment(row.created_at)

    @display(description="Recipient")
    def user_id(self, row: Any) -> str:
        return row.person.user_id if row.person else "forgotten"

    @display(description="Tenant")
    def tenant(self, row: Any) -> str:
        found = tenants().get(row.tenant_id)
        return found.name if found else str(row.tenant_id)
