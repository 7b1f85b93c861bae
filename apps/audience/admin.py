"""People and their addresses. Addresses are shown masked; nothing is decrypted for these pages."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from apps.audience import import_admin, models, segment_admin
from apps.audience.finding import recipients_by
from apps.audience.forms import RecipientForm
from apps.audience.services import forget_recipient, upsert_user
from apps.core import ids
from apps.core.admin_bases import display, moment
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import states
from apps.core.admin_panels import panel, panels
from apps.core.admin_trail import DONE
from apps.core.types import InlineRecipient
from apps.tenants.auditing import staff
from apps.tenants.selectors import tenant_by_id, tenants
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

__all__ = ["RecipientAdmin", "import_admin", "segment_admin"]
SHOWN_ADDRESSES = 3
MOST_ADDRESSES = 100


@admin.register(models.Recipient)
class RecipientAdmin(TenantColumn, FeedAdmin):
    form = RecipientForm
    list_display = ("user_id", "tenant", "addresses", "locale", "timezone", "state", "made_at")
    list_filter = (states("state", {"blocked": ("blocked", Q(blocked_at__isnull=False))}), TenantFilter)
    list_select_related = ("tenant",)
    search_fields = ("user_id",)
    search_help_text = "user_id, email, phone"
    search_detail = "Search takes a whole user_id, email address or phone number."
    empty_sentence = "People appear with the first notification that names them, or with PUT /v1/users/{user_id}."
    fieldsets = (
        (None, {"fields": (("user_id", "tenant"), ("locale", "timezone"), "is_blocked")}),
        ("What templates know", {"fields": ("attributes", ("made_at", "updated_at"))}),
    )
    readonly_fields = ("user_id", "tenant", "attributes", "made_at", "updated_at")
    change_form_outer_after_template = "admin/panels.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        id_ = ids.find(search_term)
        found = [id_] if id_ is not None else recipients_by(search_term.strip(), tenants())
        return queryset.filter(id__in=found), False

    def complete(self, rows: list[Any]) -> None:
        found: defaultdict[UUID, list[str]] = defaultdict(list)
        endpoints = models.Endpoint.objects.all_tenants().filter(
            recipient_id__in=[row.id for row in rows], retired_at=None
        )
        for recipient_id, masked in endpoints.order_by("id").values_list("recipient_id", "masked"):
            found[recipient_id].append(masked)
        for row in rows:
            row.masked = found[row.id]

    @display(description="Addresses")
    def addresses(self, row: Any) -> str:
        more = len(row.masked) - SHOWN_ADDRESSES
        return ", ".join(row.masked[:SHOWN_ADDRESSES]) + (f" and {more} more" if more > 0 else "") or "-"

    @display(description="State", label={"blocked": "danger"})
    def state(self, row: Any) -> str:
        return "blocked" if row.blocked_at else ""

    @display(description="Known since")
    def made_at(self, row: Any) -> str:
        return moment(row.created_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        id_ = ids.find(object_id)
        shown = panels("recipient", request, id_) if id_ and request.method == "GET" else []
        return super().change_view(request, object_id, form_url, {"panels": shown} | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        tenant = tenant_by_id(obj.tenant_id)
        assert tenant is not None
        said = form.cleaned_data
        user = InlineRecipient(
            user_id=obj.user_id, locale=said["locale"], timezone=said["timezone"], is_blocked=said["is_blocked"]
        )
        upsert_user(tenant=tenant, user=user)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """People are forgotten one at a time."""
        return {}

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """In words: the rows themselves may be many, and are nobody's to read here."""
        said = [
            *(f"{person.user_id}, with addresses, devices, preferences and feed" for person in objs),
            "What was said to them; the bare facts of each delivery stay, and so does the veto on a suppressed address",
        ]
        return said, {"person": len(said) - 1}, set(), []

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Who forgets writes it, and keeps nothing of what is forgotten."""
        request.META[DONE] = True

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        tenant = tenant_by_id(obj.tenant_id)
        assert tenant is not None
        forget_recipient(tenant=tenant, user_id=obj.user_id, by=staff(request.user))


@panel("recipient", order=0, template="admin/audience/addresses.html", permission="audience.view_recipient")
def known_addresses(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    """Masked, the newest MOST_ADDRESSES."""
    rows = models.Endpoint.objects.all_tenants().filter(recipient_id=subject).defer("sealed", "address_hash")
    return {"endpoints": list(rows.order_by("-id")[:MOST_ADDRESSES])}
