"""Segments and lists: found, built, tried while they are typed, filled, archived."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audience import models
from apps.audience.models.segments import SegmentKind
from apps.audience.segment_forms import NewSegmentForm, typed_rules, typed_user_ids
from apps.audience.segment_views import catalogue, count_view, people_view, reach_view
from apps.audience.segments import keeping, lists
from apps.core import ids
from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import ModelAdmin, display, moment
from apps.core.admin_filters import states
from apps.core.problems import Problem
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

MEMBERS_SHOWN = 200
UNKNOWN_SHOWN = 20
_NAME = "audience_segment"
_KINDS = {"rules": ("rules", Q(kind="rules")), "list": ("lists", Q(kind="list"))}
_STATES = {"live": ("in use", Q(archived_at=None)), "archived": ("archived", Q(archived_at__isnull=False))}


@admin.register(models.Segment)
class SegmentAdmin(TenantColumn, ModelAdmin):
    form = NewSegmentForm
    list_display = ("name", "key", "found_by", "people", "used", "tenant", "state")
    list_filter = (states("state", _STATES), states("kind", _KINDS), TenantFilter)
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("name", "key")
    ordering = ("name", "id")
    sortable_by = ()
    fields = ("tenant_id", "name", "key", "kind")
    empty_sentence = (
        "A segment says who is meant, by rules; a list holds people who were put on it. Campaigns go to both."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return models.Segment.objects.all_tenants()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are archived: what was sent to them stays explained."""
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    @display(description="Found by", label={"rules": "info", "list": "success"})
    def found_by(self, row: Any) -> str:
        return str(row.kind)

    @display(description="People")
    def people(self, row: Any) -> SafeString | str:
        if row.archived_at is not None:
            return "-"
        if row.count is None:
            return format_html('<span class="n-dim">{}</span>', "not counted yet")
        return format_html('{} <span class="n-dim">{}</span>', f"{row.count:,}", moment(row.counted_at))

    @display(description="Used by")
    def used(self, row: Any) -> str:
        more = len(row.users) - 2
        return ", ".join(row.users[:2]) + (f" and {more} more" if more > 0 else "") or "-"

    @display(description="State", label={"archived": "danger"})
    def state(self, row: Any) -> str:
        return "archived" if row.archived_at else ""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """What uses the segments of a page is asked once for each tenant."""
        found = super().get_changelist_instance(request)
        rows = list(found.result_list)
        for tenant_id in {row.tenant_id for row in rows}:
            users = keeping.users_of(tenant_id, {row.id for row in rows if row.tenant_id == tenant_id})
            for row in rows:
                if row.tenant_id == tenant_id:
                    row.users = users.get(row.id, [])
        found.result_list = rows
        return found

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        trying = {"count": count_view, "reach": reach_view, "people": people_view}
        return [
            *(
                path(f"trying/<uuid:tenant_id>/{door}/", wrap(view), name=f"{_NAME}_{door}")
                for door, view in trying.items()
            ),
            path("<uuid:object_id>/members/", wrap(self.members_view), name=f"{_NAME}_members"),
            path("<uuid:object_id>/archive/", wrap(self.archive_view), name=f"{_NAME}_archive"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = form.cleaned_data
        rules = {"everyone": True} if said["kind"] == SegmentKind.RULES.value else None
        try:
            row = keeping.create_segment(
                tenant_id=UUID(said["tenant_id"]), key=said["key"], name=said["name"], rules=rules
            )
        except Problem as problem:
            messages.error(request, problem.detail)
            return
        obj.id = row.id

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        form.instance.tenant_id = UUID(form.cleaned_data["tenant_id"])
        return super().save_form(request, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        if models.Segment.objects.of(obj.tenant_id).filter(id=obj.id).exists():
            super().log_addition(request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        if not models.Segment.objects.of(obj.tenant_id).filter(id=obj.id).exists():
            return HttpResponseRedirect(reverse(f"admin:{_NAME}_add"))
        return HttpResponseRedirect(_page_of(obj.id))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self._found(request, object_id)
        is_live = row.archived_at is None
        may_change = is_live and self.has_change_permission(request, row)
        wrong: list[tuple[str, str]] = []
        name, rules = row.name, row.rules
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            name = request.POST.get("name", "").strip()[:200] or row.name
            rules, wrong = self._saved(request, row, name)
            if not wrong:
                keeping.count_segment(tenant_id=row.tenant_id, segment_id=row.id)
                self.log_change(request, row, "Saved.")
                messages.success(request, "Saved. What uses it uses the new rules from now on." if rules else "Saved.")
                return HttpResponseRedirect(_page_of(row.id))
        context = {
            **self.admin_site.each_context(request),
            "title": row.name,
            "opts": self.opts,
            "original": row,
            "segment": row,
            "shown_id": ids.show(ids.SEGMENT, row.id),
            "name": name,
            "rules": rules,
            "wrong": wrong,
            "may_change": may_change,
            "used_by": keeping.users_of(row.tenant_id, {row.id}).get(row.id, []),
        }
        if row.kind == SegmentKind.LIST.value:
            context |= {"members": self._members(row), "most": MEMBERS_SHOWN}
            return TemplateResponse(request, "admin/segments/list.html", context)
        context |= {"catalogue": catalogue(row.tenant_id, but=row.key)}
        return TemplateResponse(request, "admin/segments/builder.html", context)

    def members_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self._found(request, str(object_id))
        if request.method != "POST" or not self.has_change_permission(request, row):
            raise PermissionDenied
        wanted = typed_user_ids(request.POST.get("user_ids", ""))
        do, verb = (lists.remove_members, "taken off") if "remove" in request.POST else (lists.add_members, "put on")
        if not wanted or len(wanted) > lists.MOST_AT_ONCE:
            messages.error(request, f"Type from 1 to {lists.MOST_AT_ONCE:,} user ids, one in each line.")
            return HttpResponseRedirect(_page_of(row.id))
        try:
            changed = do(tenant_id=row.tenant_id, segment_id=row.id, user_ids=wanted)
        except Problem as problem:
            messages.error(request, problem.detail)
            return HttpResponseRedirect(_page_of(row.id))
        keeping.count_segment(tenant_id=row.tenant_id, segment_id=row.id)
        self.log_change(request, row, f"{changed.number} people {verb} the list.")
        messages.success(request, f"{changed.number:,} people {verb} the list.")
        if changed.unknown:
            more = len(changed.unknown) - UNKNOWN_SHOWN
            said = ", ".join(changed.unknown[:UNKNOWN_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
            messages.warning(request, f"Nobody has these user ids: {said}.")
        return HttpResponseRedirect(_page_of(row.id))

    def archive_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self._found(request, str(object_id))
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        back = _page_of(row.id)
        if request.method != "POST":
            sentence = "Nothing can use it any more; it can still be read. Its key stays taken."
            question = Question(f"Archive {row}", sentence, "Archive it", back, is_dangerous=True)
            return ask(request, question, model=self.model)
        try:
            keeping.archive_segment(tenant_id=row.tenant_id, segment_id=row.id)
        except Problem as problem:
            messages.error(request, problem.detail)
            return HttpResponseRedirect(back)
        self.log_change(request, row, "Archived.")
        messages.success(request, "Archived.")
        return HttpResponseRedirect(reverse(f"admin:{_NAME}_changelist"))

    def _found(self, request: HttpRequest, object_id: str) -> Any:
        found = get_object_or_404(self.get_queryset(request), id=ids.find(object_id))
        if not self.has_view_or_change_permission(request, found):
            raise PermissionDenied
        return found

    def _saved(self, request: HttpRequest, row: Any, name: str) -> tuple[Any, list[tuple[str, str]]]:
        """The rules as they were typed, and what is wrong with them."""
        is_list = row.kind == SegmentKind.LIST.value
        try:
            rules = None if is_list else typed_rules(request.POST.get("rules", ""))
        except ValueError as error:
            return row.rules, [("", str(error))]
        try:
            keeping.update_segment(tenant_id=row.tenant_id, segment_id=row.id, name=name, rules=rules)
        except Problem as problem:
            return rules, [(error.pointer.removeprefix("/rules"), error.detail) for error in problem.errors] or [
                ("", problem.detail)
            ]
        return rules, []

    def _members(self, row: Any) -> list[tuple[str, str]]:
        found = lists.members(row.tenant_id, row.id, after=None, limit=MEMBERS_SHOWN + 1)
        return [(each.user_id, reverse("admin:audience_recipient_change", args=[each.recipient_id])) for each in found]


def _page_of(segment_id: UUID) -> str:
    return reverse(f"admin:{_NAME}_change", args=[segment_id])
