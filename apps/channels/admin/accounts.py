"""Provider accounts: made, changed, switched off and on. Credentials are write-only."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.channels import models
from apps.channels.admin.health import forget_health, seen_health
from apps.channels.forms import AccountForm, SwitchOffForm
from apps.channels.selectors import forget_cached, opened
from apps.channels.services import create_account, switch_off, switch_on, update_account
from apps.core import crypto
from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import TONES, ModelAdmin, action, display, operator
from apps.core.admin_filters import one_of
from apps.core.admin_panels import panel
from apps.core.enums import Channel
from apps.tenants.tenant_filter import TenantFilter


@admin.register(models.ProviderAccount)
class ProviderAccountAdmin(ModelAdmin):
    form = AccountForm
    list_display = ("key", "state", "health", "lately", "channel", "provider", "serves", "order", "sender")
    list_editable = ("order",)
    list_filter = (one_of("channel", Channel), TenantFilter)
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("key", "provider", "sender")
    ordering = ("channel", "order", "key")
    sortable_by = ()
    actions_detail = ("turn_on", "turn_off", "reset")
    empty_sentence = "Test keys need none: they reach the sandbox. Live messages need an account for each channel."
    _secrets = ("Secrets", {"fields": ("stored", "credentials", "webhook_secrets")})
    _fixed = ("key", "state", "off_reason", "health", "lately", "tenant", "provider", "channel", "receipts_url")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return models.ProviderAccount.objects.all_tenants()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            said = ("key", "provider", "channel", "tenant", "base_url", "sender", "order", "settings")
            return [(None, {"fields": said}), ("Secrets", {"fields": ("credentials", "webhook_secrets")})]
        return [
            (None, {"fields": ("base_url", "sender", "order", "settings")}),
            self._secrets,
            ("What is fixed", {"fields": self._fixed}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self._fixed, "stored") if obj else ()

    @display(description="State", label=TONES)
    def state(self, account: Any) -> str:
        return "on" if account.is_on else "off"

    @display(description="Health", label=TONES)
    def health(self, account: Any) -> str:
        return seen_health(account).word

    @display(description="Lately")
    def lately(self, account: Any) -> str:
        return account.off_reason if not account.is_on else seen_health(account).sentence

    @display(description="Serves")
    def serves(self, account: Any) -> str:
        return account.tenant.name if account.tenant_id else "every tenant without its own"

    @display(description="Receipts go to")
    def receipts_url(self, account: Any) -> str:
        return f"{settings.PUBLIC_URL}{reverse('receipts', args=[account.key])}"

    @display(description="Stored")
    def stored(self, account: Any) -> str:
        """Names only."""
        try:
            found = opened(account)
        except (crypto.UndecipherableError, msgspec.DecodeError):
            return "They cannot be opened with the keys at hand: type them again."
        names = ", ".join(sorted(found.credentials)) or "no credentials"
        return f"{names}; {len(found.webhook_secrets)} webhook secret{'' if len(found.webhook_secrets) == 1 else 's'}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = form.cleaned_data
        plain = {name: said[name] for name in ("base_url", "sender", "order", "settings") if name in said}
        secrets = {name: said[name] for name in ("credentials", "webhook_secrets") if name in said}
        if change:
            update_account(obj.id, **plain, **secrets)
            return
        account = create_account(
            key=obj.key,
            provider=obj.provider,
            channel=Channel(obj.channel),
            tenant_id=obj.tenant_id,
            **plain,
            **{name: value for name, value in secrets.items() if value is not None},
        )
        obj.id = account.id

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only those that would change something."""
        account = models.ProviderAccount.objects.all_tenants().filter(id=object_id).first()
        wanted = ["turn_off" if account and account.is_on else "turn_on"]
        if account and seen_health(account).word != "well":
            wanted.append("reset")
        found: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in found if one.action_name.endswith(tuple(wanted))]

    @action(description="Switch on", url_path="on", icon="toggle_on", permissions=("change",))
    def turn_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = get_object_or_404(models.ProviderAccount.objects.all_tenants(), id=object_id)
        if request.method == "POST":
            if switch_on(account.id):
                self.log_change(request, account, "Switched on.")
            messages.success(request, f"{account.key} is on.")
            return HttpResponseRedirect(_page_of(account.id))
        sentence = "It is used again within two seconds, in its place in the order."
        question = Question(f"Switch {account.key} on", sentence, "Switch it on", _page_of(account.id))
        return ask(request, question, model=self.model)

    @action(description="Switch off", url_path="off", icon="toggle_off", permissions=("change",))
    def turn_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = get_object_or_404(models.ProviderAccount.objects.all_tenants(), id=object_id)
        form = SwitchOffForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            reason = f"{form.cleaned_data['reason']} ({operator(request)})"
            if switch_off(account.id, reason):
                self.log_change(request, account, f"Switched off: {form.cleaned_data['reason']}")
            messages.success(request, f"{account.key} is off.")
            return HttpResponseRedirect(_page_of(account.id))
        sentence = "Within two seconds nothing more goes through it; the next account of the channel takes over, if there is one."
        question = Question(
            f"Switch {account.key} off", sentence, "Switch it off", _page_of(account.id), is_dangerous=True
        )
        return ask(request, question, model=self.model, form=form)

    @action(description="Reset breaker", url_path="reset", icon="restart_alt", permissions=("change",))
    def reset(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = get_object_or_404(models.ProviderAccount.objects.all_tenants(), id=object_id)
        if request.method == "POST":
            forget_health(account)
            self.log_change(request, account, "Breaker reset.")
            messages.success(request, f"{account.key} is called as if nothing had happened.")
            return HttpResponseRedirect(_page_of(account.id))
        sentence = "What is known of its health is forgotten: within half a second it is called at full pace again."
        question = Question(f"Reset the breaker of {account.key}", sentence, "Reset it", _page_of(account.id))
        return ask(request, question, model=self.model)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only what is off: its receipts are not understood any more."""
        return super().has_delete_permission(request, obj) and (obj is None or not obj.is_on)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        forget_cached()


@panel("home", order=14, template="admin/channels/alerts.html", permission="channels.view_provideraccount")
def alerts(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    rows = list(models.Alert.objects.all_tenants().filter(ended_at=None).order_by("-created_at")[:20])
    return {"alerts": rows} if rows else None


@panel("home", order=15, template="admin/channels/accounts_off.html", permission="channels.view_provideraccount")
def accounts_off(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    off = list(models.ProviderAccount.objects.all_tenants().filter(is_on=False).order_by("channel", "key")[:20])
    return {"accounts": off} if off else None


def _page_of(account_id: UUID) -> str:
    return reverse("admin:channels_provideraccount_change", args=[account_id])
