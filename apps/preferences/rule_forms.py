"""What an operator types about default quiet hours and frequency caps, checked as the API checks it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.admin_bases import ModelForm
from apps.core.enums import CapPeriod, Category, Channel
from apps.core.problems import Problem
from apps.core.types import Cap, QuietHours
from apps.preferences import models
from apps.preferences.tenant_rules import LONGEST_WINDOW, check_cap, check_quiet_hours
from apps.preferences.topics import CHANNELS

_CLOCK = {"regex": r"^([01]\d|2[0-3]):[0-5]\d$", "widget": UnfoldAdminTextInputWidget(attrs={"placeholder": "22:00"})}


def _boxes(words: Any, said: str) -> forms.MultipleChoiceField:
    choices = [(word.value, word.value) for word in words]
    widget = UnfoldAdminCheckboxSelectMultipleWidget
    return forms.MultipleChoiceField(choices=choices, required=False, widget=widget, help_text=said)


class QuietHoursForm(ModelForm):
    start = forms.RegexField(**_CLOCK, help_text="On each person's own clock, as 22:00.")
    end = forms.RegexField(
        **_CLOCK, help_text="The first minute that is open again; over midnight when it comes before the start."
    )
    channels = _boxes(Channel, "None: push, email and SMS.")
    categories = _boxes(Category, "None: all. Critical messages are never held.")

    class Meta:
        model = models.QuietHoursRule
        fields = ("tenant", "name", "start", "end", "country", "channels", "categories", "is_locked")

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for name in ("start", "end"):
            if isinstance(minutes := self.initial.get(name), int):
                self.initial[name] = f"{minutes // 60:02}:{minutes % 60:02}"

    def clean_start(self) -> int:
        return _minutes(self.cleaned_data["start"])

    def clean_end(self) -> int:
        return _minutes(self.cleaned_data["end"])

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()

    def clean(self) -> dict[str, Any]:
        super().clean()
        said = self.cleaned_data
        if "start" in said and "end" in said and "country" in said:
            quiet = QuietHours(said["start"], said["end"], country=said["country"])
            _checked(self, lambda: check_quiet_hours(said.get("name", self.instance.name), quiet))
        return said


class FrequencyCapForm(ModelForm):
    limit = forms.IntegerField(min_value=1, max_value=10_000, widget=UnfoldAdminIntegerFieldWidget)
    period = forms.ChoiceField(
        choices=[(period.value, f"{period.value}: {period.sentence}") for period in CapPeriod],
        widget=UnfoldAdminSelectWidget,
    )
    window_seconds = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=LONGEST_WINDOW,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How long a rolling period is. Days and weeks have none.",
    )
    channel = forms.ChoiceField(
        choices=[(channel, channel) for channel in CHANNELS],
        widget=UnfoldAdminSelectWidget,
        help_text="*: push, email and SMS together.",
    )

    class Meta:
        model = models.FrequencyCap
        fields = ("tenant", "name", "limit", "period", "window_seconds", "topic", "channel")

    def clean(self) -> dict[str, Any]:
        super().clean()
        said = self.cleaned_data
        said["window_seconds"] = said.get("window_seconds") or 0
        if {"limit", "period", "topic", "channel"} <= set(said):
            window, name = timedelta(seconds=said["window_seconds"]), said.get("name", self.instance.name)
            cap = Cap(
                UUID(int=0), name, said["limit"], CapPeriod(said["period"]), window, said["topic"], said["channel"]
            )
            _checked(self, lambda: check_cap(cap))
        return said


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _checked(form: Any, check: Any) -> None:
    try:
        check()
    except Problem as problem:
        for error in problem.errors:
            name = error.pointer.rpartition("/")[2]
            form.add_error(name if name in form.fields else None, error.detail)
