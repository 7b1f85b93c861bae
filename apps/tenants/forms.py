"""What an operator types about tenants and keys, checked."""

from datetime import timedelta
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from apps.core.admin_bases import ModelForm
from apps.core.enums import Category, KeyMode, Scope
from apps.core.locales import canonical_locale, is_timezone
from apps.tenants import models

HOURS = {0: "No, the old one ends now", 1: "For an hour", 24: "For a day", 168: "For a week"}


class TenantForm(ModelForm):
    tracked_categories = forms.MultipleChoiceField(
        label="Mails whose links and opens are tracked",
        required=False,
        choices=[(c.value, c.value) for c in Category if c != Category.CRITICAL],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Links lead through this service and a picture of one pixel is added. None: mails leave as they were written.",
    )

    class Meta:
        model = models.Tenant
        fields = "__all__"

    def clean_locale(self) -> str:
        canonical = canonical_locale(self.cleaned_data["locale"])
        if canonical is None:
            raise forms.ValidationError("This is not a known locale. Examples: en, de-CH, ar.")
        return canonical

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if not is_timezone(name):
            raise forms.ValidationError("This is not a known time zone. Examples: UTC, Europe/Berlin.")
        return name


class ApiKeyForm(ModelForm):
    modes: tuple[KeyMode, ...] = tuple(KeyMode)
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope.value}: {scope.sentence}") for scope in Scope],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = models.ApiKey
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "mode" in self.fields:
            said = [(mode.value, f"{mode.value}: {mode.sentence}") for mode in self.modes]
            self.fields["mode"] = forms.ChoiceField(choices=said, widget=UnfoldAdminSelectWidget, initial=KeyMode.TEST)


class RotationForm(forms.Form):
    hours = forms.TypedChoiceField(
        label="Does the old token go on working?",
        choices=list(HOURS.items()),
        initial=24,
        coerce=int,
        widget=UnfoldAdminSelectWidget,
    )

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=self.cleaned_data["hours"])
