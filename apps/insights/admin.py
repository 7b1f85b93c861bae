"""Probes: set up here, and what became of the last ones. How receipts usually come is only looked at."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.core.admin_bases import ModelAdmin, ReadOnly, ago, display, door, moment
from apps.core.admin_filters import states
from apps.insights.models import Probe, ReceiptNorm
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_SILENT = {"yes": ("silent", Q(silent_since__isnull=False)), "no": ("reporting", Q(silent_since=None))}


@admin.register(Probe)
class ProbeAdmin(TenantColumn, ModelAdmin):
    list_display = ("person", "channel", "tenant", "state", "took_", "said", "last", "every", "is_on")
    list_filter = (TenantFilter,)
    list_filter_submit = True
    list_select_related = ("tenant",)
    ordering = ("channel", "user_id")
    fields = ("tenant", "channel", "user_id", "mode", "expects", ("period", "patience"), "is_on")
    empty_sentence = "A probe sends a message to a test recipient every few minutes and tells when it does not arrive."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Probe.objects.all_tenants()

    @display(description="To")
    def person(self, probe: Any) -> str:
        return str(probe.user_id)

    @display(description="State", label={"arrived": "success", "under way": "info", "lost": "danger"})
    def state(self, probe: Any) -> str:
        if probe.judged_at is None:
            return "under way" if probe.last_notification_id else "not sent yet"
        return "arrived" if probe.has_arrived else "lost"

    @display(description="Took")
    def took_(self, probe: Any) -> str:
        return ago(probe.took) if probe.took is not None else "-"

    @display(description="Last sent")
    def last(self, probe: Any) -> SafeString | str:
        if probe.last_notification_id is None:
            return moment(probe.sent_at)
        return door("ledger_notification_change", probe.last_notification_id, text=moment(probe.sent_at))

    @display(description="Every")
    def every(self, probe: Any) -> str:
        return ago(probe.period)


@admin.register(ReceiptNorm)
class ReceiptNormAdmin(ReadOnly, ModelAdmin):
    list_display = ("account", "place_", "within", "waits", "usually_missing", "sample", "learnt", "silent")
    list_filter = (states("silent", _SILENT),)
    list_filter_submit = True
    search_fields = ("account",)
    ordering = ("account", "place")
    empty_sentence = (
        "How long receipts take is learnt from the last day, for each provider account that reports at all."
    )

    @display(description="To")
    def place_(self, norm: Any) -> str:
        return norm.place or "everywhere"

    @display(description="95 % within")
    def within(self, norm: Any) -> str:
        return f"{norm.delay:.1f} s"

    @display(description="Missed after")
    def waits(self, norm: Any) -> str:
        return f"{norm.patience:.0f} s"

    @display(description="Usually missing")
    def usually_missing(self, norm: Any) -> str:
        return f"{norm.missing:.1%}"

    @display(description="Learnt")
    def learnt(self, norm: Any) -> str:
        return moment(norm.learnt_at)

    @display(description="Silent since")
    def silent(self, norm: Any) -> str:
        return moment(norm.silent_since)
