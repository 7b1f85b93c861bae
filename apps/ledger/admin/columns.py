"""Columns that several lists of the ledger have. `complete` puts `person` on rows that show one."""

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.admin_bases import display, moment
from apps.ledger.admin.looks import words
from apps.tenants.selectors import tenants
from apps.tenants.tenant_filter import TenantColumn


class Columns(TenantColumn):
    @display(description="When")
    def at(self, row: Any) -> SafeString | str:
        return moment(row.created_at)

    @display(description="Why")
    def why(self, row: Any) -> SafeString | str:
        """The reason's sentence, and the queue where a row has one."""
        queue = getattr(row, "queue", "")
        said = format_html('<br><span class="n-dim">{}</span>', queue) if queue else ""
        return format_html('<span class="n-sentence-cell">{}{}</span>', words(row.reason), said) if row.reason else "-"

    @display(description="Recipient")
    def user_id(self, row: Any) -> str:
        return row.person.user_id if row.person else "forgotten"

    @display(description="Tenant")
    def tenant(self, row: Any) -> str:
        found = tenants().get(row.tenant_id)
        return found.name if found else str(row.tenant_id)
