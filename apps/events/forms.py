"""An event type as an operator types it: the same rules as PUT /v1/event-types/{key}."""

import re
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.admin_bases import ModelForm
from apps.core.enums import Category, Channel, DedupBy, GroupBy, ResendInDoubt
from apps.events import models
from apps.events.bodies import LONGEST_WINDOW, MOST_GROUPED
from apps.events.selectors import waits_for_itself

_KEY = re.compile(r"[a-z0-9_]+([.-][a-z0-9_]+)*")
_MOST_SECONDS = 30 * 24 * 3600
_MOST_KEYS = 50
_DAY = 24 * 3600
_LONGEST_WAIT = 3600
_MOST_FULLER = 10


class WordsField(forms.Field):
    """Words with commas between them, in order, each once."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: object) -> object:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: object) -> list[str]:
        words = [word.strip() for word in str(value or "").split(",") if word.strip()]
        if len(set(words)) != len(words):
            raise forms.ValidationError("Something is named twice.")
        return words


class EventTypeForm(ModelForm):
    channels = forms.MultipleChoiceField(
        choices=[(channel.value, channel.value) for channel in Channel],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Sent on these unless a request asks for others.",
    )
    fallback = WordsField(
        required=False,
        help_text="Channels to try one after another when one gives up, in order: push, sms, email. Only the first is sent at once.",
    )
    fallback_after_seconds = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=_DAY,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Try the next one also when nothing has proved arrival after so many seconds. 0: only when one gives up.",
    )
    resend_in_doubt = forms.ChoiceField(
        choices=[(setting.value, f"{setting.value}: {setting.sentence}") for setting in ResendInDoubt],
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="When a provider gave no answer. Marketing is never sent again.",
    )
    dedup_by = forms.ChoiceField(
        choices=[(by.value, f"{by.value}: {by.sentence}") for by in DedupBy],
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="What makes two messages the same within the window.",
    )
    waits_for = WordsField(
        required=False,
        help_text="Fuller event types: one of them about the same object takes its place, e.g. transaction.alert.",
    )
    waits_seconds = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=_LONGEST_WAIT,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How long it waits for a fuller one.",
    )
    group_by = forms.ChoiceField(
        choices=[("", "no: each is sent by itself"), *((by.value, f"{by.value}: {by.sentence}") for by in GroupBy)],
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Which messages are summed up together.",
    )
    group_window_seconds = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=LONGEST_WINDOW,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="They are summed up so many seconds after the first one.",
    )
    group_most = forms.IntegerField(
        required=False,
        min_value=2,
        max_value=MOST_GROUPED,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="So many are summed up at once.",
    )
    sensitive_keys = WordsField(
        required=False,
        help_text="Keys of `data` that are erased as soon as the message is over, e.g. code.",
    )

    category = forms.ChoiceField(
        choices=[(category.value, f"{category.value}: {category.sentence}") for category in Category],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = models.EventType
        fields = "__all__"

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if not _KEY.fullmatch(key):
            raise forms.ValidationError("A key is a-z 0-9 _ in parts joined by . or -, e.g. order.shipped.")
        return key

    def clean_fallback(self) -> list[str]:
        words: list[str] = self.cleaned_data["fallback"]
        if unknown := [word for word in words if word not in set(Channel)]:
            raise forms.ValidationError(f"{unknown[0]} is not a channel. Channels are {', '.join(Channel)}.")
        return words

    def clean_fallback_after_seconds(self) -> int:
        return self.cleaned_data["fallback_after_seconds"] or 0

    def clean_resend_in_doubt(self) -> str:
        return self.cleaned_data["resend_in_doubt"] or ResendInDoubt.DEFAULT.value

    def clean_dedup_by(self) -> str:
        return self.cleaned_data["dedup_by"] or DedupBy.CONTENT.value

    def clean_waits_for(self) -> list[str]:
        words: list[str] = self.cleaned_data["waits_for"]
        if len(words) > _MOST_FULLER or any(not _KEY.fullmatch(word) for word in words):
            raise forms.ValidationError(f"At most {_MOST_FULLER} keys of event types.")
        return words

    def clean_waits_seconds(self) -> int:
        return self.cleaned_data["waits_seconds"] or 0

    def clean_group_window_seconds(self) -> int:
        return self.cleaned_data["group_window_seconds"] or 0

    def clean_group_most(self) -> int:
        return self.cleaned_data["group_most"] or 100

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self._check_grouping(cleaned)
        fuller, seconds = cleaned.get("waits_for"), cleaned.get("waits_seconds")
        tenant_id = getattr(cleaned.get("tenant"), "id", self.instance.tenant_id)
        if fuller and tenant_id and waits_for_itself(tenant_id, cleaned.get("key", self.instance.key), fuller):
            self.add_error("waits_for", "They would wait for each other.")
        if cleaned.get("category") == Category.CRITICAL:
            for name in ("critical_reason", "owner"):
                if not (cleaned.get(name) or "").strip():
                    self.add_error(name, "A critical event type needs it.")
        if bool(fuller) != bool(seconds):
            self.add_error("waits_seconds", "Fuller event types and the time to wait belong together.")
        return cleaned

    def _check_grouping(self, cleaned: dict[str, Any]) -> None:
        is_grouped = bool(cleaned.get("group_by"))
        if is_grouped and cleaned.get("category") == Category.CRITICAL:
            self.add_error("group_by", "What is critical is never summed up.")
        if is_grouped != bool(cleaned.get("group_window_seconds")):
            self.add_error(
                "group_window_seconds", "What is summed up and the time it is collected for belong together."
            )
        elif not is_grouped and (cleaned.get("group_leads") or cleaned.get("group_low_only")):
            self.add_error("group_by", "Say which messages are summed up together.")

    def clean_sensitive_keys(self) -> list[str]:
        words: list[str] = self.cleaned_data["sensitive_keys"]
        if len(words) > _MOST_KEYS or any(len(word) > 100 for word in words):
            raise forms.ValidationError(f"At most {_MOST_KEYS} keys of at most 100 characters.")
        return words

    def clean_dedup_window_seconds(self) -> int:
        seconds: int = self.cleaned_data["dedup_window_seconds"]
        if seconds > _MOST_SECONDS:
            raise forms.ValidationError("At most 30 days: 2,592,000 seconds.")
        return seconds
