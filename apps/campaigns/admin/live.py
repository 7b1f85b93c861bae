"""A run while it goes: how far it is, and the buttons that stop it, let it go on and slow it down."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from apps.campaigns import pacing, progress
from apps.campaigns.admin.choosing import Choosing
from apps.campaigns.admin.results import PEOPLE, Results
from apps.campaigns.admin.run_deeds import DEEDS, NAME, QUESTIONS, held_of, page_of
from apps.campaigns.braking import BY
from apps.campaigns.lifecycle import OPEN_RUNS, RunStatus
from apps.campaigns.models import Run
from apps.core import clock
from apps.core.admin_asking import ask
from apps.core.admin_bases import ModelAdmin, ReadOnly, display, door, moment
from apps.core.admin_filters import one_of
from apps.core.admin_trail import DONE
from apps.core.problems import Problem
from apps.tenants import auditing
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

VIEW, OPERATE, GLASS = "campaigns.view_campaign", "campaigns.operate_campaign", "campaigns.break_glass"
MOST_WAVES = 60
TONES = {
    **dict.fromkeys(("running", "sending", "preparing", "testing"), "info"),
    "finished": "success",
    "paused": "warning",
    "cancelled": "danger",
}


@admin.register(Run)
class RunAdmin(TenantColumn, Results, Choosing, ReadOnly, ModelAdmin):
    """A run's own page shows how it goes, and once it is over, what came of it."""

    seen_by = (VIEW,)
    list_display = ("called", "tenant", "state", "began", "ended", "people", "done", "opt_outs")
    list_filter = (one_of("status", RunStatus), TenantFilter)
    list_filter_submit = True
    list_select_related = ("campaign",)
    list_per_page = 50
    search_fields = ("campaign__name",)
    ordering = ("-id",)
    sortable_by = ()
    list_display_links = None
    empty_sentence = "A run begins when the time of a campaign comes: it is one sending to all its people."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = Run.objects.all_tenants()
        return found

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(VIEW)

    def get_urls(self) -> list[URLPattern]:
        pages = (
            ("progress", self.progress_view),
            ("live", self.live_view),
            ("operate/<slug:what>", self.operate_view),
            *self.result_pages(),
            *self.choosing_pages(),
        )
        own = [
            path(
                f"<uuid:object_id>/{place}/",
                self.admin_site.admin_view(view),
                name=f"{NAME}_{place.partition('/')[0]}",
            )
            for place, view in pages
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.seen(request, object_id)
        return self.progress_view(request, run.id) if run.status in OPEN_RUNS else self.results_view(request, run.id)

    def progress_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        run = self.seen(request, object_id)
        context = {**self.frame(request, run, "progress"), **self._shown(run)}
        return TemplateResponse(request, "admin/campaigns/live.html", context)

    def live_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """The part that changes. Where the status is another than the page says, the whole page is made anew."""
        run = self.seen(request, object_id)
        if run.status != request.GET.get("status", run.status):
            return HttpResponse(headers={"HX-Refresh": "true"})
        may = {"may_see_people": request.user.has_perm(PEOPLE)}
        context = {"run": run, "is_open": run.status in OPEN_RUNS, **may, **self._shown(run)}
        return TemplateResponse(request, "admin/campaigns/live_part.html", context)

    def _shown(self, run: Any) -> dict[str, Any]:
        now = clock.now()
        found = progress.progress_of(run, now)
        return {
            "progress": found,
            "waves": found.waves[:MOST_WAVES],
            "more_waves": len(found.waves) - MOST_WAVES,
            "left": pacing.duration(found.ends_at - now) if found.ends_at else "",
            "sentence": sentence(run, found),
        }

    def operate_view(self, request: HttpRequest, object_id: UUID, what: str) -> HttpResponse:
        run = self.seen(request, object_id)
        if not request.user.has_perm(GLASS if what == "break" else OPERATE):
            raise PermissionDenied
        deed = DEEDS.get(what)
        if deed is None or run.status not in OPEN_RUNS:
            messages.warning(
                request, "There is nothing left to do: it is over." if deed else "There is no such button."
            )
            return HttpResponseRedirect(page_of(run.id))
        if request.method != "POST":
            question = QUESTIONS.get(what)
            return ask(request, question(run), model=Run) if question else HttpResponseRedirect(page_of(run.id))
        try:
            done = deed(run, auditing.staff(request.user), request.POST)
        except Problem as problem:
            messages.warning(request, problem.detail)
            return HttpResponseRedirect(page_of(run.id))
        if what == "break":
            # it stands in the log as what it is
            request.META[DONE] = True
        else:
            self.log_change(request, run, done)
        messages.success(request, done)
        return HttpResponseRedirect(page_of(run.id))

    def seen(self, request: HttpRequest, object_id: Any) -> Any:
        """The run with its campaign, if it is one that the person may look at."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            id_ = UUID(str(object_id))
        except ValueError:
            id_ = UUID(int=0)
        return get_object_or_404(self.get_queryset(request).select_related("campaign"), id=id_)

    def frame(self, request: HttpRequest, run: Any, tab: str) -> dict[str, Any]:
        """What all pages of a run have."""
        return {
            **self.admin_site.each_context(request),
            "title": f"{run.campaign.name}, run {run.number}" if run.number > 1 else run.campaign.name,
            "opts": self.opts,
            "original": run.campaign.name,
            "run": run,
            "status": RunStatus(run.status),
            "tone": TONES.get(run.status, ""),
            "tab": tab,
            "is_open": run.status in OPEN_RUNS,
            "is_braked": run.status == RunStatus.PAUSED and run.paused_by == BY,
            "held": held_of(run),
            "may_operate": request.user.has_perm(OPERATE),
            "may_break": request.user.has_perm(GLASS),
            "may_see_people": request.user.has_perm(PEOPLE),
            "may_see_stories": request.user.has_perm("ledger.view_notification"),
        }

    @display(description="Campaign")
    def called(self, run: Any) -> str:
        more = f", run {run.number}" if run.number > 1 else ""
        return door(f"{NAME}_change", run.id, text=f"{run.campaign.name}{more}")

    @display(description="Status", label=TONES)
    def state(self, run: Any) -> str:
        return str(run.status)

    @display(description="Began")
    def began(self, run: Any) -> str:
        return moment(run.started_at)

    @display(description="Ended")
    def ended(self, run: Any) -> str:
        return moment(run.finished_at)

    @display(description="People")
    def people(self, run: Any) -> str:
        return f"{run.audience_size:,}" if run.audience_size is not None else "counting"


def sentence(run: Any, found: progress.Progress) -> str:
    """Where it stands, in words."""
    done = f"{found.done:,} of {found.audience:,} people done"
    if run.status == RunStatus.PREPARING:
        return "Its audience is being counted."
    if run.status == RunStatus.PAUSED:
        afoot = found.afoot
        flying = afoot.calling + afoot.claimed if afoot else 0
        waiting = afoot.waiting if afoot else 0
        return f"Paused: {flying:,} in flight, {waiting:,} waiting. {done}."
    if found.is_over:
        return f"{RunStatus(run.status).sentence} {done}."
    speed = f", {found.rate * 60:,.0f} a minute" if found.rate else ""
    return f"{done}{speed}."
