"""A schedule as an operator types it, checked as the API checks it: both make the same body."""

from typing import Any

import msgspec
from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core import clock
from apps.core.admin_bases import ModelForm
from apps.core.bodies import decode_bytes
from apps.core.enums import Category
from apps.core.locales import timezone_names
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.ingest.several import plan_all
from apps.schedules import models
from apps.schedules.bodies import ScheduledBody, timing_of
from apps.schedules.making import caller_of_row
from apps.schedules.missed import MOST_MADE_UP, Missed
from apps.schedules.timing import RECIPIENT

_LINES = {"rows": 3, "spellcheck": "false"}
_FIELDS = {"expires_after_minutes": "expires", "user_id": "people", "recipients": "people", "template_id": "template"}


def zone_choices() -> list[tuple[str, str]]:
    return [(RECIPIENT, "everybody's own clock"), *((name, name) for name in timezone_names())]


class TimingForm(ModelForm):
    """When it fires."""

    name = forms.CharField(max_length=200, required=False, widget=UnfoldAdminTextInputWidget)
    start = forms.CharField(
        max_length=19,
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
        help_text="On the clock of the zone.",
    )
    zone = forms.ChoiceField(choices=zone_choices, initial="UTC", widget=UnfoldAdminSelectWidget)
    rule = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget({"spellcheck": "false"}),
        help_text="RFC 5545: FREQ=WEEKLY;BYDAY=MO,FR. Empty: once.",
    )
    exdates = forms.CharField(
        label="Not at",
        required=False,
        widget=UnfoldAdminTextareaWidget(_LINES),
        help_text="Times or dates, one a line.",
    )
    rdates = forms.CharField(
        label="Also at", required=False, widget=UnfoldAdminTextareaWidget(_LINES), help_text="Times, one a line."
    )
    missed = forms.ChoiceField(
        label="Missed times", choices=[(m.value, m.sentence) for m in Missed], widget=UnfoldAdminSelectWidget
    )
    missed_limit = forms.IntegerField(
        min_value=1, max_value=MOST_MADE_UP, initial=10, widget=UnfoldAdminIntegerFieldWidget
    )
    expires = forms.IntegerField(
        label="Messages expire after (minutes)", min_value=1, required=False, widget=UnfoldAdminIntegerFieldWidget
    )

    class Meta:
        model = models.Schedule
        fields = ("name", "start", "zone", "rule", "missed", "missed_limit")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = self.instance
        if not row._state.adding:
            after = row.expires_after
            minutes = None if after is None else int(after.total_seconds() // 60)
            self.initial = {
                **self.initial,
                "exdates": "\n".join(row.exdates),
                "rdates": "\n".join(row.rdates),
                "expires": minutes,
            }

    def timing(self) -> dict[str, Any]:
        """As the API's `schedule`."""
        said = self.cleaned_data
        return {
            **{name: said[name] for name in ("name", "start", "zone", "missed", "missed_limit")},
            "rule": said["rule"] or None,
            "exdates": said["exdates"].split(),
            "rdates": said["rdates"].split(),
            "expires_after_minutes": said["expires"],
        }

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if not self.errors:
            try:
                self.check()
            except Problem as problem:
                self._explain(problem)
        return said

    def check(self) -> None:
        """Raises Problem."""
        timing_of(self.body().schedule)  # type: ignore[arg-type]

    def body(self) -> ScheduledBody:
        return decode_bytes(msgspec.json.encode({"schedule": self.timing()}), ScheduledBody)

    def _explain(self, problem: Problem) -> None:
        """Beside the fields that it is about."""
        if problem.code is Code.NO_CONTENT:
            self.add_error("text", problem.detail)
            return
        for error in problem.errors:
            name = error.pointer.removeprefix("/schedule").split("/")[1]
            field = _FIELDS.get(name, name)
            self.add_error(field if field in self.fields else None, error.detail)
        if not problem.errors:
            self.add_error(None, problem.detail)


class NewScheduleForm(TimingForm):
    """With what is sent, and to whom."""

    people = forms.CharField(
        label="To", widget=UnfoldAdminTextareaWidget(_LINES), help_text="User ids, one a line, up to 500."
    )
    event_type = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget, help_text="order.shipped")
    category = forms.ChoiceField(
        required=False,
        choices=[("", "that of the event type"), *((c.value, c.value) for c in Category)],
        widget=UnfoldAdminSelectWidget,
    )
    template = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget, help_text="A key; or a text below.")
    title = forms.CharField(required=False, max_length=200, widget=UnfoldAdminTextInputWidget)
    text = forms.CharField(required=False, max_length=4000, widget=UnfoldAdminTextareaWidget({"rows": 3}))

    class Meta(TimingForm.Meta):
        fields = ("tenant", "mode", *TimingForm.Meta.fields)  # type: ignore[assignment]

    def check(self) -> None:
        said, body = self.cleaned_data, self.body()
        timing_of(body.schedule)  # type: ignore[arg-type]
        row = models.Schedule(tenant_id=said["tenant"].id, mode=said["mode"])
        plan_all(caller_of_row(row), body, clock.now())

    def body(self) -> ScheduledBody:
        said = self.cleaned_data
        message = {"title": said["title"], "body": said["text"]} if said["text"] else None
        whole = {
            "recipients": [{"user_id": line.strip()} for line in said["people"].splitlines() if line.strip()],
            "event_type": said["event_type"] or None,
            "category": said["category"] or None,
            "template_id": said["template"] or None,
            "message": message,
            "schedule": self.timing(),
        }
        return decode_bytes(msgspec.json.encode(whole), ScheduledBody)
