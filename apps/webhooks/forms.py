"""What an operator types about webhook endpoints, checked."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.core import ids
from apps.core.admin_bases import ModelForm
from apps.core.problems import Problem
from apps.webhooks import models
from apps.webhooks.catalogue import DEFAULT, WebhookType
from apps.webhooks.guard import check_url
from apps.webhooks.services import MOST

HOURS = {0: "No, it ends now", 1: "For an hour", 24: "For a day", 168: "For a week"}
TYPES = [(kind.value, f"{kind.value}: {kind.sentence}") for kind in WebhookType]


class EndpointForm(ModelForm):
    events = forms.MultipleChoiceField(
        choices=TYPES, widget=UnfoldAdminCheckboxSelectMultipleWidget, initial=[kind.value for kind in DEFAULT]
    )

    class Meta:
        model = models.WebhookEndpoint
        fields = "__all__"

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if "url" in self.changed_data:
            try:
                check_url(url)
            except Problem as problem:
                raise forms.ValidationError(problem.detail) from None
        return url

    def clean_tenant(self) -> Any:
        tenant = self.cleaned_data["tenant"]
        if models.WebhookEndpoint.objects.of(tenant.id).count() >= MOST:
            raise forms.ValidationError(f"It has {MOST} endpoints already; remove one first.")
        return tenant


class RotationForm(forms.Form):
    hours = forms.TypedChoiceField(
        label="Does the old secret go on signing?",
        choices=list(HOURS.items()),
        initial=24,
        coerce=int,
        widget=UnfoldAdminSelectWidget,
    )

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=self.cleaned_data["hours"])


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)


class TypeForm(forms.Form):
    type = forms.ChoiceField(choices=TYPES, initial=WebhookType.MESSAGE_DELIVERED, widget=UnfoldAdminSelectWidget)


class ReplayForm(forms.Form):
    """An event, or a range of time."""

    event_id = forms.CharField(
        label="Event", required=False, widget=UnfoldAdminTextInputWidget, help_text="evt_..., or leave it empty."
    )
    start = forms.SplitDateTimeField(label="Or from (UTC)", required=False, widget=UnfoldAdminSplitDateTimeWidget)
    end = forms.SplitDateTimeField(label="To (UTC)", required=False, widget=UnfoldAdminSplitDateTimeWidget)
    all = forms.BooleanField(label="Also what it has taken already", required=False, widget=UnfoldBooleanSwitchWidget)

    def clean_event_id(self) -> UUID | None:
        text = self.cleaned_data["event_id"].strip()
        found = ids.read(ids.WEBHOOK_EVENT, text) if text else None
        if text and found is None:
            raise forms.ValidationError("An event's id begins with evt_.")
        return found

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        start, end = said.get("start"), said.get("end")
        if "event_id" in said and not said["event_id"] and not (start and end and start < end):
            raise forms.ValidationError("Name an event, or a range of time that ends after it begins.")
        return said
