"""What an operator lays down for those who chose nothing, checked as the API checks it."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from apps.core.admin_bases import ModelForm
from apps.core.enums import DigestFrequency
from apps.core.problems import Problem
from apps.core.types import Default
from apps.preferences import models
from apps.preferences.defaults import check
from apps.preferences.topics import CHANNELS


class DefaultForm(ModelForm):
    channel = forms.ChoiceField(
        choices=[(channel, channel) for channel in CHANNELS],
        widget=UnfoldAdminSelectWidget,
        help_text="*: every channel that has none of its own.",
    )

    class Meta:
        model = models.DefaultPreference
        fields = ("tenant", "topic", "channel", "is_on", "digest", "is_locked", "reason")

    def clean(self) -> dict[str, Any]:
        super().clean()
        said = self.cleaned_data
        digest = DigestFrequency(said["digest"]) if said.get("digest") else None
        default = Default(
            said.get("topic", self.instance.topic),
            said.get("channel", self.instance.channel),
            said.get("is_on", False),
            digest,
            said.get("is_locked", False),
            said.get("reason", ""),
        )
        try:
            check(default)
        except Problem as problem:
            for error in problem.errors:
                name = error.pointer.rpartition("/")[2]
                self.add_error(name if name in self.fields else None, error.detail)
        return said
