"""What an operator may change about a person."""

from django import forms
from unfold.widgets import UnfoldBooleanSwitchWidget

from apps.audience import models
from apps.core.admin_bases import ModelForm
from apps.core.locales import canonical_locale, is_timezone


class RecipientForm(ModelForm):
    is_blocked = forms.BooleanField(
        label="Blocked",
        required=False,
        help_text="A blocked person gets nothing, critical messages included.",
        widget=UnfoldBooleanSwitchWidget,
    )

    class Meta:
        model = models.Recipient
        fields = ("locale", "timezone")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["is_blocked"].initial = self.instance.blocked_at is not None

    def clean_locale(self) -> str:
        text: str = self.cleaned_data["locale"]
        canonical = canonical_locale(text) if text else ""
        if canonical is None:
            raise forms.ValidationError("This is not a known locale. Examples: en, de-CH, ar. Empty: the tenant's.")
        return canonical

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if name and not is_timezone(name):
            raise forms.ValidationError(
                "This is not a known time zone. Examples: UTC, Europe/Berlin. Empty: the tenant's."
            )
        return name
