"""What a campaign may cost and when its brake stops it, where that differs from the tenant's policy."""

from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from apps.campaigns.braking import RULES
from apps.campaigns.forms import CHANNELS, PartForm
from apps.campaigns.money import MICROS


class LimitsForm(PartForm):
    def __init__(self, data: Any, *, row: Any, currency: str, policy_brake: Any) -> None:
        super().__init__(data)
        places: dict[str, str] = {}
        budget, brake = row.budget or {}, row.brake or {}
        names = [("total", "In all"), *((name, f"{label} a day") for name, label in CHANNELS if name in row.channels)]
        self._kept = {name: micros for name, micros in budget.items() if name not in dict(names)}
        self.budgets = [f"b-{name}" for name, _ in names]
        for name, label in names:
            self.fields[f"b-{name}"] = forms.DecimalField(
                label=f"{label} ({currency})",
                required=False,
                min_value=0,
                max_value=10**9,
                decimal_places=6,
                initial=None if name not in budget else (Decimal(budget[name]) / MICROS).normalize(),
                widget=UnfoldAdminDecimalFieldWidget,
            )
            places[f"/budget/{name}"] = f"b-{name}"
        self.brakes = [f"k-{rule.name}" for rule in RULES]
        for rule in RULES:
            usual = (policy_brake or {}).get(rule.name, rule.default)
            self.fields[f"k-{rule.name}"] = forms.FloatField(
                label=f"{rule.label} (%)",
                required=False,
                min_value=0,
                max_value=100,
                initial=brake.get(rule.name),
                widget=UnfoldAdminDecimalFieldWidget({"placeholder": f"{usual:g}"}),
            )
            places[f"/brake/{rule.name}"] = f"k-{rule.name}"
        self.places = places

    def said(self) -> dict[str, Any]:
        given = self.cleaned_data
        budget = {name[2:]: int(given[name] * MICROS) for name in self.budgets if given[name] is not None}
        brake = {name[2:]: given[name] for name in self.brakes if given[name] is not None}
        return {"budget": self._kept | budget, "brake": brake}
