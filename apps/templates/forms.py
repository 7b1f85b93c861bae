"""A draft as a marketer types it: one form a channel and locale, a field for each part of the message."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from apps.core.admin_bases import ModelForm
from apps.core.enums import Channel
from apps.templates import models
from apps.templates.content import Field, fields_of
from apps.templates.selectors import VariantRow
from apps.templates.services import KEY, KEY_RULE

_CODE = {"spellcheck": "false", "class": "n-editor"}
_ROWS = {"html": 20, "text": 6, "body": 4}
_HELP = {
    "html": "HTML or MJML, with Liquid. Styles are put in line when it is published.",
    "text": "Made from the HTML when left out.",
    "preheader": "The line that mail programs show after the subject.",
    "icon": "A name your app knows.",
}


class NewTemplateForm(ModelForm):
    class Meta:
        model = models.Template
        fields = ("tenant", "key", "name", "is_layout", "is_partial")
        help_texts = {
            "key": "How requests name it: order-shipped.",
            "is_layout": "A layout has {{ content }} once; the mails of other templates wear it.",
            "is_partial": "A partial is a piece that others put in with {% render 'its-key' %}.",
        }

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if not KEY.fullmatch(key):
            raise forms.ValidationError(KEY_RULE)
        return key


class DraftForm(forms.Form):
    """What all variants share. `layouts`: keys to choose from."""

    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)
    layout = forms.ChoiceField(
        required=False, widget=UnfoldAdminSelectWidget, help_text="What the email wears. It must be published first."
    )
    sample = forms.CharField(
        label="Sample data",
        required=False,
        widget=UnfoldAdminTextareaWidget({**_CODE, "rows": 8}),
        help_text="JSON. Publishing renders every variant with it; $recipient has the attributes of the sample person, "
        "$digest what a summary tells, $given what a partial is given by name.",
    )
    base = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, layouts: Sequence[str], wears_one: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = self.fields["layout"]
        assert isinstance(choices, forms.ChoiceField)
        choices.choices = [("", "none"), *((key, key) for key in layouts)]
        if not wears_one:
            del self.fields["layout"]

    def clean_sample(self) -> dict[str, Any]:
        text = self.cleaned_data["sample"].strip() or "{}"
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise forms.ValidationError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from None
        if not isinstance(found, dict):
            raise forms.ValidationError('Begin with { and name each value: {"order_id": "A-1029"}.')
        return found


class VariantForm(forms.Form):
    """One channel in one locale. Its fields are the channel's."""

    locale = forms.CharField(
        required=False,
        max_length=35,
        widget=UnfoldAdminTextInputWidget({"placeholder": "default"}),
        help_text="de, de-CH, … Empty: for everybody whose language has no variant.",
    )
    remove = forms.BooleanField(label="Remove this variant from the draft", required=False, widget=UnfoldBooleanWidget)

    def __init__(self, *args: Any, channel: Channel, is_layout: bool, is_partial: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.channel = channel
        self.parts = fields_of(channel, is_layout=is_layout, is_partial=is_partial)
        for part in self.parts.values():
            self.fields[part.name] = _field(part)
        self.order_fields(["locale", *self.parts, "remove"])

    @property
    def content(self) -> dict[str, str]:
        """As typed; what is empty is left out."""
        said = ((name, str(self.data.get(self.add_prefix(name), "")).replace("\r\n", "\n")) for name in self.parts)
        return {name: text for name, text in said if text.strip()}

    @property
    def heading(self) -> str:
        return f"{self.channel.value.replace('_', '-')}, {self['locale'].value() or 'default'}"


def _field(part: Field) -> forms.CharField:
    if part.is_single_line:
        widget: forms.Widget = UnfoldAdminTextInputWidget({"spellcheck": "true"})
    else:
        widget = UnfoldAdminTextareaWidget({**_CODE, "rows": _ROWS.get(part.name, 4)})
    label = part.name.replace("_", " ").capitalize() + ("" if part.is_required else " (optional)")
    label = label.replace("Html", "HTML").replace(" url", " URL")
    return forms.CharField(label=label, required=False, strip=False, widget=widget, help_text=_HELP.get(part.name, ""))


def stored_variants(rows: Sequence[VariantRow], *, is_layout: bool, is_partial: bool = False) -> list[VariantForm]:
    return [
        VariantForm(
            initial={"locale": row.locale, **row.source},
            prefix=f"v{place}",
            channel=Channel(row.channel),
            is_layout=is_layout,
            is_partial=is_partial,
        )
        for place, row in enumerate(rows)
    ]


def typed_variants(
    data: QueryDict, *, is_layout: bool, is_partial: bool = False, most: int, keep_all: bool = False
) -> list[VariantForm]:
    """What the page sent, in its order, without those to be removed (`keep_all`: with them), and with the one to be added."""
    kind = {"is_layout": is_layout, "is_partial": is_partial}
    found: list[VariantForm] = []
    for place in range(min(_whole(data.get("variants", "")), most)):
        channel = _channel(data, f"v{place}-channel")
        form = VariantForm(data, prefix=f"v{place}", channel=channel, **kind)
        if keep_all or not data.get(f"v{place}-remove"):
            found.append(form)
    if "add" in data and len(found) < most:
        found.append(_added(data, found, kind))
    return _renumbered(found, kind)


def _added(data: QueryDict, found: Sequence[VariantForm], kind: Mapping[str, bool]) -> VariantForm:
    """With the words of the variant that it is to begin with, when that is of its channel."""
    channel = _channel(data, "add-channel")
    like = [form for form in found if form.channel is channel and form.prefix == data.get("add-from", "")]
    content = like[0].content if like else {}
    added = {f"v-new-{name}": text for name, text in content.items()}
    added["v-new-locale"] = data.get("add-locale", "").strip()
    return VariantForm(added, prefix="v-new", channel=channel, **kind)


def _renumbered(found: Sequence[VariantForm], kind: Mapping[str, bool]) -> list[VariantForm]:
    """With prefixes that count up from 0, as the page sends them back."""
    again = []
    for place, form in enumerate(found):
        names = ("locale", *form.parts)
        data = {f"v{place}-{name}": form.data.get(form.add_prefix(name), "") for name in names}
        again.append(VariantForm(data, prefix=f"v{place}", channel=form.channel, **kind))
    return again


def _channel(data: QueryDict, name: str) -> Channel:
    """Email for what is none: the page offers only channels."""
    said = data.get(name, "")
    return Channel(said) if said in set(Channel) else Channel.EMAIL


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
