"""The doors that the editor's page knocks at while somebody types: preview, autosave, people to look with; and leaving a draft."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.urls import reverse

from apps.audience.picking import people_like
from apps.core.admin_asking import Question, ask
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import models
from apps.templates.admin.editor import SAVED, Editor
from apps.templates.admin.live import live
from apps.templates.drafting import discard_over, shown_version
from apps.tenants import auditing
from apps.tenants.selectors import tenant_by_id

PEOPLE_SHOWN = 10
SEES_PEOPLE = "audience.view_recipient"


class TypingPages:
    """Mixed into the page of templates."""

    model: Any
    has_change_permission: Any
    seen: Any
    log_change: Any

    def live_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """A variant of what the page holds, rendered and linted. Nothing is stored."""
        template = self.seen(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        sees_people = request.user.has_perm(SEES_PEOPLE)
        return JsonResponse(live(tenant_of(template), template, request.POST, sees_people=sees_people))

    def autosave_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """200 with the draft to type over from now on; 409 when somebody else's is newer; 422 with what keeps it from being saved."""
        template = self.seen(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request, template):
            raise PermissionDenied
        try:
            draft = Editor(tenant_of(template), template).autosave(request.POST)
        except Problem as problem:
            said = " ".join(error.detail for error in problem.errors) or problem.detail
            return JsonResponse({"said": said}, status=409 if problem.code.status == 409 else 422)
        self._record_typing(request, template, draft.number)
        return JsonResponse({"base": str(draft.id), "number": draft.number, "at": draft.created_at.isoformat()})

    def _record_typing(self, request: HttpRequest, template: models.Template, number: int) -> None:
        """Once for who types, until something else is done to the template."""
        typing = f"Types at the draft, version {number}."
        kind, actor = template._meta.label_lower, auditing.staff(request.user)
        if not auditing.is_newest(actor=actor, kind=kind, object_id=template.id, said=(typing, SAVED)):
            self.log_change(request, template, typing)

    def people_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Whose user_id begins with `q`, or who have it as their address. Addresses are masked."""
        template = self.seen(request, object_id)
        if not request.user.has_perm(SEES_PEOPLE):
            raise PermissionDenied
        found = people_like(template.tenant_id, request.GET.get("q", "").strip()[:254], PEOPLE_SHOWN)
        return JsonResponse({"people": [{"user_id": one.user_id, "said": _said(one)} for one in found]})

    def discard_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        template = self.seen(request, object_id)
        if not self.has_change_permission(request, template):
            raise PermissionDenied
        tenant, back = tenant_of(template), reverse("admin:message_templates_template_change", args=[template.id])
        if request.method == "POST":
            try:
                shown = shown_version(tenant, template.id)
                if discard_over(tenant=tenant, key=template.key, base=shown.id if shown else None):
                    self.log_change(request, template, "Discarded the draft.")
                    messages.success(request, "The draft is gone. What is published stays as it is.")
            except Problem as problem:
                messages.error(request, problem.detail)
            return HttpResponseRedirect(back)
        question = Question(
            title=f"Discard the draft of {template.key}",
            sentence="What was typed since the last version was published is lost. What is sent stays as it is.",
            submit="Discard the draft",
            back=back,
            is_dangerous=True,
        )
        return ask(request, question, model=self.model)


def tenant_of(template: models.Template) -> Tenant:
    found = tenant_by_id(template.tenant_id)
    assert found is not None
    return found


def _said(one: Any) -> str:
    return ", ".join(part for part in (one.locale, *one.addresses) if part)
