"""Who of the staff is what in which tenant, and who changed what."""

import json
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core import clock, ids
from apps.core.admin_bases import ModelAdmin, ReadOnly, display, moment
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import DropdownFilter
from apps.core.admin_trail import Deed, kept_by
from apps.tenants import models
from apps.tenants.auditing import record, staff
from apps.tenants.roles import Role
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

SHOWN = 200
_SPANS = {
    "hour": ("last hour", 1),
    "day": ("last 24 hours", 24),
    "week": ("last 7 days", 168),
    "month": ("30 days", 720),
}


@admin.register(models.Membership)
class MembershipAdmin(TenantColumn, ModelAdmin):
    list_display = ("user", "role", "tenant", "created_at")
    list_filter = (TenantFilter, "role")
    list_filter_submit = True
    list_select_related = ("user", "role", "tenant")
    search_fields = ("user__username",)
    ordering = ("user__username",)
    fields = ("user", "tenant", "role")
    empty_sentence = "Nobody but superusers sees anything: give somebody of the staff a role in a tenant."

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "role":
            field.help_text = format_html_join("", "<b>{}</b>: {}<br>", ((role.value, role.sentence) for role in Role))
            field.queryset = Group.objects.order_by("name")
        return field


class TimeFilter(DropdownFilter):
    title = "time"
    parameter_name = "time"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, text) for value, (text, _) in _SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        _, hours = _SPANS.get(self.value() or "", ("", 0))
        return queryset.filter(id__gte=ids.bound(clock.now() - timedelta(hours=hours))) if hours else queryset


class Newest(DropdownFilter):
    """Words that the newest entries have in a column."""

    look_back = 2_000
    parameter_name: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = models.AuditEntry.objects.all_tenants().order_by("-id")[: self.look_back]
        return [(word, word) for word in sorted(set(newest.values_list(self.parameter_name, flat=True)))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class ActorFilter(Newest):
    title = "actor"
    parameter_name = "actor"


class ActionFilter(Newest):
    title = "action"
    parameter_name = "action"


class KindFilter(Newest):
    title = "object"
    parameter_name = "kind"


@admin.register(models.AuditEntry)
class AuditEntryAdmin(ReadOnly, TenantColumn, FeedAdmin):
    """Append-only: the database refuses any change."""

    list_display = ("at_", "actor", "action", "kind_", "what", "said_or_changed", "tenant")
    list_filter = (KindFilter, ActorFilter, ActionFilter, TimeFilter, TenantFilter)
    list_select_related = ("tenant",)
    search_fields = ("label",)
    search_help_text = "Id or name of an object"
    search_detail = "Search takes the whole id of an object, of a request, or a part of an object's name."
    empty_sentence = "Nothing was changed yet. Every change of a setting is recorded here, and stays."
    fields = ("when", "actor", "action", "kind_", "what", "said", "changes", "request_id", "tenant")
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term or "\x00" in term:
            return queryset, False
        wanted = Q(label__icontains=term) | Q(object_id=str(ids.find(term) or term)) | Q(request_id=term)
        return queryset.filter(wanted), False

    @display(description="When")
    def at_(self, row: Any) -> str:
        return moment(row.at)

    @display(description="When")
    def when(self, row: Any) -> str:
        return f"{row.at:%Y-%m-%d %H:%M:%S} UTC"

    @display(description="Object")
    def kind_(self, row: Any) -> str:
        return kind_name(row.kind)

    @display(description="Name")
    def what(self, row: Any) -> SafeString | str:
        label, page = row.label or "-", page_of(row)
        return format_html('<a class="n-link" href="{}">{}</a>', page, label) if page else label

    @display(description="What")
    def said_or_changed(self, row: Any) -> str:
        return row.said or ", ".join(row.difference) or "-"

    @display(description="Changes")
    def changes(self, row: Any) -> SafeString | str:
        lines = [(name, *sides(its)) for name, its in row.difference.items()]
        cells = format_html_join("", "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td></tr>", lines)
        head = "<thead><tr><th>Field</th><th>Before</th><th>After</th></tr></thead>"
        table = f'<div class="n-scroll"><table class="n-table">{head}<tbody>{{}}</tbody></table></div>'
        return format_html(table, cells) if lines else "-"


def kind_name(kind: str) -> str:
    """`event type` of `events.eventtype`; the kind itself when the model is gone."""
    known = {model._meta.label_lower: str(model._meta.verbose_name) for model in admin.site._registry}
    return known.get(kind, kind.rpartition(".")[2])


def page_of(row: Any) -> str:
    """The page of what was changed; "" when it was deleted, or has none."""
    if row.action in ("delete", "forget") or not row.object_id:
        return ""
    try:
        return reverse(f"admin:{row.kind.replace('.', '_')}_history", args=[row.object_id])
    except NoReverseMatch:
        return ""


def sides(its: Any) -> tuple[str, str]:
    """Before and after of one field, as a page shows them."""
    if not isinstance(its, list):
        return "", "changed; not kept"
    before, after = ("-" if side in (None, "", []) else _text(side) for side in its)
    return before, after


def _text(side: Any) -> str:
    if isinstance(side, list) and all(isinstance(one, str | int) for one in side):
        return ", ".join(map(str, side))
    return side if isinstance(side, str) else json.dumps(side, ensure_ascii=False)


def _write(deed: Deed) -> None:
    record(
        actor=staff(deed.request.user),
        tenant_id=deed.tenant_id,
        action=deed.action,
        kind=deed.kind,
        object_id=deed.object_id,
        label=deed.label,
        said=deed.said,
        before=deed.before,
        after=deed.after,
    )


def _history(kind: str, object_id: str) -> list[Any]:
    rows = models.AuditEntry.objects.all_tenants().filter(kind=kind, object_id=object_id).order_by("-id")[:SHOWN]
    return [(row, [(name, *sides(its)) for name, its in row.difference.items()]) for row in rows]


kept_by(_write, _history)
