"""The list of templates, the editor of a draft, previews, and going back to an earlier version."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import ModelAdmin, display, moment, operator
from apps.core.admin_filters import states
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import models
from apps.templates.admin.editor import Editor
from apps.templates.admin.showing import shown
from apps.templates.forms import NewTemplateForm
from apps.templates.services import rollback, save_draft
from apps.tenants.selectors import tenant_by_id
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_KINDS = {"template": ("templates", Q(is_layout=False)), "layout": ("layouts", Q(is_layout=True))}


@admin.register(models.Template)
class TemplateAdmin(TenantColumn, ModelAdmin):
    """Templates are kept: what was sent with them is explained by their versions."""

    form = NewTemplateForm
    list_display = ("key", "name", "kind", "version", "draft", "tenant", "changed")
    list_filter = (states("kind", _KINDS), TenantFilter)
    list_filter_submit = True
    list_select_related = ("tenant", "current")
    search_fields = ("key", "name")
    ordering = ("key",)
    empty_sentence = "A template holds what is said on each channel in each language. Requests name it by its key."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        drafts = models.TemplateVersion.objects.all_tenants().filter(template=OuterRef("pk"), published_at=None)
        found: QuerySet[Any] = models.Template.objects.all_tenants().annotate(has_draft=Exists(drafts))
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Kind")
    def kind(self, row: Any) -> str:
        return "layout" if row.is_layout else "template"

    @display(description="Published")
    def version(self, row: Any) -> str:
        return f"version {row.current.number}" if row.current_id else "never"

    @display(description="Draft", label={"draft": "warning"})
    def draft(self, row: Any) -> str:
        return "draft" if row.has_draft else ""

    @display(description="Changed")
    def changed(self, row: Any) -> str:
        return moment(row.updated_at)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_draft(tenant=_tenant(obj.tenant_id), key=obj.key, name=obj.name, variants=[], is_layout=obj.is_layout)
        obj.id = models.Template.objects.of(obj.tenant_id).get(key=obj.key).id

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(_page_of(obj.id))

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "message_templates_template"
        return [
            path("<uuid:object_id>/preview/", wrap(self.preview_view), name=f"{name}_preview"),
            path("<uuid:object_id>/versions/<int:number>/", wrap(self.version_view), name=f"{name}_version"),
            path(
                "<uuid:object_id>/versions/<int:number>/roll-back/", wrap(self.rollback_view), name=f"{name}_rollback"
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        template = self._seen(request, object_id)
        may_change = self.has_change_permission(request, template)
        editor = Editor(_tenant(template.tenant_id), template)
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            said = editor.take(request.POST, by=operator(request))
            if said:
                self.log_change(request, template, said)
                messages.success(request, said)
            if editor.is_done:
                return HttpResponseRedirect(_page_of(template.id))
        context = {
            **self.admin_site.each_context(request),
            **editor.context(),
            "title": template.key,
            "opts": self.opts,
            "template": template,
            "original": template,
            "may_change": may_change,
        }
        return TemplateResponse(request, "admin/templates/editor.html", context)

    def preview_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """A channel and locale as a reader would get it: of the draft, or of `version`."""
        template = self._seen(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            **shown(_tenant(template.tenant_id), template, request.GET),
            "title": f"{template.key}: preview",
            "opts": self.opts,
            "template": template,
            "original": template,
        }
        return TemplateResponse(request, "admin/templates/preview.html", context)

    def version_view(self, request: HttpRequest, object_id: UUID, number: int) -> HttpResponse:
        template = self._seen(request, object_id)
        versions = models.TemplateVersion.objects.of(template.tenant_id).select_related("layout")
        version = get_object_or_404(versions, template=template, number=number)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{template.key}, version {number}",
            "opts": self.opts,
            "template": template,
            "original": template,
            "version": version,
            "variants": list(
                models.TemplateVariant.objects.of(template.tenant_id).filter(version=version).order_by("id")
            ),
            "is_current": version.id == template.current_id,
            "may_change": self.has_change_permission(request, template),
        }
        return TemplateResponse(request, "admin/templates/version.html", context)

    def rollback_view(self, request: HttpRequest, object_id: UUID, number: int) -> HttpResponse:
        template = self._seen(request, object_id)
        if not self.has_change_permission(request, template):
            raise PermissionDenied
        if request.method == "POST":
            try:
                rollback(tenant=_tenant(template.tenant_id), key=template.key, to_number=number, by=operator(request))
            except Problem as problem:
                messages.error(request, " ".join(error.detail for error in problem.errors) or problem.detail)
            else:
                self.log_change(request, template, f"Rolled back to version {number}.")
                messages.success(request, f"Version {number} is current again.")
            return HttpResponseRedirect(_page_of(template.id))
        question = Question(
            title=f"Make version {number} of {template.key} current",
            sentence="From now on this version is sent. The draft stays as it is, and every version is kept.",
            submit=f"Make version {number} current",
            back=_page_of(template.id),
        )
        return ask(request, question, model=self.model)

    def _seen(self, request: HttpRequest, object_id: Any) -> Any:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            id_ = UUID(str(object_id))
        except ValueError:
            id_ = UUID(int=0)
        return get_object_or_404(models.Template.objects.all_tenants().select_related("tenant", "current"), id=id_)


def _tenant(tenant_id: Any) -> Tenant:
    found = tenant_by_id(tenant_id)
    assert found is not None
    return found


def _page_of(template_id: Any) -> str:
    return reverse("admin:message_templates_template_change", args=[template_id])
