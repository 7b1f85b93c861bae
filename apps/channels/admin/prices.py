"""The price table: what one part of a message costs."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import RegexValidator
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from apps.channels.models import Price
from apps.core.admin_bases import ModelAdmin, ModelForm, display, moment
from apps.core.admin_filters import one_of
from apps.core.enums import Channel
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_MICROS = 1_000_000


def _amount(label: str, help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        help_text=help_text,
        min_value=0,
        max_value=10_000,
        max_digits=11,
        decimal_places=6,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.000001", "inputmode": "decimal"}),
    )


class PriceForm(ModelForm):
    currency = forms.CharField(
        initial="EUR",
        max_length=3,
        validators=[RegexValidator("^[A-Z]{3}$", "Three capital letters, like EUR.")],
        widget=UnfoldAdminTextInputWidget,
    )
    lowest = _amount("At least", "For one part: a mail, a push, a segment of an SMS.")
    highest = _amount("At most", "The same, unless the provider's price differs by network or volume.")

    class Meta:
        model = Price
        fields = ("tenant", "channel", "provider", "account", "place", "currency", "valid_from")
        help_texts = {
            "tenant": "Empty: for all tenants.",
            "provider": "Empty: any.",
            "account": "The key of an account. Empty: any.",
            "place": "How a number begins: +49, +1. Empty: anywhere.",
            "valid_from": "What was sent before keeps the price it had.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.low is not None:
            self.fields["lowest"].initial = Decimal(self.instance.low) / _MICROS
            self.fields["highest"].initial = Decimal(self.instance.high) / _MICROS

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        low, high = said.get("lowest"), said.get("highest")
        if low is not None and high is not None:
            if high < low:
                raise forms.ValidationError({"highest": "Not less than the least."})
            self.instance.low, self.instance.high = int(low * _MICROS), int(high * _MICROS)
        return said


@admin.register(Price)
class PriceAdmin(TenantColumn, ModelAdmin):
    form = PriceForm
    list_display = ("where", "tenant", "provider", "account", "amount", "since")
    list_filter = (one_of("channel", Channel), TenantFilter)
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("provider", "account", "place")
    ordering = ("channel", "place", "-valid_from")
    fields = ("tenant", "channel", "provider", "account", "place", ("lowest", "highest", "currency"), "valid_from")
    empty_sentence = "With prices campaigns say what they cost before they are sent, and what they did cost afterwards."

    @display(description="For")
    def where(self, row: Any) -> str:
        return f"{row.channel} {row.place or 'anywhere'}"

    @display(description="A part")
    def amount(self, row: Any) -> str:
        low, high = (f"{Decimal(micros) / _MICROS:f}" for micros in (row.low, row.high))
        return f"{low if low == high else f'{low} to {high}'} {row.currency}"

    @display(description="From")
    def since(self, row: Any) -> Any:
        return moment(row.valid_from)
