"""The draft of one template on its page: shown, taken, saved, published. What is typed is never lost to an error."""

import json
from typing import Any
from uuid import UUID

from django.forms import BoundField
from django.http import QueryDict

from apps.core.enums import Category, Channel
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import engine, models, selectors
from apps.templates.admin.mistakes import Mistake, mistakes
from apps.templates.admin.saying import published
from apps.templates.drafting import save_over, shown_version
from apps.templates.forms import DraftForm, VariantForm, stored_variants, typed_variants
from apps.templates.gate import check, publish_checked
from apps.templates.proving import Source
from apps.templates.reviewing import category_of
from apps.templates.rollout import rollout
from apps.templates.selectors import VersionRow
from apps.templates.services import MOST_VARIANTS
from apps.templates.trying import Kind, context_for
from apps.templates.usage import usage_of
from apps.templates.variables import known_names

STEPS_SHOWN = 20
SAVED = "The draft is saved. Nothing is sent with it until it is published."
VERSIONS_SHOWN = 10
_TAGS = ("assign", "break", "capture", "case", "continue", "cycle", "else", "elsif", "endcapture", "endcase", "endfor")
_MORE_TAGS = ("endif", "endunless", "for", "if", "render", "unless", "when")


class Editor:
    """`is_done`: the page may be left; otherwise it shows again what was typed, and what is wrong with it. `is_to_be_seen`: the draft is
    saved, and what publishing it would change is for somebody to look at."""

    def __init__(self, tenant: Tenant, template: models.Template) -> None:
        self.is_done = self.is_to_be_seen = False
        self._tenant = tenant
        self._template = template
        self._kind = {"is_layout": template.is_layout, "is_partial": template.is_partial}
        self._mistakes: list[Mistake] = []
        self._is_newer = False
        self._active = 0
        self._shown = shown_version(tenant, template.id)
        self._is_draft = self._shown is not None and self._shown.published_at is None
        rows = selectors.variants(tenant, self._shown.id) if self._shown else []
        self._variants: list[VariantForm] = stored_variants(rows, **self._kind)
        self._sample: dict[str, Any] = dict(self._shown.sample) if self._shown else {}
        initial = {
            "name": template.name,
            "layout": self._shown.layout if self._shown else "",
            "sample": json.dumps(self._sample, indent=2, ensure_ascii=False) if self._sample else "",
            "base": self._shown.id if self._shown else "",
        }
        self._form = self._draft_form(initial=initial)

    def take(self, data: QueryDict, *, by: str) -> str:
        """What was done, in a sentence; "" when nothing was."""
        self._variants = typed_variants(data, **self._kind, most=MOST_VARIANTS)
        self._form = self._draft_form(data=data)
        self._active = len(self._variants) - 1 if "add" in data else _place(data)
        if not self._form.is_valid() or "add" in data:
            return ""
        number = 0
        try:
            number = self._save(data).number
            if "publish" not in data and "stage" not in data:
                self.is_done = True
                return SAVED
            if self._must_be_seen() or "stage" in data:
                self.is_done = self.is_to_be_seen = True
                return ""
            number = publish_checked(tenant=self._tenant, key=self._template.key, by=by)
        except Problem as problem:
            self._mistakes = mistakes(problem, self._variants)
            self._is_newer = problem.code is Code.CONFLICT and bool(problem.errors)
            self._is_draft = self._is_draft or bool(number)
            return ""
        self.is_done = True
        return published(number, 100)

    def autosave(self, data: QueryDict) -> VersionRow:
        """Raises Problem: conflict, validation_error, in words for whoever types."""
        self._variants = typed_variants(data, **self._kind, most=MOST_VARIANTS)
        self._form = self._draft_form(data=data)
        if not self._form.is_valid():
            said = " ".join(f"{name}: {errors[0]}" for name, errors in self._form.errors.items())
            raise Problem(Code.VALIDATION_ERROR, said)
        return self._save(data)

    def context(self) -> dict[str, Any]:
        return {
            "form": self._form,
            "variants": [(form, self._fields(form)) for form in self._variants],
            "channels": [Channel.EMAIL.value] if self._template.is_layout else [channel.value for channel in Channel],
            "mistakes": self._mistakes,
            "is_newer": self._is_newer,
            "is_draft": self._is_draft,
            "active": self._active,
            "category": category_of(self._tenant, self._template.key) or "",
            "categories": [category.value for category in Category],
            "completions": completions(self._tenant, self._sample),
            "versions": self._versions(),
            "rollout": rollout(self._tenant, self._template.key),
            "uses": usage_of(tenant=self._tenant, key=self._template.key),
            "steps": selectors.steps(self._tenant, self._template.id, STEPS_SHOWN),
        }

    def _fields(self, form: VariantForm) -> list[tuple[BoundField, list[Mistake]]]:
        """Each with what is wrong with it."""
        return [(field, [one for one in self._mistakes if one.anchor == field.auto_id]) for field in form]

    def _save(self, data: QueryDict) -> VersionRow:
        shown = self._shown.id if self._shown else None
        base: UUID | None = self._form.cleaned_data["base"] if "base" in data and "over" not in data else shown
        return save_over(
            tenant=self._tenant,
            key=self._template.key,
            base=base,
            name=self._form.cleaned_data["name"],
            variants=[
                Source(form.channel, str(form["locale"].value() or "").strip(), form.content) for form in self._variants
            ],
            layout=self._form.cleaned_data.get("layout", ""),
            sample=self._form.cleaned_data["sample"],
            **self._kind,
        )

    def _must_be_seen(self) -> bool:
        """Raises Problem: template_invalid, with what is wrong with the draft itself."""
        found = check(tenant=self._tenant, key=self._template.key)
        if found.errors:
            raise Problem(Code.TEMPLATE_INVALID, found.text, errors=list(found.errors))
        return found.has_breaks or found.has_changes or bool(found.lacks)

    def _draft_form(self, **kwargs: Any) -> DraftForm:
        layouts = models.Template.objects.of(self._tenant).filter(is_layout=True).order_by("key")
        keys = list(layouts.values_list("key", flat=True))
        return DraftForm(layouts=keys, wears_one=not any(self._kind.values()), **kwargs)

    def _versions(self) -> list[dict[str, Any]]:
        rows = models.TemplateVersion.objects.of(self._tenant).filter(
            template=self._template, published_at__isnull=False
        )
        fields = ("id", "number", "published_at", "published_by")
        return [
            {"number": number, "at": at, "by": by, "is_current": id_ == self._template.current_id}
            for id_, number, at, by in rows.order_by("-number").values_list(*fields)[:VERSIONS_SHOWN]
        ]


def kind_of(tenant: Tenant, template: models.Template, data: QueryDict) -> Kind:
    """What is typed, with the layout and the category that were chosen on the page."""
    chosen = data.get("category", "")
    category = Category(chosen) if chosen in set(Category) else category_of(tenant, template.key)
    return Kind(template.is_layout, template.is_partial, data.get("layout", ""), category)


def completions(tenant: Tenant, sample: dict[str, Any]) -> dict[str, list[str]]:
    """What may be written: variables, filters, tags."""
    names = known_names(context_for(tenant, sample, ""))
    return {"names": names, "filters": sorted(engine.TEXT.filters), "tags": sorted((*_TAGS, *_MORE_TAGS))}


def _place(data: QueryDict) -> int:
    said = data.get("at", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 4 else 0
