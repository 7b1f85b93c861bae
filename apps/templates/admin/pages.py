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

from apps.core.admin_bases import ModelAdmin, display, moment, operator
from apps.core.admin_filters import states
from apps.templates import models
from apps.templates.admin.doors import SEES_PEOPLE, TypingPages, tenant_of
from apps.templates.admin.editor import Editor
from apps.templates.admin.going_out import PUBLISHES, GoingOutPages
from apps.templates.admin.history import HistoryPages
from apps.templates.admin.showing import shown
from apps.templates.admin.trying import TryingPages
from apps.templates.forms import NewTemplateForm
from apps.templates.services import save_draft
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_KINDS = {
    "template": ("templates", Q(is_layout=False, is_partial=False)),
    "layout": ("layouts", Q(is_layout=True)),
    "partial": ("partials", Q(is_partial=True)),
}


@admin.register(models.Template)
class TemplateAdmin(TypingPages, GoingOutPages, TryingPages, HistoryPages, TenantColumn, ModelAdmin):
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
        return "layout" if row.is_layout else "partial" if row.is_partial else "template"

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
        save_draft(
            tenant=tenant_of(obj),
            key=obj.key,
            name=obj.name,
            variants=[],
            is_layout=obj.is_layout,
            is_partial=obj.is_partial,
        )
        obj.id = models.Template.objects.of(obj.tenant_id).get(key=obj.key).id

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(_page_of(obj.id))

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "message_templates_template"
        row = {
            "preview": ("preview/", self.preview_view),
            "live": ("live/", self.live_view),
            "autosave": ("autosave/", self.autosave_view),
            "people": ("people/", self.people_view),
            "discard": ("discard/", self.discard_view),
            "publish": ("publish/", self.publish_view),
            "rollout": ("rollout/", self.rollout_view),
            "test": ("test/", self.test_view),
            "versions": ("versions/", self.versions_view),
            "compare": ("compare/", self.compare_view),
            "version": ("versions/<int:number>/", self.version_view),
            "rollback": ("versions/<int:number>/roll-back/", self.rollback_view),
        }
        own = [path(f"<uuid:object_id>/{at}", wrap(view), name=f"{name}_{door}") for door, (at, view) in row.items()]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        template = self.seen(request, object_id)
        may_change = self.has_change_permission(request, template)
        may_publish = may_change and request.user.has_perm(PUBLISHES)
        editor = Editor(tenant_of(template), template)
        if request.method == "POST":
            if not may_change or ("publish" in request.POST and not may_publish):
                raise PermissionDenied
            said = editor.take(request.POST, by=operator(request))
            if said:
                self.log_change(request, template, said)
                messages.success(request, said)
            if editor.is_to_be_seen:
                return HttpResponseRedirect(reverse("admin:message_templates_template_publish", args=[template.id]))
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
            "may_publish": may_publish,
            "sees_people": request.user.has_perm(SEES_PEOPLE),
        }
        return TemplateResponse(request, "admin/templates/editor.html", context)

    def preview_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """A channel and locale as a reader would get it: of the draft, or of `version`."""
        template = self.seen(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            **shown(tenant_of(template), template, request.GET),
            "title": f"{template.key}: preview",
            "opts": self.opts,
            "template": template,
            "original": template,
        }
        return TemplateResponse(request, "admin/templates/preview.html", context)

    def seen(self, request: HttpRequest, object_id: Any) -> Any:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            id_ = UUID(str(object_id))
        except ValueError:
            id_ = UUID(int=0)
        return get_object_or_404(models.Template.objects.all_tenants().select_related("tenant", "current"), id=id_)


def _page_of(template_id: Any) -> str:
    return reverse("admin:message_templates_template_change", args=[template_id])
