"""Which addresses must not be used, and what holds for a person."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.audience.addresses import address_hash
from apps.audience.finding import address_named, stored_hashes
from apps.audience.selectors import recipients
from apps.core.admin_bases import display, moment, operator
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import one_of
from apps.core.admin_panels import panel
from apps.core.enums import Channel, SuppressionReason
from apps.core.types import NewSuppression
from apps.preferences import models, rule_admin  # noqa: F401  (registers its pages)
from apps.preferences.choice_admin import effective
from apps.preferences.forms import SuppressionForm
from apps.preferences.services import suppress
from apps.tenants.selectors import tenants
from apps.tenants.tenant_filter import TenantColumn, TenantFilter


@admin.register(models.Suppression)
class SuppressionAdmin(TenantColumn, FeedAdmin):
    form = SuppressionForm
    list_display = ("masked", "channel", "why", "source", "since", "tenant")
    list_filter = (one_of("reason", SuppressionReason), one_of("channel", Channel), TenantFilter)
    list_select_related = ("tenant",)
    search_fields = ("masked",)
    search_help_text = "Email, phone"
    search_detail = "Search takes a whole email address or phone number; addresses are kept as fingerprints only."
    empty_sentence = "Addresses get here after a hard bounce, a complaint or an opt-out, or by hand."
    _facts = ("masked", "channel", "why", "source", "since", "tenant")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self._facts if obj else ("tenant", "channel", "address")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self._facts if obj else ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        wanted = address_named(search_term.strip(), tenants())
        return (queryset.none() if wanted is None else queryset.filter(wanted)), False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        address = form.cleaned_data["address"]
        found = address_hash(obj.tenant_id, address.channel, address.hashed)
        row = NewSuppression(
            obj.tenant_id, address.channel, found, address.masked, SuppressionReason.MANUAL, operator(request)[:64]
        )
        suppress([row])
        stored = models.Suppression.objects.of(obj.tenant_id).get(channel=address.channel, address_hash=found)
        obj.id, obj.masked, obj.reason = stored.id, stored.masked, stored.reason

    @display(description="Why")
    def why(self, row: Any) -> str:
        return SuppressionReason(row.reason).sentence

    @display(description="Since")
    def since(self, row: Any) -> str:
        return moment(row.created_at)


@panel(
    "recipient", order=20, template="admin/preferences/recipient_panel.html", permission="preferences.view_preference"
)
def allowed(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    if subject is None:
        return None
    switches = models.Preference.objects.all_tenants().filter(recipient_id=subject).order_by("topic", "channel")
    person = recipients([subject]).get(subject)
    vetoes = models.Suppression.objects.all_tenants().filter(address_hash__in=stored_hashes(subject)).order_by("-id")
    return {
        "subject": subject,
        "switches": list(switches),
        "effective": effective(person.tenant_id, subject) if person else None,
        "vetoes": [(veto, SuppressionReason(veto.reason).sentence) for veto in vetoes],
    }
