"""What a marketer types about a segment or a list."""

import json
import re
from typing import Any

import msgspec
from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.audience import models
from apps.audience.models.segments import SegmentKind
from apps.core.admin_bases import ModelForm
from apps.tenants.tenant_filter import seen_tenants

_KINDS = {
    SegmentKind.RULES: "Rules: everybody whom they describe",
    SegmentKind.LIST: "A list: people who are put on it",
}


class NewSegmentForm(ModelForm):
    tenant_id = forms.ChoiceField(label="Tenant", widget=UnfoldAdminSelectWidget)
    kind = forms.ChoiceField(
        label="Found by",
        choices=[(kind.value, text) for kind, text in _KINDS.items()],
        initial=SegmentKind.RULES.value,
        widget=UnfoldAdminRadioSelectWidget,
    )
    key = forms.SlugField(
        max_length=63,
        help_text="For the API and other rules: a-z, 0-9, - and _. It cannot be changed.",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = models.Segment
        fields = ("name", "key", "kind")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = sorted(seen_tenants(), key=lambda tenant: tenant.name)
        self.fields["tenant_id"].choices = [(str(tenant.id), tenant.name) for tenant in found]  # type: ignore[attr-defined]
        if len(found) == 1:
            self.fields["tenant_id"].initial = str(found[0].id)
            self.fields["tenant_id"].widget = forms.HiddenInput()


class NameForm(forms.Form):
    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)


def typed_rules(text: str) -> Any:
    """The tree in the field of the builder. Raises ValueError with a sentence."""
    try:
        json.loads(text)
        # as the API reads it: no halves of characters, no infinity
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"The rules are not valid JSON: {error}.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"The rules are not valid JSON: line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise ValueError("The rules are nested too deeply.") from None


def typed_user_ids(text: str) -> list[str]:
    """One in each line, or with commas between them; each once."""
    return list(dict.fromkeys(word for word in (word.strip() for word in re.split(r"[\n\r,;]+", text)) if word))
