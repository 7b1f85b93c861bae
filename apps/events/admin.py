"""The catalogue of event types."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import TONES, ModelAdmin, action, display, operator
from apps.core.admin_filters import one_of
from apps.core.enums import Category
from apps.core.problems import Problem
from apps.core.types import Critical
from apps.events import models
from apps.events.critical import approve_critical, governed
from apps.events.forms import EventTypeForm
from apps.events.selectors import forget_cached
from apps.tenants import selectors as tenants
from apps.tenants.tenant_filter import TenantColumn, TenantFilter


@admin.register(models.EventType)
class EventTypeAdmin(TenantColumn, ModelAdmin):
    form = EventTypeForm
    list_display = ("key", "name", "category_label", "template_key", "channel_list", "fallback_chain", "tenant")
    list_filter = (TenantFilter, one_of("category", Category))
    list_filter_submit = True
    actions_detail = ("approve",)
    list_select_related = ("tenant",)
    search_fields = ("key", "name", "owner")
    ordering = ("key",)
    empty_sentence = (
        "An event type says what can happen, whom it concerns and how it travels: order.shipped, login.code."
    )
    fieldsets = (
        (None, {"fields": ("tenant", "key", "name", "category", "critical_reason", "template_key", "owner")}),
        ("Way", {"fields": ("channels", "fallback", "fallback_after_seconds")}),
        (
            "Summing up",
            {
                "fields": (
                    "group_by",
                    "group_window_seconds",
                    "group_most",
                    "group_leads",
                    "group_low_only",
                    "overflows",
                    "digest_template_key",
                )
            },
        ),
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
        is_pending = kind.category == Category.CRITICAL and not kind.critical_approved_by
        return "critical: not approved" if is_pending else kind.category

    @display(description="Channels")
    def channel_list(self, kind: models.EventType) -> str:
        return ", ".join(kind.channels) or "all"

    @display(description="Fallback")
    def fallback_chain(self, kind: models.EventType) -> str:
        return " → ".join(kind.fallback) or "-"

    def has_approve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Named here: a permission in the action itself is looked for in the database by a check that runs before the first migrate."""
        return request.user.has_perm("events.approve_critical")

    @action(
        description="Approve as critical",
        url_path="approve-critical",
        icon="verified",
        permissions=("approve",),
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        kind = get_object_or_404(models.EventType.objects.all_tenants(), id=object_id)
        page = reverse("admin:events_eventtype_change", args=[kind.id])
        if request.method == "POST":
            tenant = tenants.tenant_by_id(kind.tenant_id)
            assert tenant is not None
            try:
                approve_critical(tenant=tenant, key=kind.key, by=operator(request))
            except Problem as problem:
                messages.error(request, problem.code.meaning)
            else:
                self.log_change(request, kind, "Approved as critical.")
                messages.success(request, f"{kind.key} is critical now.")
            return HttpResponseRedirect(page)
        question = Question(
            title=f"Approve {kind.key} as critical",
            sentence=f"Asked for by {kind.critical_asked_by}, owner {kind.owner}: {kind.critical_reason} "
            "Its messages will pass over what recipients switched off, and over quiet hours.",
            submit="Approve it",
            back=page,
        )
        return ask(request, question, model=self.model)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        pending = models.EventType.objects.all_tenants().filter(
            id=object_id, category=Category.CRITICAL, critical_approved_by=""
        )
        is_pending = pending.exclude(critical_asked_by="").exists()
        found: list[Any] = super().get_actions_detail(request, object_id) if is_pending else []  # type: ignore[misc]
        return found

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        known = models.EventType.objects.all_tenants().filter(id=obj.id).first() if change else None
        asked = Critical(obj.critical_reason, operator(request))
        for name, value in governed(known, Category(obj.category), obj.owner, asked).items():
            setattr(obj, name, value)
        super().save_model(request, obj, form, change)
        forget_cached()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        forget_cached()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        forget_cached()
