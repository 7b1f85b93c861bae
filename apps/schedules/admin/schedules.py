"""Schedules: made, changed, paused, resumed, cancelled; when they fire next, and what became of the last times."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core import clock, ids
from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import TONES, ModelAdmin, action, display, door, moment
from apps.core.admin_filters import one_of
from apps.core.locales import zone as zone_named
from apps.core.problems import Problem
from apps.schedules import services
from apps.schedules.admin.runs import said
from apps.schedules.forms import NewScheduleForm, TimingForm
from apps.schedules.making import caller_of_row
from apps.schedules.models import Schedule, ScheduleRecipient, ScheduleRun, Status
from apps.schedules.selectors import upcoming
from apps.schedules.timing import RECIPIENT
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

NEXT, LAST = 5, 10
_TIMING = ("name", "start", "zone", "rule", "exdates", "rdates", "missed", "missed_limit", "expires")
_STORED = (*_TIMING[:-1], "expires_after")
_SENT = ("people", "event_type", "category", "template", "title", "text")


def on_clocks(at: Any, zone: str) -> SafeString | str:
    """On the schedule's clock, and on that of whoever looks (core/admin.js)."""
    if at is None:
        return "-"
    there = at.astimezone(zone_named(zone))
    return format_html(
        '<span class="n-nowrap">{}</span> <time class="n-time" data-local datetime="{}">{} UTC</time>',
        f"{there:%a %d %b %H:%M:%S} {zone}",
        at.isoformat(),
        f"{at:%d %b %H:%M:%S}",
    )


@admin.register(Schedule)
class ScheduleAdmin(TenantColumn, ModelAdmin):
    list_display = ("called", "tenant", "state", "coming", "rule", "fired", "last")
    list_filter = (TenantFilter, one_of("status", Status, title="status"))
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ()
    actions_detail = ("pause", "resume", "cancel")
    empty_sentence = "What is sent later, once or again: POST /v1/scheduled-notifications, or add one."
    _facts = ("shown_id", "tenant", "mode", "state", "recipients", "fired", "last", "next_times", "last_runs")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Schedule.objects.all_tenants()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, form=TimingForm if obj else NewScheduleForm, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("tenant", "mode", *_SENT)}), ("When", {"fields": _TIMING})]
        when = _TIMING if self.has_change_permission(request, obj) else _STORED
        return [("How it goes", {"fields": self._facts}), ("When", {"fields": when})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return self._facts if self.has_change_permission(request, obj) else (*self._facts, *_STORED)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_over = isinstance(obj, Schedule) and obj.status in (Status.CANCELLED, Status.FINISHED)
        return not is_over and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`cancel` ends it; what it did stays to be seen."""
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only those that would change something."""
        status = Schedule.objects.all_tenants().filter(id=object_id).values_list("status", flat=True).first()
        wanted = {"active": ("pause", "cancel"), "paused": ("resume", "cancel")}.get(status or "", ())
        found: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in found if wanted and one.action_name.endswith(wanted)]

    @display(description="Schedule")
    def called(self, row: Any) -> str:
        return str(row)

    @display(description="State", label={**TONES, "active": "success", "paused": "warning", "cancelled": "danger"})
    def state(self, row: Any) -> str:
        return str(row.status)

    @display(description="Next")
    def coming(self, row: Any) -> SafeString | str:
        if row.status != Status.ACTIVE or row.next_fire_at is None:
            return "-"
        return on_clocks(row.next_fire_at, "UTC" if row.zone == RECIPIENT else row.zone)

    @display(description="Fired")
    def fired(self, row: Any) -> str:
        return f"{row.fired_count:,}"

    @display(description="Last")
    def last(self, row: Any) -> str:
        return moment(row.last_fired_at)

    @display(description="Id")
    def shown_id(self, row: Any) -> str:
        return ids.show(ids.SCHEDULE, row.id)

    @display(description="Recipients")
    def recipients(self, row: Any) -> str:
        return f"{ScheduleRecipient.objects.of(row.tenant_id).filter(schedule=row).count():,}"

    @display(description="Next times")
    def next_times(self, row: Any) -> SafeString | str:
        found = upcoming(row.tenant_id, row.id, now=clock.now(), count=NEXT) if row.status == Status.ACTIVE else []
        lines = [
            (
                on_clocks(one.fire.at, one.zone),
                f"{one.people:,} people" + (", moved: the clock is set then" if one.fire.is_moved(one.zone) else ""),
            )
            for one in found
        ]
        return format_html_join("", "<div>{} · {}</div>", lines) or "None is to come."

    @display(description="Last times")
    def last_runs(self, row: Any) -> SafeString | str:
        runs = ScheduleRun.objects.of(row.tenant_id).filter(schedule=row).order_by("-id")[:LAST]
        lines = [(moment(run.at), run.zone, run.outcome, said(run)) for run in runs]
        if not lines:
            return "It has not fired yet."
        shown = format_html_join("", "<div>{} · {} · <b>{}</b> · {}</div>", lines)
        return shown + door("schedules_schedulerun_changelist", text="All of them", schedule=row.id)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            caller, changes = caller_of_row(obj), {"schedule": form.timing()}
            version = Schedule.objects.of(obj.tenant_id).get(id=obj.id).version
            services.update_schedule(
                caller=caller, schedule_id=obj.id, version=version, changes=changes, now=clock.now()
            )
            return
        obj.id = services.create_schedule(caller=caller_of_row(obj), body=form.body(), now=clock.now()).id

    @action(description="Pause", url_path="pause", icon="pause", permissions=("change",))
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        sentence = "It does not fire until somebody resumes it. What falls into the pause is left out."
        return self._do(request, object_id, "Pause it", sentence, services.pause_schedule, "Paused.")

    @action(description="Resume", url_path="resume", icon="play_arrow", permissions=("change",))
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def resume(*, tenant_id: UUID, schedule_id: UUID) -> None:
            services.resume_schedule(tenant_id=tenant_id, schedule_id=schedule_id, now=clock.now())

        sentence = "It goes on with its next time; what fell into the pause is left out."
        return self._do(request, object_id, "Resume it", sentence, resume, "Resumed.")

    @action(description="Cancel", url_path="cancel", icon="block", permissions=("change",))
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        sentence = "It never fires again. What it has sent is not taken back. This cannot be undone."
        return self._do(request, object_id, "Cancel it", sentence, services.cancel_schedule, "Cancelled.", True)

    def _do(
        self,
        request: HttpRequest,
        object_id: str,
        title: str,
        sentence: str,
        do: Any,
        done: str,
        is_dangerous: bool = False,
    ) -> HttpResponse:
        row = get_object_or_404(Schedule.objects.all_tenants(), id=object_id)
        back = reverse("admin:schedules_schedule_change", args=[row.id])
        if request.method != "POST":
            question = Question(f"{title}: {row}", sentence, title, back, is_dangerous=is_dangerous)
            return ask(request, question, model=self.model)
        try:
            do(tenant_id=row.tenant_id, schedule_id=row.id)
        except Problem as problem:
            messages.error(request, problem.detail)
        else:
            self.log_change(request, row, done)
            messages.success(request, done)
        return HttpResponseRedirect(back)
