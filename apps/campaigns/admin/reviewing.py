"""The last steps of a draft: what it costs and how long it takes, asking for an approval, launching; and tests to a few people."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse

from apps.audience.segments import stored
from apps.audience.segments.counting import count
from apps.campaigns import approving, checking, covering, forecasting, people, texts
from apps.campaigns.agreeing import launch_by_person
from apps.campaigns.audience_words import named_in
from apps.campaigns.budgeting import policy_of
from apps.campaigns.changes import changes_between
from apps.campaigns.choosing_winner import enough_for
from apps.campaigns.lifecycle import CampaignStatus
from apps.campaigns.models import Variant
from apps.campaigns.models.agreements import Decision
from apps.core import clock
from apps.core.admin_bases import operator
from apps.core.admin_trail import DONE
from apps.core.enums import Channel, KeyMode, Scope
from apps.core.problems import Problem
from apps.core.types import Caller, Tenant
from apps.ingest.test_sends import send_test
from apps.templates.seeds import seed_lists
from apps.tenants import auditing
from apps.tenants.selectors import tenant_by_id

LAUNCH, GLASS = "campaigns.launch_campaign", "campaigns.break_glass"
USUAL_RATES = {"clicked": 0.03, "opened": 0.2, "delivered": 0.9}
MOST_TESTS = 20


class Reviewing:
    """For the ModelAdmin of campaigns."""

    def review_urls(self) -> list[URLPattern]:
        return self.urls_of(  # type: ignore[attr-defined, no-any-return]
            ("verdict", self.verdict_view),
            ("sample-size", self.sample_size_view),
            ("ask", self.ask_view),
            ("launch", self.launch_view),
            ("test-send", self.test_send_view),
        )

    def verdict_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Cost, finish time, whether it may be launched, and by whom."""
        row = self.seen(request, object_id)  # type: ignore[attr-defined]
        tenant, now = _tenant(row), clock.now()
        context: dict[str, Any] = {"campaign": row, "wrong": ""}
        try:
            context |= _verdict(tenant, row.id, now)
        except Problem as problem:
            context["wrong"] = problem.detail
        status = CampaignStatus(row.status)
        context |= {
            "status": status,
            "may_change": self.has_change_permission(request, row),  # type: ignore[attr-defined]
            "may_launch": request.user.has_perm(LAUNCH),
            "may_break": request.user.has_perm(GLASS),
            "can_launch": status in (CampaignStatus.DRAFT, CampaignStatus.APPROVED),
        }
        return self._answer(request, "admin/campaigns/compose_verdict.html", context)  # type: ignore[attr-defined, no-any-return]

    def sample_size_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self.seen(request, object_id)  # type: ignore[attr-defined]
        metric = (row.test or {}).get("metric", "clicked")
        variants = max(2, Variant.objects.of(row.tenant_id).filter(campaign_id=row.id).count())
        found, wrong = _people(row)
        share = (row.test or {}).get("share", 100) / 100
        context = {
            "campaign": row,
            "wrong": wrong,
            "metric": metric,
            "rate": f"{100 * USUAL_RATES[metric]:g} %",
            "needed": enough_for(USUAL_RATES[metric]),
            "each": int(found * share / variants) if found is not None else None,
        }
        return self._answer(request, "admin/campaigns/compose_sample_size.html", context)  # type: ignore[attr-defined, no-any-return]

    def ask_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self._posted(request, object_id)
        if not self.has_change_permission(request, row):  # type: ignore[attr-defined]
            raise PermissionDenied

        def ask() -> None:
            note = request.POST.get("note", "").replace("\x00", "")
            approving.ask(tenant=_tenant(row), campaign_id=row.id, by=operator(request), note=note, now=clock.now())

        self._try(request, row, ask, "Asked for an approval: somebody who did not write it decides.")  # type: ignore[attr-defined]
        return HttpResponseRedirect(_page(row.id, "review"))

    def launch_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self._posted(request, object_id)
        breaks = "glass" in request.POST
        if not request.user.has_perm(GLASS if breaks else LAUNCH):
            raise PermissionDenied
        wrong = _typed_wrong(row, request.POST)
        if not wrong:
            try:
                launch_by_person(
                    tenant=_tenant(row),
                    campaign_id=row.id,
                    actor=auditing.staff(request.user),
                    now=clock.now(),
                    breaks_glass=breaks,
                    comment=request.POST.get("comment", "").replace("\x00", ""),
                )
            except Problem as problem:
                wrong = problem.detail
        request.META[DONE] = True
        if wrong:
            messages.error(request, f"It was not launched. {wrong}")
        else:
            messages.success(request, "It is launched.")
        return HttpResponseRedirect(_page(row.id, "review"))

    def test_send_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self._posted(request, object_id)
        if not self.has_change_permission(request, row):  # type: ignore[attr-defined]
            raise PermissionDenied
        tenant = _tenant(row)
        names = [line for text in request.POST.get("people", "").split("\n") if (line := text.strip())][:MOST_TESTS]
        found = texts.texts_of(tenant, Variant.objects.of(row.tenant_id).filter(campaign_id=row.id))
        sent, wrong = 0, "" if found else "Nothing is written yet."
        try:
            for one in found.values():
                channels = [Channel(name) for name in row.channels if one.locales(name)]
                sent += len(
                    send_test(
                        caller=_caller(tenant, row, operator(request)),
                        key=one.row.key,
                        user_ids=[name for name in names if "@" not in name],
                        addresses=[name for name in names if "@" in name],
                        seed_list=request.POST.get("seed_list", ""),
                        channels=channels,
                        version=one.version.number,
                        data={**one.version.sample, **(row.data or {})},
                    )
                )
        except Problem as problem:
            wrong = problem.detail
        if wrong:
            messages.error(request, wrong)
        if sent:
            said = f"{sent} test message{'s are' if sent > 1 else ' is'} on the way, marked [TEST]; they count nowhere."
            messages.success(request, said)
            self.log_change(request, row, f"Sent {sent} test messages.")  # type: ignore[attr-defined]
        request.META[DONE] = True
        return HttpResponseRedirect(_page(row.id, "test"))

    def _posted(self, request: HttpRequest, object_id: UUID) -> Any:
        if request.method != "POST":
            raise PermissionDenied("This is done by a button.")
        return self.seen(request, object_id)  # type: ignore[attr-defined]


def _verdict(tenant: Tenant, campaign_id: UUID, now: Any) -> dict[str, Any]:
    """Raises Problem."""
    seen = approving.considered(tenant, campaign_id, now)
    finish = forecasting.finish(tenant, seen.row, seen.estimate, now)
    approval = approving.standing(tenant.id, campaign_id)
    needs = covering.needs(seen.policy, **seen.size)
    is_approved = approval is not None and approval.decision == Decision.APPROVED
    outgrown = approving.outgrown(approval, seen) if approval is not None and is_approved else ""
    last = approving.last_approved(tenant.id, campaign_id)
    variants = Variant.objects.of(tenant).filter(campaign_id=campaign_id).order_by("position")
    names = {name: one.name for name, one in stored.by_names(tenant.id, named_in(seen.row.audience or {})).items()}
    return {
        "estimate": seen.estimate,
        "costs": seen.estimate.text,
        "lines": seen.estimate.lines,
        "policy": seen.policy,
        "finish": finish,
        "errors": checking.errors_of(checking.findings(tenant, seen.row, variants, now)),
        "counted": checking.counted_findings(seen.row, seen.estimate, seen.policy, now, finish),
        "needs": needs,
        "approval": approval,
        "is_approved": is_approved and not outgrown,
        "outgrown": outgrown,
        "last": last,
        "changes": changes_between(last.snapshot, seen.definition, names=names, currency=seen.policy.currency)
        if last
        else (),
        "type_number": seen.estimate.people > seen.policy.type_number_above,
    }


def _typed_wrong(row: Any, said: Mapping[str, Any]) -> str:
    """Above the policy's number it has to be typed how many people it is for; what is typed may be one in a hundred off, for people come
    and go meanwhile."""
    policy = policy_of(row.tenant_id)
    found, wrong = _people(row)
    if found is None or found <= policy.type_number_above:
        return wrong
    text = "".join(char for char in said.get("people", "") if char.isascii() and char.isdigit())[:12]
    if not text or abs(int(text) - found) * 100 > found:
        return f"It is for {found:,} people now: type that number."
    return ""


def _people(row: Any) -> tuple[int | None, str]:
    try:
        condition = people.condition_of_audience(row.tenant_id, row.audience or {}, clock.now())
    except Problem as problem:
        return None, problem.detail
    return (count(row.tenant_id, condition).number, "") if condition is not None else (None, "")


def offered_tests(tenant: Tenant) -> dict[str, Any]:
    """What the form for tests offers."""
    return {"seed_lists": seed_lists(tenant), "most_tests": MOST_TESTS}


def _caller(tenant: Tenant, row: Any, name: str) -> Caller:
    return Caller(
        tenant=tenant,
        key_id=None,
        key_name=name,
        mode=KeyMode(row.mode),
        scopes=frozenset({Scope.NOTIFICATIONS_WRITE}),
        requires_idempotency_key=False,
        rate_per_second=tenant.rate_per_second,
        rate_burst=tenant.rate_burst,
    )


def _tenant(row: Any) -> Tenant:
    found = tenant_by_id(row.tenant_id)
    assert found is not None
    return found


def _page(campaign_id: Any, tab: str) -> str:
    return f"{reverse('admin:campaigns_campaign_change', args=[campaign_id])}?tab={tab}"
