"""A tenant's rules for campaigns: who has to agree when, and what may be spent."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import RegexValidator
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from apps.campaigns import money
from apps.campaigns.models import Policy
from apps.core.admin_bases import ModelAdmin, ModelForm, display
from apps.core.enums import Channel
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_MOST = Decimal(1_000_000_000)


def _amount(label: str, help_text: str = "", *, required: bool = False) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        help_text=help_text,
        required=required,
        min_value=0,
        max_value=_MOST,
        max_digits=15,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.01", "inputmode": "decimal"}),
    )


class PolicyForm(ModelForm):
    currency = forms.CharField(
        initial="EUR",
        max_length=3,
        validators=[RegexValidator("^[A-Z]{3}$", "Three capital letters, like EUR.")],
        widget=UnfoldAdminTextInputWidget,
        help_text="Of all amounts here; prices in other currencies do not count.",
    )
    approval_above = _amount("Approval above this cost", required=True)
    day_push = _amount("Push a day", "Empty: no limit.")
    day_email = _amount("Email a day", "Empty: no limit.")
    day_sms = _amount("SMS a day", "Empty: no limit. A day begins at midnight UTC.")

    class Meta:
        model = Policy
        fields = (
            *("tenant", "currency", "approval_above_people", "approval_for_keys"),
            *("growth_percent", "type_number_above", "refuses_over_budget"),
        )
        labels = {
            "approval_above_people": "Approval above so many people",
            "growth_percent": "Growth in percent",
            "approval_for_keys": "API keys need approvals, too",
            "type_number_above": "Type the number above",
            "refuses_over_budget": "Refuse what costs too much",
        }
        help_texts = {
            "approval_above_people": "Of the audience. 0: always.",
            "growth_percent": "An approval is void when people or cost grow by more.",
            "approval_for_keys": "Otherwise a key that may launch launches.",
            "type_number_above": "Whoever launches to more people types how many they are.",
            "refuses_over_budget": "A campaign whose least cost is more than what is left is not launched. Otherwise it stops at the cap.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["approval_above"].initial = Decimal(self.instance.approval_above_micros) / money.MICROS
        for name, channel in _DAYS.items():
            cap = (self.instance.day_budgets or {}).get(channel)
            self.fields[name].initial = None if cap is None else Decimal(cap) / money.MICROS

    def save(self, commit: bool = True) -> Any:
        said = self.cleaned_data
        self.instance.approval_above_micros = int(said["approval_above"] * money.MICROS)
        caps = {channel: said[name] for name, channel in _DAYS.items()}
        self.instance.day_budgets = {c: int(cap * money.MICROS) for c, cap in caps.items() if cap is not None}
        return super().save(commit)


_DAYS = {"day_push": Channel.PUSH.value, "day_email": Channel.EMAIL.value, "day_sms": Channel.SMS.value}


@admin.register(Policy)
class PolicyAdmin(TenantColumn, ModelAdmin):
    form = PolicyForm
    list_display = ("tenant", "asks", "spends")
    list_display_links = ("tenant",)
    list_filter = (TenantFilter,)
    list_filter_submit = True
    list_select_related = ("tenant",)
    ordering = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "currency")}),
        (
            "Approvals",
            {
                "fields": (
                    "approval_above_people",
                    "approval_above",
                    "growth_percent",
                    "approval_for_keys",
                    "type_number_above",
                )
            },
        ),
        ("Budgets", {"fields": ("day_push", "day_email", "day_sms", "refuses_over_budget")}),
    )
    empty_sentence = (
        "Without rules of its own a tenant asks for approvals above 1,000 people or a cost of 100, and has no budgets."
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant",) if obj else ()

    @display(description="Approvals")
    def asks(self, row: Any) -> str:
        return f"above {row.approval_above_people:,} people or {money.words(row.approval_above_micros, row.currency)}"

    @display(description="A day")
    def spends(self, row: Any) -> str:
        caps = [f"{channel} {money.words(cap, row.currency)}" for channel, cap in (row.day_budgets or {}).items()]
        return ", ".join(caps) or "no limit"
