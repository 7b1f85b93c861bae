"""What people switched off, and which addresses must not be used."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.audience.addresses import address_hash
from apps.audience.finding import address_named, recipients_by, stored_hashes
from apps.core import ids
from apps.core.admin_bases import TONES, ReadOnly, display, door, moment, operator
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import one_of, states
from apps.core.admin_panels import panel
from apps.core.enums import Channel, SuppressionReason
from apps.core.types import NewSuppression
from apps.preferences import models
from apps.preferences.forms import SuppressionForm
from apps.preferences.services import suppress
from apps.preferences.topics import CHANNELS
from apps.tenants.selectors import tenants
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_ON = {"on": ("on", Q(is_on=True)), "off": ("off", Q(is_on=False))}


@admin.register(models.Preference)
class PreferenceAdmin(ReadOnly, TenantColumn, FeedAdmin):
    """The person's own. Looked at here, changed by the person, or by the tenant through the API."""

    list_display = ("person", "topic", "channel", "is_", "source", "since", "tenant")
    list_display_links = None
    list_filter = (states("is", _ON), one_of("channel", CHANNELS), TenantFilter)
    list_select_related = ("tenant", "recipient")
    search_fields = ("recipient",)
    search_help_text = "user_id, email, phone"
    search_detail = "Search takes a person's whole user_id, email address or phone number."
    empty_sentence = (
        "Nobody has switched anything yet. Without a preference everything is on, except marketing without consent."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        id_ = ids.find(search_term)
        people = [id_] if id_ is not None else recipients_by(search_term.strip(), tenants())
        return queryset.filter(recipient_id__in=people), False

    @display(description="Recipient")
    def person(self, row: Any) -> SafeString:
        return door("audience_recipient_change", row.recipient_id, text=row.recipient)

    @display(description="Is", label=TONES)
    def is_(self, row: Any) -> str:
        return "on" if row.is_on else "off"

    @display(description="Since")
    def since(self, row: Any) -> str:
        return moment(row.updated_at)


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
    vetoes = models.Suppression.objects.all_tenants().filter(address_hash__in=stored_hashes(subject)).order_by("-id")
    return {
        "switches": list(switches),
        "vetoes": [(veto, SuppressionReason(veto.reason).sentence) for veto in vetoes],
    }
