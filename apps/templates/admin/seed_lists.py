"""Seed lists: who gets test sends together."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join

from apps.audience import selectors as audience
from apps.core.admin_bases import ModelAdmin, ModelForm, display
from apps.core.enums import Channel
from apps.core.problems import Problem
from apps.templates import models, seeds
from apps.templates.admin.doors import tenant_of
from apps.templates.admin.trying import PeopleField
from apps.tenants.selectors import tenant_by_id
from apps.tenants.tenant_filter import TenantColumn, TenantFilter


class SeedListForm(ModelForm):
    people = PeopleField(
        help_text="user_ids, email addresses or phone numbers, one to a line, at most 50. An address becomes a person of its own "
        "(test_…) and is kept encrypted, like every other."
    )

    class Meta:
        model = models.SeedList
        fields = ("tenant", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.user_ids:
            self.fields["people"].initial = "\n".join(self.instance.user_ids)

    def clean(self) -> dict[str, Any]:
        """Saved here, so that what is wrong stands beside the field."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        tenant = said.get("tenant") or (self.instance.tenant if self.instance.tenant_id else None)
        found = tenant_by_id(tenant.id) if tenant else None
        name = said.get("name") or self.instance.name
        if found is not None and name and "people" in said:
            user_ids, addresses = said["people"]
            try:
                seeds.refuse_unknown(found, user_ids, "/user_ids")
                seeds.people_at(found, addresses, "/addresses")
            except Problem as problem:
                raise forms.ValidationError([error.detail for error in problem.errors]) from None
        return said


@admin.register(models.SeedList)
class SeedListAdmin(TenantColumn, ModelAdmin):
    form = SeedListForm
    list_display = ("name", "size", "tenant")
    list_filter = (TenantFilter,)
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("tenant", "name", "people", "reached")
    readonly_fields = ("reached",)
    empty_sentence = "A seed list is people who get test sends together: yourself, the team, a phone on the desk."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "name", "reached") if obj else ("reached",)

    @display(description="People")
    def size(self, row: Any) -> int:
        return len(row.user_ids)

    @display(description="Reached at")
    def reached(self, row: Any) -> str:
        """Each with what is shown of their addresses."""
        if not row.user_ids:
            return "-"
        found = audience.recipient_ids(row.tenant_id, set(row.user_ids))
        theirs = audience.endpoints_of(found.values(), tuple(Channel))
        return format_html_join(
            "",
            "<p>{}: {}</p>",
            (
                (user_id, ", ".join(e.masked for e in theirs.get(found[user_id], ()) if not e.is_retired) or "nowhere")
                if user_id in found
                else (user_id, "not known any more")
                for user_id in row.user_ids
            ),
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        user_ids, addresses = form.cleaned_data["people"]
        saved = seeds.save_seed_list(tenant=tenant_of(obj), name=obj.name, user_ids=user_ids, addresses=addresses)
        row = models.SeedList.objects.of(obj.tenant_id).get(name=saved.name)
        obj.id, obj.user_ids = row.id, row.user_ids
