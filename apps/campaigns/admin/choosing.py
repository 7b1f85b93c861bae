"""Where variants are being tried: who is ahead, and the choice by hand."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.campaigns import settling, winning
from apps.campaigns.lifecycle import RunStatus
from apps.campaigns.scheduling import plan_of
from apps.core import clock
from apps.core.admin_bases import operator
from apps.schedules.timing import wall_of

OPERATE = "campaigns.operate_campaign"


class Choosing:
    """For the ModelAdmin of runs."""

    def choosing_pages(self) -> tuple[tuple[str, Any], ...]:
        return (("winner", self.winner_view),)

    def winner_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        run = self.seen(request, object_id)  # type: ignore[attr-defined]
        names = {variant["position"]: variant["name"] for variant in run.definition["variants"]}
        if request.method == "POST":
            return self._choose(request, run, names)
        found, tested_at = winning.verdict_of(run), settling.tested_at(run)
        test = run.definition.get("test") or {}
        context = {
            **self.frame(request, run, "winner"),  # type: ignore[attr-defined]
            "verdict": found,
            "metric": winning.metric_of(run.definition),
            "rows": [(names[one.position], one, one.position == run.winner) for one in found.standings],
            "is_testing": run.status == RunStatus.TESTING and run.winner is None,
            "until": tested_at + settling.wait_of(run) if tested_at else None,
            "rest": _when(run),
            "undecided": test.get("undecided", "wait"),
            "is_automatic": test.get("rule") == "automatic",
            "is_tried": bool(test),
        }
        return TemplateResponse(request, "admin/campaigns/winner.html", context)

    def _choose(self, request: HttpRequest, run: Any, names: dict[int, str]) -> HttpResponse:
        if not request.user.has_perm(OPERATE):
            raise PermissionDenied
        text = request.POST.get("variant", "")
        position = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1
        if position not in names:
            messages.error(request, "Choose one of the variants.")
        elif winning.choose_by_hand(
            tenant_id=run.tenant_id, run_id=run.id, winner=position, by=operator(request), now=clock.now()
        ):
            said = f"{names[position]} was chosen: everybody else gets it{_when(run)}."
            self.log_change(request, run, said)  # type: ignore[attr-defined]
            messages.success(request, said)
        else:
            messages.warning(request, "There is nothing to choose any more.")
        return HttpResponseRedirect(reverse("admin:campaigns_run_winner", args=[run.id]))


def _when(run: Any) -> str:
    """How a sentence about the rest ends."""
    if not plan_of(run.definition["schedule"]).is_local:
        return ""
    return f" at {wall_of(run.occurrence):%H:%M} of their own day"
