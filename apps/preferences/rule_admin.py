"""The pages of default quiet hours and frequency caps."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin_bases import ModelAdmin, display
from apps.core.admin_filters import one_of
from apps.core.enums import CapPeriod
from apps.preferences import models
from apps.preferences.choosing import forget_cached
from apps.preferences.rule_forms import FrequencyCapForm, QuietHoursForm
from apps.preferences.tenant_rules import MOST_CAPS
from apps.preferences.topics import CHANNELS
from apps.tenants.tenant_filter import TenantColumn, TenantFilter


class RuleAdmin(TenantColumn, ModelAdmin):
    """What a tenant lays down under a name; in force within a second."""

    list_select_related = ("tenant",)
    search_fields: ClassVar[tuple[str, ...]] = ("name",)
    ordering: ClassVar[tuple[str, ...]] = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "name") if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_cached()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        forget_cached()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        forget_cached()


@admin.register(models.QuietHoursRule)
class QuietHoursRuleAdmin(RuleAdmin):
    form = QuietHoursForm
    list_display = ("name", "hours", "where", "what", "binds", "tenant")
    list_filter = (TenantFilter,)
    empty_sentence = "Nobody's night is quiet yet, except for those who chose quiet hours themselves."

    @display(description="Hours")
    def hours(self, row: models.QuietHoursRule) -> str:
        return f"{row.start // 60:02}:{row.start % 60:02} to {row.end // 60:02}:{row.end % 60:02}"

    @display(description="Where")
    def where(self, row: models.QuietHoursRule) -> str:
        return row.country or "everywhere"

    @display(description="For")
    def what(self, row: models.QuietHoursRule) -> str:
        return f"{', '.join(row.categories) or 'all'} by {', '.join(row.channels) or 'push, email, sms'}"

    @display(description="Binds")
    def binds(self, row: models.QuietHoursRule) -> str:
        return "everybody" if row.is_locked else "who chose none"


@admin.register(models.FrequencyCap)
class FrequencyCapAdmin(RuleAdmin):
    form = FrequencyCapForm
    list_display = ("name", "at_most", "topic", "channel", "tenant")
    list_filter = (one_of("channel", CHANNELS), one_of("period", CapPeriod), TenantFilter)
    empty_sentence = f"No cap: people get whatever is sent to them. A tenant may have {MOST_CAPS}."

    @display(description="At most")
    def at_most(self, row: models.FrequencyCap) -> str:
        if row.period != CapPeriod.ROLLING:
            return f"{row.limit:,} a {row.period}"
        return f"{row.limit:,} in {row.window_seconds:,} s"
