"""Test sends from the admin: to oneself, to people or a seed list, into the sandbox or for real."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.admin_bases import operator
from apps.core.enums import Channel
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import models, seeds, selectors
from apps.templates.admin.doors import tenant_of
from apps.templates.test_sending import Sent, Wish, send_test

MODES = (("test", "Into the sandbox: nothing leaves"), ("live", "For real: it reaches these people"))


class PeopleField(forms.CharField):
    """One to a line or with commas between: user_ids, email addresses, phone numbers. Cleaned: (user_ids, addresses)."""

    def __init__(self, **options: Any) -> None:
        widget = UnfoldAdminTextareaWidget({"rows": 3, "spellcheck": "false", "autocomplete": "off"})
        super().__init__(required=False, widget=widget, max_length=20_000, **options)

    def clean(self, value: Any) -> Any:
        names = [name.strip() for name in super().clean(value).replace(",", "\n").splitlines() if name.strip()]
        is_address = {name: "@" in name or name.startswith("+") for name in names}
        return (
            tuple(name for name in is_address if not is_address[name]),
            tuple(name for name in is_address if is_address[name]),
        )


class TestForm(forms.Form):
    __test__ = False

    people = PeopleField(help_text="user_ids, email addresses or phone numbers (+49…), one to a line.")
    seed_list = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    channels = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: all that it has.",
    )
    locale = forms.CharField(
        required=False,
        max_length=35,
        widget=UnfoldAdminTextInputWidget({"placeholder": "each reader's own"}),
    )
    version = forms.TypedChoiceField(required=False, coerce=int, empty_value=None, widget=UnfoldAdminSelectWidget)
    mode = forms.ChoiceField(choices=MODES, initial="test", widget=UnfoldAdminRadioSelectWidget)

    def __init__(self, *args: Any, tenant: Tenant, template: models.Template, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lists = [("", "none"), *((one.name, f"{one.name} ({len(one.user_ids)})") for one in seeds.seed_lists(tenant))]
        self._choose("seed_list", lists)
        draft = selectors.draft(tenant, template.id)
        published = [template.current, template.staged]
        numbers = dict.fromkeys(version.number for version in published if version is not None)
        first = ("", "the draft" if draft else "the current version")
        self._choose("version", [first, *((str(number), f"version {number}") for number in numbers)])
        shown = draft or (
            template.current and selectors.version_by_number(tenant, template.id, template.current.number)
        )
        known = {row.channel for row in selectors.variants(tenant, shown.id)} if shown else set()
        self._choose("channels", [(c.value, c.value.replace("_", "-")) for c in Channel if c in known])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices


class TryingPages:
    """Mixed into the page of templates."""

    opts: Any
    admin_site: Any
    seen: Any
    log_change: Any
    has_change_permission: Any

    def test_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        template = self.seen(request, object_id)
        if not self.has_change_permission(request, template):
            raise PermissionDenied
        tenant = tenant_of(template)
        mine = {"people": getattr(request.user, "email", "")}
        form = TestForm(request.POST or None, tenant=tenant, template=template, initial=mine)
        sent: list[Sent] = []
        if request.method == "POST" and form.is_valid():
            sent = self._sent(request, tenant, template, form)
            if sent:
                return HttpResponseRedirect(f"{request.path}?{'&'.join(f'sent={one.id}' for one in sent)}")
        context = {
            **self.admin_site.each_context(request),
            "title": f"{template.key}: test send",
            "opts": self.opts,
            "template": template,
            "original": template,
            "form": form,
            "sent": [
                (shown, reverse("admin:ledger_notification_change", args=[shown]))
                for shown in request.GET.getlist("sent")[: seeds.MOST * len(Channel)]
            ],
        }
        return TemplateResponse(request, "admin/templates/trying.html", context)

    def _sent(self, request: HttpRequest, tenant: Tenant, template: Any, form: TestForm) -> list[Sent]:
        said = form.cleaned_data
        user_ids, addresses = said["people"]
        wish = Wish(
            key=template.key,
            by=operator(request),
            is_live=said["mode"] == "live",
            user_ids=user_ids,
            addresses=addresses,
            seed_list=said["seed_list"],
            channels=tuple(map(Channel, said["channels"])),
            locale=said["locale"].strip(),
            version=said["version"],
        )
        try:
            sent = list(send_test(tenant, wish))
        except Problem as problem:
            for said_of_it in [error.detail for error in problem.errors] or [problem.detail]:
                form.add_error(None, said_of_it)
            return []
        where = "for real" if wish.is_live else "to the sandbox"
        text = f"Sent {len(sent)} test message{'' if len(sent) == 1 else 's'} {where}, marked [TEST]."
        self.log_change(request, template, text)
        messages.success(request, text)
        return sent
