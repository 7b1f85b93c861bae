"""A provider account as an operator types it. Secrets go in and never come out."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django import forms
from unfold.widgets import UnfoldAdminExpandableTextareaWidget, UnfoldAdminSelectWidget

from apps.channels import models
from apps.channels.registry import providers
from apps.channels.services import check_account, check_settings
from apps.core.admin_bases import ModelForm
from apps.core.enums import Channel
from apps.core.problems import Problem

_KEPT = "Leave it empty to keep what is stored."


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def credentials_in(text: str) -> dict[str, str]:
    """name = value, one a line; a key file's PEM or JSON may go on over the next lines. Raises ValidationError."""
    found: dict[str, str] = {}
    open_name = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if open_name:
            found[open_name] += f"\n{line.strip()}"
        elif line.strip():
            name, mark, value = (part.strip() for part in line.partition("="))
            if not mark or not name or not value:
                raise forms.ValidationError(f"Line {number} is not name = value.")
            open_name, found[name] = name, value
        if open_name and _is_whole(found[open_name]):
            open_name = ""
    if open_name:
        raise forms.ValidationError(f"The value of {open_name} has no end.")
    return found


def _is_whole(value: str) -> bool:
    if value.startswith("-----BEGIN "):
        return "-----END " in value
    if not value.startswith("{"):
        return True
    try:
        msgspec.json.decode(value)
    except msgspec.DecodeError:
        return False
    return True


class AccountForm(ModelForm):
    """`cleaned_data`: credentials a dict, webhook_secrets a list; None for what is to stay."""

    credentials = forms.CharField(
        required=False,
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=f"One a line: name = value; after a name, a whole key file. Replaces all. Never shown again. {_KEPT}",
    )
    webhook_secrets = forms.CharField(
        required=False,
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=f"One a line; any of them may have signed a receipt. Never shown again. {_KEPT}",
    )

    class Meta:
        model = models.ProviderAccount
        fields = ("tenant", "key", "provider", "channel", "base_url", "sender", "order", "settings")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {name: kind for name, kind in providers().items() if name != "sandbox"}
        if "provider" in self.fields:
            choices = [(name, f"{name} ({', '.join(sorted(kind.channels))})") for name, kind in sorted(known.items())]
            self.fields["provider"] = forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget)
        if "channel" in self.fields:
            carried = sorted({channel.value for kind in known.values() for channel in kind.channels})
            self.fields["channel"] = forms.ChoiceField(
                choices=[(c, c) for c in carried], widget=UnfoldAdminSelectWidget
            )

    def clean_credentials(self) -> Mapping[str, str] | None:
        return credentials_in(self.cleaned_data["credentials"]) or None

    def clean_webhook_secrets(self) -> list[str] | None:
        return _lines(self.cleaned_data["webhook_secrets"]) or None

    def clean_settings(self) -> dict[str, Any]:
        found = self.cleaned_data["settings"] or {}
        if not isinstance(found, dict):
            raise forms.ValidationError('Settings are a JSON object, e.g. {"rate": 50}.')
        try:
            check_settings(found)
        except Problem as problem:
            raise forms.ValidationError(problem.detail) from None
        return found

    def clean(self) -> dict[str, Any]:
        super().clean()
        said = self.cleaned_data
        if {"key", "provider", "channel"} <= said.keys():
            try:
                check_account(said["key"], said["provider"], Channel(said["channel"]), {})
            except Problem as problem:
                self.add_error(problem.errors[0].pointer.strip("/"), problem.detail)
        return said


class SwitchOffForm(forms.Form):
    reason = forms.CharField(
        max_length=300, widget=UnfoldAdminExpandableTextareaWidget, help_text="Shown to whoever wonders why."
    )
