"""Approvals: what somebody asks others to agree to, and what was decided. A page says what changed, whom it is for, what it costs, and how
it reads in every language."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.audience.segments import stored
from apps.campaigns import approving, money, texts
from apps.campaigns.audience_words import named_in
from apps.campaigns.changes import changes_between
from apps.campaigns.models import Approval, Variant
from apps.campaigns.models.agreements import Decision
from apps.core import clock
from apps.core.admin_bases import ModelAdmin, ReadOnly, display, door, moment, operator
from apps.core.admin_filters import one_of
from apps.core.admin_mail import framed
from apps.core.enums import Category, Channel
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import sms
from apps.tenants.selectors import tenant_by_id
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

VIEW, APPROVE = "campaigns.view_campaign", "campaigns.approve_campaign"
NAME = "campaigns_approval"
MOST_PREVIEWS = 24
TONES = {"asked": "warning", "approved": "success", "returned": "info", "void": "danger", "broken": "danger"}


@admin.register(Approval)
class ApprovalAdmin(TenantColumn, ReadOnly, ModelAdmin):
    seen_by = (VIEW,)
    list_display = ("called", "tenant", "state", "people_meant", "cost", "asked_by", "asked_at", "decided")
    list_filter = (one_of("decision", Decision), TenantFilter)
    list_filter_submit = True
    list_select_related = ("campaign", "tenant")
    search_fields = ("campaign__name", "asked_by")
    list_per_page = 50
    list_display_links = None
    sortable_by = ()
    empty_sentence = "Whoever wants to launch a large campaign asks here for somebody else's approval."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """What waits comes first."""
        waits = Case(When(decision=Decision.ASKED, then=Value(0)), default=Value(1), output_field=IntegerField())
        found: QuerySet[Any] = Approval.objects.all_tenants().order_by(waits, "-id")
        return found

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(VIEW)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.decide_view)
        return [path("<uuid:object_id>/decide/", view, name=f"{NAME}_decide"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.page(request, self._seen_row(request, object_id))

    def page(self, request: HttpRequest, approval: Any, comment: str = "") -> HttpResponse:
        row, me = approval.campaign, operator(request)
        tenant = _tenant(approval)
        last = approving.last_approved(approval.tenant_id, row.id, before=approval.id)
        names = {
            name: one.name
            for name, one in stored.by_names(tenant.id, named_in(approval.snapshot.get("audience") or {})).items()
        }
        context = {
            **self.admin_site.each_context(request),
            "title": f"Approval of {row.name}",
            "opts": self.opts,
            "approval": approval,
            "campaign": row,
            "campaign_page": reverse("admin:campaigns_campaign_change", args=[row.id]),
            "decision": Decision(approval.decision),
            "tone": TONES[approval.decision],
            "cost": money.span(approval.cost_low, approval.cost_high, approval.currency),
            "last": last,
            "changes": changes_between(
                last.snapshot if last else {}, approval.snapshot, names=names, currency=approval.currency
            ),
            "before": _before(last),
            "previews": _previews(tenant, approval),
            "comment": comment,
            "is_mine": me in approving.authors_of(row, approval),
            "may_approve": request.user.has_perm(APPROVE),
        }
        return TemplateResponse(request, "admin/campaigns/approvals.html", context)

    def decide_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        approval = self._seen_row(request, object_id)
        if not request.user.has_perm(APPROVE):
            raise PermissionDenied
        approves, comment = request.POST.get("what") == "approve", request.POST.get("comment", "").replace("\x00", "")
        try:
            decided = approving.decide(
                tenant=_tenant(approval),
                approval_id=approval.id,
                by=operator(request),
                approves=approves,
                comment=comment,
                now=clock.now(),
            )
        except Problem as problem:
            messages.error(request, problem.detail)
            approval.refresh_from_db()
            return self.page(request, approval, comment)
        said = f"{'Approved' if approves else 'Asked for changes'}{f': {comment}' if comment else ''}."
        self.log_change(request, approval.campaign, said)
        messages.success(request, decided.sentence)
        return HttpResponseRedirect(reverse(f"admin:{NAME}_changelist"))

    def _seen_row(self, request: HttpRequest, object_id: Any) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            id_ = UUID(str(object_id))
        except ValueError:
            id_ = UUID(int=0)
        return get_object_or_404(self.get_queryset(request).select_related("campaign", "tenant"), id=id_)

    @display(description="Campaign")
    def called(self, row: Any) -> str:
        return door(f"{NAME}_change", row.id, text=row.campaign.name)

    @display(description="Decision", label=TONES)
    def state(self, row: Any) -> str:
        return str(row.decision)

    @display(description="People")
    def people_meant(self, row: Any) -> str:
        return f"{row.people:,}"

    @display(description="Cost")
    def cost(self, row: Any) -> str:
        return money.span(row.cost_low, row.cost_high, row.currency)

    @display(description="Asked")
    def asked_at(self, row: Any) -> Any:
        return moment(row.created_at)

    @display(description="Decided")
    def decided(self, row: Any) -> str:
        return row.decided_by or "-"


def _before(last: Approval | None) -> dict[str, Any] | None:
    if last is None:
        return None
    return {"people": last.people, "cost": money.span(last.cost_low, last.cost_high, last.currency)}


def _previews(tenant: Tenant, approval: Any) -> list[dict[str, Any]]:
    """Of every variant, channel and language, with the sample and the campaign's own values."""
    variants = Variant.objects.of(tenant).filter(campaign_id=approval.campaign_id).order_by("position")
    found: list[dict[str, Any]] = []
    said = approval.snapshot.get("variants") or ()
    pinned = {(one["position"], one["template_key"]): one["version"] for one in said if one.get("version")}
    for one in texts.texts_of(tenant, variants, pinned).values():
        for channel in approval.snapshot.get("channels") or ():
            found += [_preview(tenant, approval, one, channel, locale) for locale in one.locales(channel)]
    return found[:MOST_PREVIEWS]


def _preview(tenant: Tenant, approval: Any, one: texts.Texts, channel: str, locale: str) -> dict[str, Any]:
    source, snapshot = one.source(channel, locale), approval.snapshot
    assert source is not None
    category, data = Category(snapshot["category"]), snapshot.get("data") or {}
    trial = texts.try_text(tenant, one, source, category=category, data=data)
    content = trial.rendered.content if trial.rendered else {}
    is_text = channel == Channel.SMS and content.get("body")
    return {
        "variant": one.name,
        "channel": channel,
        "locale": locale or "default",
        "is_rendered": trial.rendered is not None,
        "subject": content.get("subject") or content.get("title", ""),
        "html": framed(content.get("html", "")),
        "body": content.get("body") or content.get("text", ""),
        "parts": sms.count(content["body"]).segments if is_text else None,
        "findings": _serious(trial.findings),
    }


def _serious(findings: Sequence[Any]) -> list[Any]:
    return [one for one in findings if one.severity != "info"][:3]


def _tenant(row: Any) -> Tenant:
    found = tenant_by_id(row.tenant_id)
    assert found is not None
    return found
