"""Publishing from the admin: what the gate found, shown; a tick that it was seen; to everybody, or to a share of the people first."""

from typing import Any
from uuid import UUID

from django import forms as fields
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from apps.core.admin_bases import operator
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import models, rollout, selectors
from apps.templates.admin.doors import tenant_of
from apps.templates.admin.mistakes import Mistake, mistakes
from apps.templates.admin.saying import published
from apps.templates.checking import Check
from apps.templates.forms import stored_variants
from apps.templates.gate import check, publish_checked
from apps.templates.usage import usage_of

PUBLISHES = "message_templates.publish_template"


class ShareForm(fields.Form):
    share = fields.FloatField(
        label="Percent of the people who get it",
        min_value=0.01,
        max_value=100,
        initial=100,
        widget=UnfoldAdminDecimalFieldWidget({"step": "any", "inputmode": "decimal"}),
        help_text="Less than 100: the same people each time, raised or taken back on the template's page; taken back by itself "
        "when it fails more often than the version before.",
    )


class GoingOutPages:
    """Mixed into the page of templates."""

    opts: Any
    admin_site: Any
    seen: Any
    log_change: Any

    def publish_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Of the draft as it is saved."""
        template = self._publishable(request, object_id)
        tenant, back = tenant_of(template), _page_of(template)
        form = ShareForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            seen = request.POST.get("seen", "") if request.POST.get("is_seen") else ""
            try:
                share = form.cleaned_data["share"]
                number = publish_checked(tenant=tenant, key=template.key, by=operator(request), share=share, seen=seen)
            except Problem as problem:
                messages.error(request, problem.detail)
            else:
                said = published(number, share)
                self.log_change(request, template, said)
                messages.success(request, said)
                return HttpResponseRedirect(back)
        try:
            found = check(tenant=tenant, key=template.key)
        except Problem as problem:
            messages.error(request, problem.detail)
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{template.key}: publish version {found.number}",
            "opts": self.opts,
            "template": template,
            "original": template,
            "found": found,
            "mistakes": _wrong(template, found),
            "form": form,
            "uses": usage_of(tenant=tenant, key=template.key),
        }
        return TemplateResponse(request, "admin/templates/publish.html", context)

    def rollout_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """`do`: raise (to `share` percent), finish or revert."""
        template = self._publishable(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            said = self._turned(tenant_of(template), template.key, request)
        except Problem as problem:
            messages.error(request, problem.detail)
        else:
            self.log_change(request, template, said)
            messages.success(request, said)
        return HttpResponseRedirect(_page_of(template))

    def _turned(self, tenant: Tenant, key: str, request: HttpRequest) -> str:
        by = operator(request)
        match request.POST.get("do"):
            case "finish":
                return f"Everybody gets version {rollout.finish(tenant=tenant, key=key, by=by)}."
            case "revert":
                return f"Everybody gets version {rollout.revert(tenant=tenant, key=key, by=by)} again."
            case _:
                form = ShareForm(request.POST)
                share = form.cleaned_data["share"] if form.is_valid() else 0.0
                rollout.raise_share(tenant=tenant, key=key, share=share, by=by)
                return f"{share:g} % of the people get it."

    def _publishable(self, request: HttpRequest, object_id: UUID) -> models.Template:
        template: models.Template = self.seen(request, object_id)
        if not request.user.has_perm(PUBLISHES):
            raise PermissionDenied
        return template


def _wrong(template: models.Template, found: Check) -> list[Mistake]:
    """With the draft itself, each at its place."""
    if not found.errors:
        return []
    rows = selectors.variants(tenant_of(template), found.candidate)
    forms = stored_variants(rows, is_layout=template.is_layout, is_partial=template.is_partial)
    return mistakes(Problem(Code.TEMPLATE_INVALID, found.text, errors=list(found.errors)), forms)


def _page_of(template: models.Template) -> str:
    return reverse("admin:message_templates_template_change", args=[template.id])
