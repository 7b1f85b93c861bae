"""What the composer's tabs ask for. Each form makes values of a part (definitions.py) out of what was typed, and shows beside its fields
what the check of values found."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.campaigns import rule_shapes
from apps.campaigns.audience_words import rule_words
from apps.campaigns.definitions import CampaignValues
from apps.core.admin_bases import ModelForm
from apps.core.bodies import decode_bytes
from apps.core.enums import Category, KeyMode
from apps.core.problems import Problem

CODE = {"spellcheck": "false", "autocomplete": "off", "class": "n-editor"}
CHANNELS = [("push", "Push"), ("email", "Email"), ("sms", "SMS"), ("in_app", "In-app")]
CATEGORIES = [(one.value, one.value.title()) for one in Category if one is not Category.CRITICAL]


class PartForm(forms.Form):
    """`places`: the beginning of a pointer -> the field that it is about; the longest wins."""

    places: Mapping[str, str] = {}

    def add_name(self, name: str) -> None:
        """It stands above every tab."""
        self.fields["name"] = forms.CharField(max_length=200, initial=name, widget=UnfoldAdminTextInputWidget)

    def said(self) -> dict[str, Any]:
        """The part, as the API would say it."""
        raise NotImplementedError

    def values(self) -> CampaignValues:
        """Raises Problem."""
        said = self.said() | {name: self.cleaned_data[name] for name in ("name",) if name in self.fields}
        return decode_bytes(msgspec.json.encode(said), CampaignValues)

    def explain(self, problem: Problem) -> None:
        for error in problem.errors:
            found = [place for place in self.places if error.pointer.startswith(place)]
            name = self.places[max(found, key=len)] if found else error.pointer.strip("/").partition("/")[0]
            self.add_error(name if name in self.fields else None, error.detail)
        if not problem.errors:
            self.add_error(None, problem.detail)


class NewCampaignForm(ModelForm):
    """What has to be known before a page can be composed. `Meta.model`: set by the admin."""

    name = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Only you and your colleagues see it."
    )
    mode = forms.ChoiceField(
        label="Reaches",
        choices=[(mode.value, mode.sentence) for mode in KeyMode],
        initial=KeyMode.LIVE.value,
        widget=UnfoldAdminSelectWidget,
    )
    category = forms.ChoiceField(choices=CATEGORIES, initial="marketing", widget=UnfoldAdminSelectWidget)
    channels = forms.MultipleChoiceField(
        choices=CHANNELS, initial=["email"], widget=UnfoldAdminCheckboxSelectMultipleWidget
    )


class AudienceForm(PartForm):
    places: Mapping[str, str] = {
        "/audience": "kind",
        "/audience/include": "kind",
        "/audience/include/users": "users",
        "/audience/exclude": "without",
    }
    kind = forms.ChoiceField(
        label="Chosen by",
        choices=[
            ("some", "Segments, lists or people"),
            ("everyone", "Everybody"),
            ("rules", "Rules of its own"),
        ],
        widget=UnfoldAdminRadioSelectWidget,
    )
    groups = forms.MultipleChoiceField(
        label="Segments and lists",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Whoever is in any of them.",
    )
    users = forms.CharField(
        label="And these people",
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2, "spellcheck": "false"}),
        help_text="User ids, one a line.",
    )
    rules = forms.CharField(
        label="Rules",
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 8, **CODE, "id": "rules"}),
    )
    without = forms.MultipleChoiceField(
        label="But not",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Whoever is in any of them does not get it.",
    )
    without_users = forms.CharField(
        label="Nor these people",
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2, "spellcheck": "false"}),
        help_text="User ids, one a line.",
    )
    is_frozen = forms.ChoiceField(
        label="As of when",
        choices=[
            ("", "When it fires: whoever fits at that moment. Late joiners get it, leavers do not."),
            ("1", "When it is launched: those people are put on a list. Whoever joins later does not get it."),
        ],
        required=False,
        widget=UnfoldAdminRadioSelectWidget,
    )

    def __init__(self, data: Any, *, row: Any, groups: Sequence[tuple[str, str]], names: Mapping[str, str]) -> None:
        """`groups`: what can be chosen; `names`: of all segments and lists by key. `kept_words`: exclusions that only rules can say."""
        include = rule_shapes.read((row.audience or {}).get("include"))
        exclude = rule_shapes.read((row.audience or {}).get("exclude"))
        known = {value for value, _ in groups}
        gone = [(value, f"{value} (gone)") for value in {*include.groups, *exclude.groups} - known]
        self.kept_words = rule_words(exclude.rules, names) if exclude.rules else ""
        self._kept_exclude = (row.audience or {}).get("exclude") if exclude.kind == "rules" else None
        initial = {
            "kind": include.kind,
            "groups": include.groups,
            "users": "\n".join(include.users),
            "rules": json.dumps(include.rules, indent=2, ensure_ascii=False) if include.rules else "",
            "without": exclude.groups,
            "without_users": "\n".join(exclude.users),
            "is_frozen": "1" if row.is_frozen else "",
        }
        super().__init__(data, initial=initial)
        self._order = [*include.groups, *exclude.groups]
        for name in ("groups", "without"):
            self.fields[name].choices = [*groups, *sorted(gone)]  # type: ignore[attr-defined]

    def clean_rules(self) -> Any:
        text = self.cleaned_data["rules"].strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            raise forms.ValidationError(f"This is not JSON{place}.") from None

    def said(self) -> dict[str, Any]:
        given = self.cleaned_data
        include: Any = None
        match given["kind"]:
            case "everyone":
                include = {"everyone": True}
            case "some":
                include = rule_shapes.any_of(self._ordered("groups"), given["users"].split("\n"))
            case "rules":
                include = given["rules"]
        exclude = rule_shapes.any_of(self._ordered("without"), given["without_users"].split("\n"))
        exclude = exclude or self._kept_exclude
        audience = None if include is None else {"include": include, "exclude": exclude}
        return {"audience": audience, "is_frozen": given["is_frozen"] == "1"}

    def _ordered(self, name: str) -> list[str]:
        """What was there stays in its order: saving what nobody changed changes nothing."""
        chosen = self.cleaned_data[name]
        return sorted(chosen, key=lambda one: self._order.index(one) if one in self._order else len(self._order))


class ContentForm(PartForm):
    places: Mapping[str, str] = {"/channels": "channels", "/data": "constants"}
    channels = forms.MultipleChoiceField(
        choices=CHANNELS,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text="Each person gets it on all of these that they allow and have an address for.",
    )
    category = forms.ChoiceField(
        choices=CATEGORIES,
        widget=UnfoldAdminSelectWidget,
        help_text="What a person has switched off does not reach them.",
    )
    mode = forms.ChoiceField(
        label="Reaches", choices=[(mode.value, mode.sentence) for mode in KeyMode], widget=UnfoldAdminSelectWidget
    )
    event_type = forms.CharField(
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget({"list": "event-types", "autocomplete": "off"}),
        help_text="Whose switches, caps and quiet hours hold; without one, the category's.",
    )
    constants = forms.CharField(
        label="Values for the templates",
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3, **CODE}),
        help_text='What {{ data.… }} stands for, the same for everybody: {"sale": {"ends": "Sunday"}}.',
    )

    def __init__(self, data: Any, *, row: Any, variants: Sequence[Any], most: int) -> None:
        initial = {
            "channels": list(row.channels),
            "category": row.category,
            "mode": row.mode,
            "event_type": row.event_type,
            "constants": json.dumps(row.data, indent=2, ensure_ascii=False) if row.data else "",
        }
        super().__init__(data, initial=initial)
        if row.category == Category.CRITICAL:
            self.fields["category"].choices = [*CATEGORIES, ("critical", "Critical")]  # type: ignore[attr-defined]
        self._rows = list(variants)[:most]
        for place, variant in enumerate(self._rows):
            self.fields[f"v{place}-name"] = forms.CharField(
                label="Name", max_length=63, initial=variant.name, widget=UnfoldAdminTextInputWidget
            )
            self.fields[f"v{place}-template"] = forms.CharField(
                label="Template",
                max_length=100,
                required=False,
                initial=variant.template_key,
                widget=UnfoldAdminTextInputWidget({"list": "templates", "autocomplete": "off", "spellcheck": "false"}),
            )

    def clean_constants(self) -> Any:
        text = self.cleaned_data["constants"].strip()
        try:
            found = json.loads(text) if text else {}
        except (ValueError, RecursionError) as error:
            place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            raise forms.ValidationError(f"This is not JSON{place}.") from None
        if not isinstance(found, dict):
            raise forms.ValidationError('A JSON object: {"name": "value"}.')
        return found

    def said(self) -> dict[str, Any]:
        given = self.cleaned_data
        variants = [
            {
                "name": given[f"v{place}-name"],
                "template_key": given[f"v{place}-template"].strip(),
                "weight": variant.weight,
            }
            for place, variant in enumerate(self._rows)
        ]
        return {
            "channels": given["channels"],
            "category": given["category"],
            "mode": given["mode"],
            "event_type": given["event_type"].strip(),
            "data": given["constants"],
            "variants": variants,
        }

    def explain(self, problem: Problem) -> None:
        for place in range(len(self._rows)):
            for name, field in (("name", "name"), ("template_key", "template")):
                self.places = {**self.places, f"/variants/{place}/{name}": f"v{place}-{field}"}
        super().explain(problem)
