"""Calls of providers: parked ones first, with another try for them. What a call says stays sealed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.channels.registry import names
from apps.channels.selectors import account_by_id
from apps.core.admin_bases import TONES, ReadOnly, display, moment
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import one_of, states
from apps.core.admin_panels import panel
from apps.core.tenant_scope import sees_all
from apps.receipts.keeping import replay
from apps.receipts.models import ReceiptCall

MOST_COUNTED = 1_000
PARKED = Q(parked_at__isnull=False, applied_at=None)
_STATES = {
    "parked": ("parked", PARKED),
    "open": ("open", Q(parked_at=None, applied_at=None)),
    "applied": ("applied", Q(applied_at__isnull=False)),
}


class StateFilter(states("state", _STATES)):  # type: ignore[misc]
    """Parked ones when there are any and nothing else is asked for: they are what somebody must look at."""

    all_option = None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.has_parked = ReceiptCall.objects.filter(PARKED).exists()
        return [*super().lookups(request, model_admin), ("all", "all")]

    def value(self) -> str:
        return super().value() or ("parked" if self.has_parked else "all")


@admin.register(ReceiptCall)
class ReceiptCallAdmin(ReadOnly, FeedAdmin):
    list_display = ("received", "provider", "account", "state", "tries", "error", "next_try", "applied")
    list_filter = (StateFilter, one_of("provider", sorted(names())))
    actions = ("replay_selected",)
    empty_sentence = "Providers report deliveries, bounces and complaints to /v1/receipts/<account key>."
    fields = ("provider", "account", "state", "tries", "error", "heard", "received", "next_try", "applied", "parked")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return ReceiptCall.objects.defer("sealed")

    def complete(self, rows: list[Any]) -> None:
        names = {account_id: account_by_id(account_id) for account_id in {row.account_id for row in rows}}
        for row in rows:
            row.known_account = names[row.account_id]

    def permissions_of(self, needed: str) -> tuple[str, ...]:
        return ("receipts.change_receiptcall",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("receipts.change_receiptcall")

    @display(description="Received")
    def received(self, row: Any) -> str:
        return moment(row.received_at)

    @display(description="Account")
    def account(self, row: Any) -> str:
        found = row.known_account if hasattr(row, "known_account") else account_by_id(row.account_id)
        return found.key if found else "an account that is gone"

    @display(description="State", label={**TONES, "applied": "success"})
    def state(self, row: Any) -> str:
        if row.applied_at:
            return "applied"
        return "parked" if row.parked_at else "open"

    @display(description="Due")
    def next_try(self, row: Any) -> str:
        return moment(None if row.applied_at or row.parked_at else row.due_at)

    @display(description="Applied")
    def applied(self, row: Any) -> str:
        return moment(row.applied_at)

    @display(description="Parked")
    def parked(self, row: Any) -> str:
        return moment(row.parked_at)

    @admin.action(description="Apply again", permissions=["operate"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = replay(queryset.values_list("id", flat=True))
        messages.info(request, f"{count} will be applied again within seconds. What they said before counts once.")


@panel("home", order=17, template="admin/receipts/parked.html", permission="receipts.view_receiptcall")
def parked(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    count = ReceiptCall.objects.filter(PARKED)[: MOST_COUNTED + 1].count() if sees_all() else 0
    if not count:
        return None
    return {"count": f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else str(count), "is_one": count == 1}
