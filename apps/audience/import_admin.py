"""The wizard: upload, map, check, write. A step changes nothing before its button; people change in the last one only."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from apps.audience import models
from apps.audience.import_api import errors_response
from apps.audience.import_forms import KINDS, LABELS, rows_of, told, typed_mapping
from apps.audience.import_pages import TONES, shown, step_of, steps
from apps.audience.imports import services
from apps.audience.imports.answers import answer
from apps.audience.imports.fields import plan_of
from apps.audience.imports.lists import list_named
from apps.audience.imports.samples import samples
from apps.audience.imports.uploads import IntakeHandler
from apps.core import ids
from apps.core.admin_bases import ReadOnly, display, moment, operator
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import one_of
from apps.core.problems import Problem
from apps.core.tenant_scope import view_of
from apps.core.types import Tenant
from apps.tenants.auditing import staff
from apps.tenants.selectors import tenant_by_id, tenants
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_MOVES: Mapping[str, tuple[Callable[..., None], str]] = {
    "start": (services.start_import, "People are being written."),
    "pause": (services.pause_import, "It is paused: nothing more is written until it goes on."),
    "cancel": (services.cancel_import, "It is cancelled, and its file is deleted. Whoever was written stays."),
}


@admin.register(models.Import)
class ImportAdmin(TenantColumn, ReadOnly, FeedAdmin):
    list_display = ("file_name", "tenant", "status", "people", "refused_rows", "by", "made_at")
    list_filter = (one_of("state", models.ImportState), TenantFilter)
    list_select_related = ("tenant",)
    empty_sentence = "A CSV with a header row brings people in. Nobody is changed before you have seen what would be."

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("audience.add_import")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("add/", view(self.upload_view), name="audience_import_add"),
            path("<str:object_id>/change/", view(self.page), name="audience_import_change"),
            path("<str:object_id>/progress/", view(self.progress), name="audience_import_progress"),
            path("<str:object_id>/map/", view(self.map_view), name="audience_import_map"),
            path("<str:object_id>/errors/", view(self.errors), name="audience_import_errors"),
        ]
        moves = [
            path(f"<str:object_id>/{name}/", view(self.move), {"name": name}, name=f"audience_import_{name}")
            for name in _MOVES
        ]
        return [*own, *moves, *super().get_urls()]

    @display(description="State", label=TONES)
    def status(self, row: Any) -> str:
        return str(row.state)

    @display(description="People")
    def people(self, row: Any) -> str:
        return f"{row.created:,} new, {row.changed:,} changed" if row.started_at else "-"

    @display(description="Refused rows")
    def refused_rows(self, row: Any) -> str:
        return f"{row.refused:,} of {row.rows:,}" if row.checked_at else "-"

    @display(description="Uploaded")
    def made_at(self, row: Any) -> str:
        return moment(row.created_at)

    @method_decorator(csrf_exempt)
    def upload_view(self, request: HttpRequest) -> HttpResponseBase:
        """The file is read while it arrives, and so before the form's token: whose it will be says the address. Without a good token
        what was read is thrown away."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        allowed = _tenants_of(request)
        chosen = allowed.get(request.GET.get("tenant", "")) or (
            next(iter(allowed.values())) if len(allowed) == 1 else None
        )
        if request.method != "POST" or chosen is None:
            return self._upload_page(request, allowed, chosen)
        handler = IntakeHandler(chosen.id)
        handler.serve(request)
        response: HttpResponseBase = self._take(request, allowed, chosen, handler)
        if response.status_code != 302 and handler.intake is not None:
            handler.intake.discard()
        return response

    @method_decorator(csrf_protect)
    def _take(
        self, request: HttpRequest, allowed: Mapping[str, Tenant], chosen: Tenant, handler: IntakeHandler
    ) -> HttpResponseBase:
        try:
            intake, name = handler.read(request)
        except Problem as problem:
            return self._upload_page(request, allowed, chosen, problem)
        import_id = services.create_import(tenant=chosen, intake=intake, file_name=name, by=operator(request))
        self.log_addition(request, self.get_queryset(request).get(id=import_id), "")
        return HttpResponseRedirect(reverse("admin:audience_import_change", args=[import_id]))

    def _upload_page(
        self, request: HttpRequest, allowed: Mapping[str, Tenant], chosen: Tenant | None, problem: Problem | None = None
    ) -> HttpResponse:
        context = {
            "title": "Import people",
            "steps": steps(1),
            "allowed": allowed,
            "chosen": chosen,
            "problem": problem,
        }
        return self._render(request, "admin/imports/upload.html", context, status=422 if problem else 200)

    def page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row(request, object_id)
        if row.state == "uploaded":
            return HttpResponseRedirect(reverse("admin:audience_import_map", args=[row.id]))
        return self._render(request, "admin/imports/page.html", self._context(request, row))

    def progress(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The part of the page that keeps itself fresh; when the step is over, the whole page is loaded anew."""
        row = self._row(request, object_id)
        response = self._render(request, "admin/imports/progress.html", self._context(request, row))
        if row.state != request.GET.get("state"):
            response["HX-Refresh"] = "true"
        return response

    def map_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row(request, object_id, change=True)
        if row.state not in ("uploaded", "checked"):
            return HttpResponseRedirect(reverse("admin:audience_import_change", args=[row.id]))
        mapping, faults, key = row.mapping, [], request.POST.get("list", "").strip()
        if request.method == "POST":
            mapping = typed_mapping(row.columns, request.POST)
            try:
                plan_of(row.columns, mapping)
                tenant = _tenant(row)
                list_id = list_named(tenant, key, row.file_name) if key else None
                services.map_columns(tenant=tenant, import_id=row.id, mapping=mapping, list_id=list_id)
                return HttpResponseRedirect(reverse("admin:audience_import_change", args=[row.id]))
            except Problem as problem:
                faults = [problem]
        rows = rows_of(row.columns, mapping, samples(row.tenant_id, row.id))
        lists = models.Segment.objects.of(row.tenant_id).filter(kind="list", archived_at=None).order_by("key")
        context = {
            "title": "Import people",
            "row": row,
            "rows": rows,
            "faults": told(rows, faults[0]) if faults else [],
            "labels": LABELS,
            "kinds": KINDS,
            "list": key or (row.list_segment.key if row.list_segment else ""),
            "lists": list(lists.values_list("key", flat=True)[:100]),
            "steps": steps(step_of("uploaded")),
        }
        return self._render(request, "admin/imports/map.html", context, status=422 if faults else 200)

    def move(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        row = self._row(request, object_id, change=True)
        if request.method == "POST":
            move, said = _MOVES[name]
            try:
                move(tenant=_tenant(row), import_id=row.id)
            except Problem as problem:
                messages.warning(request, problem.detail)
            else:
                messages.success(request, said)
        return HttpResponseRedirect(reverse("admin:audience_import_change", args=[row.id]))

    def errors(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        row = self._row(request, object_id)
        if not request.user.has_perm("tenants.export_rows"):
            raise PermissionDenied
        known = answer(row.tenant_id, row.id)
        assert known is not None
        return errors_response(_tenant(row), row.id, known, staff(request.user))

    def _row(self, request: HttpRequest, object_id: str, *, change: bool = False) -> Any:
        """Raises Http404, PermissionDenied."""
        id_ = ids.find(object_id)
        row = (
            self.get_queryset(request).select_related("tenant", "list_segment").filter(id=id_).first() if id_ else None
        )
        if row is None:
            raise Http404
        if not (_may_change(request) if change else self.has_view_permission(request, row)):
            raise PermissionDenied
        return row

    def _context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        may = {"may_change": _may_change(request), "may_export": request.user.has_perm("tenants.export_rows")}
        return {"title": row.file_name, "row": row, **may, **shown(row.tenant_id, row.id)}

    def _render(
        self, request: HttpRequest, template: str, context: Mapping[str, Any], status: int = 200
    ) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, whole, status=status)


def _may_change(request: HttpRequest) -> bool:
    return request.user.has_perm("audience.change_import")


def _tenants_of(request: HttpRequest) -> dict[str, Tenant]:
    """Where the person may import, by id, in order of their names."""
    view = view_of(request.user, "audience.add_import")
    found = [tenant for id_, tenant in tenants().items() if view is None or view.covers(id_)]
    return {str(tenant.id): tenant for tenant in sorted(found, key=lambda tenant: tenant.name)}


def _tenant(row: Any) -> Tenant:
    found = tenant_by_id(row.tenant_id)
    assert found is not None
    return found
