"""Deliveries: one line a message on its way. Each opens the story of its notification."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString

from apps.audience.selectors import recipients
from apps.core import ids
from apps.core.admin_bases import TONES, ReadOnly, display, shown
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import DropdownFilter, one_of, states
from apps.core.enums import Category, Channel, DeliveryStatus
from apps.core.rows import fetch
from apps.core.tenant_scope import seen_sql
from apps.ledger.admin import finding
from apps.ledger.admin.columns import Columns
from apps.ledger.admin.figures import FAILED, SENT
from apps.ledger.admin.looks import channel_name
from apps.ledger.admin.notifications import page_of
from apps.ledger.models import Delivery
from apps.ledger.selectors import calling_deliveries
from apps.tenants.tenant_filter import TenantFilter

_ACCOUNTS = """
SELECT DISTINCT account FROM (SELECT account FROM ledger_delivery WHERE {seen} ORDER BY id DESC LIMIT 2000) newest
WHERE account <> '' ORDER BY account
"""
# "sending" is told by the work, not by the row, and cannot be looked for
_STATUSES = {
    "handed_over": ("handed over (sent, delivered, bounced)", Q(status__in=SENT)),
    "trouble": ("trouble (failed, bounced, expired, unknown)", Q(status__in=FAILED)),
    **{s.value: (s.value, Q(status=s)) for s in DeliveryStatus if s != DeliveryStatus.SENDING},
}


class AccountFilter(DropdownFilter):
    """Accounts that carried something lately."""

    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        seen, of = seen_sql()
        return [(account, account) for (account,) in fetch(_ACCOUNTS.format(seen=seen), of)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(account=self.value()) if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, Columns, FeedAdmin):
    list_display = ("id_shown", "at", "user_id", "channel_shown", "status_label", "why", "account", "tenant")
    list_filter = (
        states("status", _STATUSES),
        one_of("channel", Channel),
        AccountFilter,
        one_of("category", Category),
        TenantFilter,
    )
    search_fields = ("id",)
    search_help_text = finding.HELP
    search_detail = finding.DETAIL
    empty_sentence = "A notification becomes one delivery for each channel (push: for each device) when it is decided."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Delivery.objects.all_tenants()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        wanted = Q(notification_id__in=finding.newest_named(search_term))
        return queryset.filter(wanted), False

    def complete(self, rows: list[Any]) -> None:
        people = recipients({row.recipient_id for row in rows})
        calling = calling_deliveries(list({row.notification_id for row in rows}))
        for row in rows:
            row.person = people.get(row.recipient_id)
            row.is_calling = row.id in calling

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        id_ = ids.find(object_id)
        row = Delivery.objects.all_tenants().filter(id=id_).first() if id_ else None
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined, no-any-return]
        return HttpResponseRedirect(f"{page_of(row.notification_id)}#{ids.show(ids.DELIVERY, row.id)}")

    @display(description="Delivery")
    def id_shown(self, row: Any) -> SafeString:
        return shown(ids.DELIVERY, row.id)

    @display(description="Channel")
    def channel_shown(self, row: Any) -> str:
        return channel_name(row.channel)

    @display(description="Status", label=TONES)
    def status_label(self, row: Any) -> str:
        return DeliveryStatus.SENDING.value if row.is_calling else str(row.status)
