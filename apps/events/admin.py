"""The catalogue of event types."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin_bases import TONES, ModelAdmin, display
from apps.core.admin_filters import one_of
from apps.core.enums import Category
from apps.events import models
from apps.events.forms import EventTypeForm
from apps.events.selectors import forget_cached
from apps.tenants.tenant_filter import TenantColumn, TenantFilter


@admin.register(models.EventType)
class EventTypeAdmin(TenantColumn, ModelAdmin):
    form = EventTypeForm
    list_display = ("key", "name", "category_label", "template_key", "channel_list", "fallback_chain", "tenant")
    list_filter = (TenantFilter, one_of("category", Category))
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("key", "name", "owner")
    ordering = ("key",)
    empty_sentence = (
        "An event type says what can happen, whom it concerns and how it travels: order.shipped, login.code."
    )
    fieldsets = (
        (None, {"fields": ("tenant", "key", "name", "category", "template_key", "owner")}),
        ("Way", {"fields": ("channels", "fallback", "fallback_after_seconds")}),
        (
            "Care",
            {
                "fields": (
                    "dedup_window_seconds",
                    "dedup_by",
                    "waits_for",
                    "waits_seconds",
                    "resend_in_doubt",
                    "sensitive_keys",
                )
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "key") if obj else ()

    @display(description="Category", label=TONES)
    def category_label(self, kind: models.EventType) -> str:
        return kind.category

    @display(description="Channels")
    def channel_list(self, kind: models.EventType) -> str:
        return ", ".join(kind.channels) or "all"

    @display(description="Fallback")
    def fallback_chain(self, kind: models.EventType) -> str:
        return " → ".join(kind.fallback) or "-"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_cached()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        forget_cached()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        forget_cached()
