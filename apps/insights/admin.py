"""Probes: set up here, and what became of the last ones. How receipts usually come is only looked at."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.core import clock
from apps.core.admin_bases import ModelAdmin, ReadOnly, ago, display, door, moment
from apps.core.admin_filters import one_of, states
from apps.core.admin_panels import panel
from apps.core.enums import Category
from apps.core.tenant_scope import bound
from apps.insights.critical_share import WINDOW, is_too_much
from apps.insights.models import FatigueDay, Probe, ReceiptNorm
from apps.ledger.weighing import critical_shares
from apps.tenants.selectors import critical_share_limits
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_MOST_COUNTED = 50_000
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


@admin.register(FatigueDay)
class FatigueDayAdmin(TenantColumn, ReadOnly, ModelAdmin):
    list_display = ("day", "tenant", "what", "category", "sent", "opt_outs_", "mutes_", "complaints_")
    list_filter = (TenantFilter, one_of("category", Category))
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("event_type",)
    ordering = ("-day", "-sent")
    empty_sentence = (
        "What people switch off, mute and report is counted every hour, per 1,000 messages sent on that day."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return FatigueDay.objects.all_tenants()

    @display(description="Event type")
    def what(self, row: Any) -> str:
        return row.event_type or "-"

    @display(description="Opt-outs per 1,000")
    def opt_outs_(self, row: Any) -> str:
        return _per_thousand(row.opt_outs, row.sent)

    @display(description="Mutes per 1,000")
    def mutes_(self, row: Any) -> str:
        return _per_thousand(row.mutes, row.sent)

    @display(description="Complaints per 1,000")
    def complaints_(self, row: Any) -> str:
        return _per_thousand(row.complaints, row.sent)


def _per_thousand(count: int, sent: int) -> str:
    return f"{count * 1000 / sent:.1f} ({count})" if sent else f"- ({count})"


@panel("home", order=16, template="admin/insights/critical_share.html", permission="ledger.view_notification")
def critical_share_of_an_hour(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    shares = critical_shares(clock.now() - WINDOW, _MOST_COUNTED)
    if not any(share.critical for share in shares):
        return None
    limits = {
        id_: limit for id_, limit in critical_share_limits().items() if (view := bound()) is None or id_ in view.tenants
    }
    rows = [
        {
            "tenant": limits[share.tenant_id][0],
            "percent": round(share.critical * 100 / share.total),
            "critical": share.critical,
            "total": share.total,
            "most": limits[share.tenant_id][1],
            "is_too_much": is_too_much(share, limits[share.tenant_id][1]),
        }
        for share in shares
        if share.critical and share.tenant_id in limits
    ]
    return {"rows": sorted(rows, key=lambda row: -row["percent"])} if rows else None
