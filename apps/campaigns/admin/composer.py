"""One campaign on its page: a tab shown, what was typed taken and kept. What is typed is never lost to an error, nor to somebody else."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from apps.audience.segments import stored
from apps.campaigns import checking, schedule_words
from apps.campaigns.admin.tabs import BY_NAME, TABS, Tab, states
from apps.campaigns.audience_words import audience_words, named_in
from apps.campaigns.composing import save_part
from apps.campaigns.definitions import CampaignValues
from apps.campaigns.forms import PartForm
from apps.campaigns.lifecycle import CampaignStatus
from apps.campaigns.models import Campaign, Variant
from apps.core import clock
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant

_FIELDS = {
    "audience": "the audience",
    "is_frozen": "as of when the audience is",
    "variants": "the variants",
    "data": "the values for templates",
    "schedule": "the schedule",
    "expires_after": "when it expires",
}


class Composer:
    """`is_saved`: what was typed is kept. `stale`: who saved something newer meanwhile, and what differs from what stands here now."""

    def __init__(self, tenant: Tenant, row: Any, tab: str) -> None:
        self.tenant, self.row = tenant, row
        self.tab: Tab = BY_NAME.get(tab, TABS[0])
        self.is_saved = False
        self.changed: tuple[str, ...] = ()
        self.stale: dict[str, Any] | None = None
        self._load()
        self.form: PartForm = self._make(None)

    @property
    def is_open(self) -> bool:
        """A draft: it can be changed."""
        return bool(self.row.status == CampaignStatus.DRAFT)

    def take(self, data: QueryDict, *, by: str) -> None:
        """`over`: the version that was seen to be somebody else's and is to be replaced."""
        self.form = self._make(data)
        if not self.form.is_valid():
            return
        try:
            self._save(self.form.values(), _number(data.get("over") or data.get("version")), by)
        except Problem as problem:
            if problem.code is Code.STALE_VERSION:
                self._explain_stale()
            else:
                self.form.explain(problem)

    def context(self) -> dict[str, Any]:
        findings = checking.findings(self.tenant, self.row, self.variants, clock.now())
        by_tab = states(findings)
        return {
            "campaign": self.row,
            "variants": self.variants,
            "form": self.form,
            "tab": self.tab,
            "tabs": [{"name": one.name, "title": one.title, "state": by_tab[one.name]} for one in TABS],
            "findings": findings,
            "here": [one for one in findings if one.tab == self.tab.name],
            "summary": self.summary(),
            "is_open": self.is_open,
            "is_saved": self.is_saved,
            "stale": self.stale,
            "status": CampaignStatus(self.row.status),
        }

    def summary(self) -> Mapping[str, Any]:
        row = self.row
        names = {name: one.name for name, one in stored.by_names(self.tenant.id, named_in(row.audience)).items()}
        written = [one for one in self.variants if one.template_key]
        return {
            "audience": audience_words(row.audience, names),
            "as_of": "as of its launch" if row.is_frozen else "as of when it fires",
            "channels": [name.replace("_", "-") for name in row.channels],
            "content": [(one.name, one.template_key, one.is_own) for one in written],
            "variants": len(self.variants),
            "test": row.test,
            "first": self.variants[0].name if self.variants else "",
            "holdout": row.holdout,
            "when": schedule_words.when(row.schedule),
            "throttle": row.throttle,
            "ramp": schedule_words.ramp_words(row.ramp, row.ramp_minutes),
            "expires": schedule_words.span(row.expires_after) if row.expires_after else "",
        }

    def _save(self, values: CampaignValues, version: int, by: str) -> None:
        saved = save_part(
            tenant=self.tenant, campaign_id=self.row.id, values=values, version=version, by=by, now=clock.now()
        )
        self.is_saved, self.changed = True, saved.changed
        if saved.changed:
            self._load()

    def _load(self) -> None:
        self.row = Campaign.objects.of(self.tenant).get(id=self.row.id)
        self.variants = list(Variant.objects.of(self.tenant).filter(campaign_id=self.row.id).order_by("position"))

    def _make(self, data: QueryDict | None) -> PartForm:
        form = self.tab.make(data, self.row, self.tenant, self.variants)
        form.add_name(self.row.name)
        if not self.is_open:
            for field in form.fields.values():
                field.disabled = True
        return form

    def _explain_stale(self) -> None:
        """Against what stands there now: fields of this tab whose typed value is another."""
        self._load()
        typed, theirs = self.form, self._make(None)
        differs = [
            {"label": field.label, "mine": _shown(typed, name), "theirs": _shown(theirs, name)}
            for name, field in theirs.fields.items()
            if name in typed.fields and _shown(typed, name) != _shown(theirs, name)
        ]
        self.stale = {"by": self.row.changed_by, "at": self.row.updated_at, "differs": differs}


def said_of(changed: tuple[str, ...]) -> str:
    """For the audit: `Changed the audience, throttle.`"""
    return f"Changed {', '.join(_FIELDS.get(name, name.replace('_', ' ')) for name in changed)}."


def _shown(form: PartForm, name: str) -> str:
    value = form[name].value()
    choices = dict(getattr(form.fields[name], "choices", None) or {})
    values = value if isinstance(value, list | tuple) else [value]
    texts = [str(choices.get(one, one)) for one in values if one not in (None, "")]
    return ", ".join(sorted(texts)).replace("\r\n", "\n").strip() or "nothing"


def _number(text: str | None) -> int:
    """0 is no version of anything."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0
