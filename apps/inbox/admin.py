"""Feed items, without what they say: that is between the tenant and the person."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.audience.finding import recipients_by
from apps.core import ids
from apps.core.admin_bases import TONES, ReadOnly, display, door, moment, shown
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import one_of, states
from apps.core.enums import Category
from apps.inbox.models import InboxItem
from apps.tenants.selectors import tenants
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_STATES = {
    "unseen": ("unseen", Q(seen_at=None)),
    "unread": ("unread", Q(read_at=None, archived_at=None)),
    "archived": ("archived", Q(archived_at__isnull=False)),
}


@admin.register(InboxItem)
class InboxItemAdmin(ReadOnly, TenantColumn, FeedAdmin):
    list_display = ("item", "person", "event_type", "category", "state", "made", "seen", "read", "expires", "tenant")
    list_display_links = None
    list_filter = (states("state", _STATES), one_of("category", Category), TenantFilter)
    list_select_related = ("tenant", "recipient")
    search_fields = ("recipient",)
    search_help_text = "user_id, email, phone"
    search_detail = "Search takes a person's whole user_id, email address or phone number."
    empty_sentence = "In-app messages appear here when they reach a feed."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return InboxItem.objects.all_tenants().defer("sealed")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        id_ = ids.find(search_term)
        if id_ is not None:
            return queryset.filter(Q(id=id_) | Q(recipient_id=id_)), False
        return queryset.filter(recipient_id__in=recipients_by(search_term.strip(), tenants())), False

    @display(description="Item")
    def item(self, row: Any) -> SafeString:
        """Its story: the item's id is its delivery's."""
        return door("ledger_delivery_change", row.id, text=shown(ids.INBOX_ITEM, row.id))

    @display(description="Recipient")
    def person(self, row: Any) -> SafeString:
        return door("audience_recipient_change", row.recipient_id, text=row.recipient)

    @display(description="State", label=TONES)
    def state(self, row: Any) -> str:
        if row.archived_at:
            return "archived"
        return "read" if row.read_at else "seen" if row.seen_at else "unseen"

    @display(description="Put there")
    def made(self, row: Any) -> str:
        return moment(row.created_at)

    @display(description="Seen")
    def seen(self, row: Any) -> str:
        return moment(row.seen_at)

    @display(description="Read")
    def read(self, row: Any) -> str:
        return moment(row.read_at)

    @display(description="Expires")
    def expires(self, row: Any) -> str:
        return moment(row.expires_at)
