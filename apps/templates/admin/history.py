"""The versions of a template: what was sent when, how two of them differ, and going back to one."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import operator
from apps.core.problems import Problem
from apps.templates import models, selectors
from apps.templates.admin.doors import tenant_of
from apps.templates.differing import FieldDiff, compare, lines
from apps.templates.selectors import VersionRow
from apps.templates.services import rollback

PAGE = 50
STEPS_SHOWN = 100


class HistoryPages:
    """Mixed into the page of templates."""

    model: Any
    opts: Any
    admin_site: Any
    has_change_permission: Any
    seen: Any
    log_change: Any

    def versions_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Newest first, the draft among them, each to be compared with any other."""
        template = self.seen(request, object_id)
        rows = models.TemplateVersion.objects.of(template.tenant_id).filter(template=template)
        page = Paginator(rows.select_related("layout").order_by("-number"), PAGE).get_page(request.GET.get("page"))
        steps = selectors.steps(tenant_of(template), template.id, STEPS_SHOWN)
        return self._page(
            request, template, "versions", f"{template.key}: versions", page=page, versions=list(page), steps=steps
        )

    def version_view(self, request: HttpRequest, object_id: UUID, number: int) -> HttpResponse:
        template = self.seen(request, object_id)
        versions = models.TemplateVersion.objects.of(template.tenant_id).select_related("layout")
        version = get_object_or_404(versions, template=template, number=number)
        variants = models.TemplateVariant.objects.of(template.tenant_id).filter(version=version).order_by("id")
        return self._page(
            request,
            template,
            "version",
            f"{template.key}, version {number}",
            version=version,
            variants=list(variants),
            is_current=version.id == template.current_id,
        )

    def compare_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """`from` and `to`: numbers of versions; without them, what is sent and the draft."""
        template = self.seen(request, object_id)
        tenant = tenant_of(template)
        numbers = list(
            models.TemplateVersion.objects.of(tenant)
            .filter(template=template)
            .order_by("-number")
            .values_list("number", flat=True)[:200]
        )
        current = template.current.number if template.current else None
        before = _version(tenant, template.id, request.GET.get("from", ""), current)
        after = _version(tenant, template.id, request.GET.get("to", ""), numbers[0] if numbers else None)
        found: dict[str, Any] = {"before": before, "after": after, "numbers": numbers}
        if before is not None and after is not None:
            variants = compare(selectors.variants(tenant, before.id), selectors.variants(tenant, after.id))
            settings = _settings(before, after)
            is_same = not settings and all(one.kind == "same" for one in variants)
            found |= {"variants": variants, "settings": settings, "is_same": is_same}
        return self._page(request, template, "compare", f"{template.key}: what changed", **found)

    def rollback_view(self, request: HttpRequest, object_id: UUID, number: int) -> HttpResponse:
        template = self.seen(request, object_id)
        if not self.has_change_permission(request, template):
            raise PermissionDenied
        back = reverse("admin:message_templates_template_change", args=[template.id])
        if request.method == "POST":
            try:
                rollback(tenant=tenant_of(template), key=template.key, to_number=number, by=operator(request))
            except Problem as problem:
                messages.error(request, " ".join(error.detail for error in problem.errors) or problem.detail)
            else:
                self.log_change(request, template, f"Rolled back to version {number}.")
                messages.success(request, f"Version {number} is current again.")
            return HttpResponseRedirect(back)
        question = Question(
            title=f"Make version {number} of {template.key} current",
            sentence="From now on this version is sent. The draft stays as it is, and every version is kept.",
            submit=f"Make version {number} current",
            back=back,
        )
        return ask(request, question, model=self.model)

    def _page(
        self, request: HttpRequest, template: models.Template, name: str, title: str, **more: Any
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "template": template,
            "original": template,
            "may_change": self.has_change_permission(request, template),
            **more,
        }
        return TemplateResponse(request, f"admin/templates/{name}.html", context)


def _version(tenant: Any, template_id: UUID, asked: str, otherwise: int | None) -> VersionRow | None:
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else otherwise
    return selectors.version_by_number(tenant, template_id, number) if number is not None else None


def _settings(before: VersionRow, after: VersionRow) -> list[FieldDiff]:
    """What all variants share."""
    pairs = [("layout", before.layout, after.layout), ("sample data", _json(before), _json(after))]
    return [FieldDiff(name, lines(old, new)) for name, old, new in pairs if old != new]


def _json(row: VersionRow) -> str:
    return json.dumps(row.sample, indent=2, ensure_ascii=False, sort_keys=True) if row.sample else ""
