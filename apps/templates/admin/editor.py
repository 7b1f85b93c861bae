"""The draft of one template on its page: shown, taken, saved, published. What is typed is never lost to an error."""

import json
from typing import Any

from django.forms import BoundField
from django.http import QueryDict

from apps.core.enums import Channel
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import models, selectors
from apps.templates.admin.mistakes import Mistake, mistakes
from apps.templates.forms import DraftForm, VariantForm, stored_variants, typed_variants
from apps.templates.services import MOST_VARIANTS, Source, publish, save_draft

STEPS_SHOWN = 20
VERSIONS_SHOWN = 50


class Editor:
    """`is_done`: the page may be left; otherwise it shows again what was typed, and what is wrong with it."""

    def __init__(self, tenant: Tenant, template: models.Template) -> None:
        self.is_done = False
        self._tenant = tenant
        self._template = template
        self._mistakes: list[Mistake] = []
        self._shown = selectors.draft(tenant, template.id) or self._current()
        self._is_draft = self._shown is not None and self._shown.published_at is None
        rows = selectors.variants(tenant, self._shown.id) if self._shown else []
        self._variants: list[VariantForm] = stored_variants(rows, is_layout=template.is_layout)
        sample = dict(self._shown.sample) if self._shown else {}
        layout = self._shown.layout if self._shown else ""
        initial = {
            "name": template.name,
            "layout": layout,
            "sample": json.dumps(sample, indent=2, ensure_ascii=False) if sample else "",
        }
        self._form = self._draft_form(initial=initial)

    def take(self, data: QueryDict, *, by: str) -> str:
        """What was done, in a sentence; "" when nothing was."""
        self._variants = typed_variants(data, is_layout=self._template.is_layout, most=MOST_VARIANTS)
        self._form = self._draft_form(data=data)
        if not self._form.is_valid() or "add" in data:
            return ""
        number = 0
        try:
            number = self._save()
            if "publish" not in data:
                self.is_done = True
                return "The draft is saved. Nothing is sent with it until it is published."
            number = publish(tenant=self._tenant, key=self._template.key, by=by)
        except Problem as problem:
            self._mistakes = mistakes(problem, self._variants)
            self._is_draft = self._is_draft or bool(number)
            return ""
        self.is_done = True
        return f"Version {number} is published: from now on it is what is sent."

    def context(self) -> dict[str, Any]:
        return {
            "form": self._form,
            "variants": [(form, self._fields(form)) for form in self._variants],
            "channels": [Channel.EMAIL.value] if self._template.is_layout else [channel.value for channel in Channel],
            "mistakes": self._mistakes,
            "is_draft": self._is_draft,
            "versions": self._versions(),
            "steps": selectors.steps(self._tenant, self._template.id, STEPS_SHOWN),
        }

    def _fields(self, form: VariantForm) -> list[tuple[BoundField, list[Mistake]]]:
        """Each with what is wrong with it."""
        return [(field, [one for one in self._mistakes if one.anchor == field.auto_id]) for field in form]

    def _save(self) -> int:
        saved = save_draft(
            tenant=self._tenant,
            key=self._template.key,
            name=self._form.cleaned_data["name"],
            variants=[
                Source(form.channel, str(form["locale"].value() or "").strip(), form.content) for form in self._variants
            ],
            layout=self._form.cleaned_data.get("layout", ""),
            sample=self._form.cleaned_data["sample"],
            is_layout=self._template.is_layout,
        )
        return saved.number

    def _draft_form(self, **kwargs: Any) -> DraftForm:
        layouts = models.Template.objects.of(self._tenant).filter(is_layout=True).order_by("key")
        keys = list(layouts.values_list("key", flat=True))
        return DraftForm(layouts=keys, is_layout=self._template.is_layout, **kwargs)

    def _current(self) -> selectors.VersionRow | None:
        current = self._template.current
        return selectors.version_by_number(self._tenant, self._template.id, current.number) if current else None

    def _versions(self) -> list[dict[str, Any]]:
        rows = models.TemplateVersion.objects.of(self._tenant).filter(
            template=self._template, published_at__isnull=False
        )
        fields = ("id", "number", "published_at", "published_by")
        return [
            {"number": number, "at": at, "by": by, "is_current": id_ == self._template.current_id}
            for id_, number, at, by in rows.order_by("-number").values_list(*fields)[:VERSIONS_SHOWN]
        ]
