"""What came of a run: numbers, the people behind each, and all of it as a file."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from apps.campaigns import costing, exporting, meeting, money, progress, results
from apps.campaigns.admin.figures import figures, others, shown
from apps.campaigns.models import Policy
from apps.campaigns.progress import TROUBLE
from apps.core import clock
from apps.core.admin_bases import display
from apps.core.enums import KeyMode
from apps.ledger.run_results import LOOKED_AT, Wanted, how_many, who
from apps.tenants import auditing

UNMASKED = "tenants.see_unmasked"
EXPORT, PEOPLE = "tenants.export_rows", "audience.view_recipient"
PAGE = 50
LATEST = 5


class Results:
    """For the ModelAdmin of runs."""

    def result_pages(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("results", self.results_view),
            ("cost", self.cost_view),
            ("failures", self.failures_view),
            ("who", self.who_view),
            ("export", self.export_view),
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        answer = super().changelist_view(request, extra_context)  # type: ignore[misc]
        shown = getattr(answer, "context_data", None) and answer.context_data.get("cl")
        if shown is not None:
            rows = list(shown.result_list)
            found = results.summary_of([row.id for row in rows])
            for row in rows:
                row.came_to = found[row.id]
        return answer

    @display(description="Sent")
    def done(self, run: Any) -> str:
        return f"{run.came_to.totals.sent:,}"

    @display(description="Opt-outs per 1,000")
    def opt_outs(self, run: Any) -> str:
        rate = run.came_to.totals.opt_outs_per_thousand
        return "-" if rate is None else f"{rate:.1f}"

    def results_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        run = self._of(request, object_id)
        found = results.results_of(run, clock.now())
        context = {
            **self._framed(request, run),
            "results": found,
            "progress": found.progress,
            "figures": figures(found),
            "others": others(found),
            "variants": [shown(one) for one in found.variants],
        }
        return TemplateResponse(request, "admin/campaigns/results.html", context)

    def cost_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """What it cost, against what was expected: reads the run's attempts, so the page asks for it apart."""
        run = self._of(request, object_id)
        policy = Policy.objects.of(run.tenant_id).first() or Policy()
        cost = costing.actual(run, currency=policy.currency)
        expected = run.estimate or {}
        context = {
            **self._framed(request, run),
            "is_test": run.definition.get("mode") == KeyMode.TEST,
            "cost": cost,
            "lines": [(line, money.span(line.low, line.high, cost.currency)) for line in cost.lines[:20]],
            "expected": money.span(expected["low"], expected["high"], expected.get("currency", cost.currency))
            if "high" in expected
            else "",
            "each": money.words(cost.high // units, cost.currency)
            if (units := sum(line.messages for line in cost.lines))
            else "",
        }
        is_part = request.headers.get("HX-Request") == "true"
        name = "results_cost_part" if is_part else "results_cost"
        return TemplateResponse(request, f"admin/campaigns/{name}.html", context)

    def failures_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """A few of those that failed, with the way to their stories. Looks at a bounded number of rows."""
        run = self._of(request, object_id, PEOPLE)
        page = who(
            tenant_id=run.tenant_id,
            stamp=run.stamp,
            wanted=Wanted(statuses=sorted(TROUBLE)),
            after=None,
            size=LATEST,
            total=progress.messages_of(run),
        )
        context = {**self._framed(request, run), "people": meeting.people(run.tenant_id, page.rows, is_masked=True)}
        return TemplateResponse(request, "admin/campaigns/live_failures.html", context)

    def who_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        run = self._of(request, object_id, PEOPLE)
        asked = meeting.asked(request.GET.get("what", ""), request.GET.get("variant", ""))
        if asked is None:
            raise Http404
        page = who(
            tenant_id=run.tenant_id,
            stamp=run.stamp,
            wanted=asked.wanted,
            after=_uuid(request.GET.get("after")),
            size=PAGE,
            total=progress.messages_of(run),
        )
        context = {
            **self._framed(request, run),
            "asked": asked,
            "variant": request.GET.get("variant", ""),
            "people": meeting.people(run.tenant_id, page.rows, is_masked=True),
            "page": page,
            "is_first": not request.GET.get("after"),
            "looked_at": LOOKED_AT,
        }
        return TemplateResponse(request, "admin/campaigns/results_who.html", context)

    def export_view(self, request: HttpRequest, object_id: UUID) -> HttpResponseBase:
        """Addresses stay masked unless they are asked for by somebody who may see them."""
        run = self._of(request, object_id, PEOPLE, EXPORT)
        is_masked = request.GET.get("addresses") != "clear"
        if not is_masked and not request.user.has_perm(UNMASKED):
            raise PermissionDenied
        auditing.record_download(
            actor=auditing.staff(request.user),
            tenant_id=run.tenant_id,
            kind="campaigns.run",
            object_id=run.id,
            label=str(run.campaign),
            what=f"the results with addresses {'masked' if is_masked else 'in clear'}",
            rows=how_many(tenant_id=run.tenant_id, stamp=run.stamp),
        )
        answer = StreamingHttpResponse(
            exporting.lines_of(run, is_masked=is_masked), content_type="text/csv; charset=utf-8"
        )
        answer["Content-Disposition"] = f'attachment; filename="{exporting.file_name(run)}"'
        answer["X-Accel-Buffering"] = "no"
        return answer

    def _of(self, request: HttpRequest, object_id: UUID, *needed: str) -> Any:
        run = self.seen(request, object_id)  # type: ignore[attr-defined]
        if not request.user.has_perms(needed):
            raise PermissionDenied
        return run

    def _framed(self, request: HttpRequest, run: Any) -> dict[str, Any]:
        frame: dict[str, Any] = self.frame(request, run, "results")  # type: ignore[attr-defined]
        return frame | {
            "may_export": request.user.has_perms((PEOPLE, EXPORT)),
            "may_unmask": request.user.has_perm(UNMASKED),
        }


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
