"""What became of each time of a schedule."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.core import ids
from apps.core.admin_bases import ReadOnly, ago, display, door, moment
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import DropdownFilter, one_of
from apps.schedules.models import Outcome, Schedule, ScheduleRun, SkipReason

MOST_OFFERED = 100
TONE = {"fired": "success", "skipped": "warning", "failed": "danger"}


def said(run: Any) -> str:
    """In words."""
    if run.outcome == Outcome.FIRED:
        more = f", {run.refused} refused: {run.detail}" if run.refused else ""
        return f"{run.count} accepted{more}"
    if run.outcome == Outcome.SKIPPED:
        times = f"{run.covers} times. " if run.covers > 1 else ""
        return f"{times}{SkipReason(run.reason).sentence}"
    return f"{run.error}: {run.detail}"


class ScheduleFilter(DropdownFilter):
    title = "schedule"
    parameter_name = "schedule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = Schedule.objects.all_tenants().order_by("-id")[:MOST_OFFERED]
        return [(str(row.id), str(row)[:60]) for row in rows.only("id", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = ids.find(self.value() or "")
        return queryset.filter(schedule_id=found) if found else queryset


@admin.register(ScheduleRun)
class ScheduleRunAdmin(ReadOnly, FeedAdmin):
    list_display = ("decided", "what", "wall", "zone", "end", "late", "words")
    list_filter = (ScheduleFilter, one_of("outcome", Outcome, title="outcome"))
    list_select_related = ("schedule",)
    empty_sentence = "No schedule has fired yet."
    fields = ("decided", "what", "wall", "zone", "end", "late", "words")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = ScheduleRun.objects.all_tenants()
        return rows

    @display(description="At")
    def decided(self, row: Any) -> str:
        return moment(row.at)

    @display(description="Schedule")
    def what(self, row: Any) -> SafeString:
        return door("schedules_schedule_change", row.schedule_id, text=str(row.schedule)[:60])

    @display(description="Outcome", label=TONE)
    def end(self, row: Any) -> str:
        return str(row.outcome)

    @display(description="Late")
    def late(self, row: Any) -> str:
        return ago((row.at - row.due_at).total_seconds())

    @display(description="What happened")
    def words(self, row: Any) -> str:
        return said(row)
