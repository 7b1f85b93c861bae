"""What an operator types about vetoes, checked."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.audience.addresses import device_token, email_address, phone_number
from apps.core.admin_bases import ModelForm
from apps.core.enums import Channel, Platform
from apps.core.problems import Problem
from apps.core.types import Address
from apps.preferences import models

KINDS = {Channel.EMAIL: "Email address", Channel.SMS: "Phone number", Channel.PUSH: "Device token"}


class SuppressionForm(ModelForm):
    """`cleaned_data["address"]` is an Address."""

    channel = forms.ChoiceField(
        choices=[(channel.value, said) for channel, said in KINDS.items()], widget=UnfoldAdminSelectWidget
    )
    address = forms.CharField(
        max_length=4096,
        widget=UnfoldAdminTextInputWidget,
        help_text="Only its fingerprint and a masked form are kept. Nothing is sent to it until the suppression is lifted.",
    )

    class Meta:
        model = models.Suppression
        fields = ("tenant", "channel")

    def clean(self) -> dict[str, Any]:
        super().clean()
        text, channel = self.cleaned_data.get("address"), self.cleaned_data.get("channel")
        if text and channel:
            try:
                self.cleaned_data["address"] = _read(Channel(channel), text)
            except Problem as problem:
                self.add_error("address", problem.detail)
        return self.cleaned_data


def _read(channel: Channel, text: str) -> Address:
    match channel:
        case Channel.EMAIL:
            return email_address(text, "/address")
        case Channel.SMS:
            return phone_number(text, "/address")
        case _:
            return device_token(text, Platform.ANDROID, "/address")
