"""Webhook endpoints: made, tried, replayed, rotated, switched off and on, removed. A secret is shown on the page after its making."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from apps.core import clock, ids
from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import TONES, ModelAdmin, action, display, door, moment, operator
from apps.core.admin_panels import panel
from apps.core.problems import Problem
from apps.dispatch.ringer import ringer
from apps.tenants.tenant_filter import TenantColumn, TenantFilter
from apps.webhooks import replaying, services
from apps.webhooks.catalogue import WebhookType
from apps.webhooks.forms import EndpointForm, ReasonForm, ReplayForm, RotationForm, TypeForm
from apps.webhooks.models import WebhookEndpoint
from apps.webhooks.pacing import QUEUE
from apps.webhooks.selectors import endpoint, lately
from apps.webhooks.services import Issued

LONG_ENOUGH = timedelta(hours=1)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(TenantColumn, ModelAdmin):
    form = EndpointForm
    list_display = ("url", "tenant", "state", "success", "kinds", "failing", "made")
    list_filter = (TenantFilter,)
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("url", "description")
    ordering = ("-id",)
    sortable_by = ()
    actions_detail = ("try_it", "replay", "rotate", "turn_off", "turn_on", "remove")
    empty_sentence = "Tenants are told here what became of their messages: POST /v1/webhook-endpoints, or add one."
    _said = ("url", "description", "events")
    _facts = ("shown_id", "tenant", "state", "off_reason", "success", "failing", "rotating", "made")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return WebhookEndpoint.objects.all_tenants()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("tenant", *self._said)})]
        return [(None, {"fields": self._said}), ("How it goes", {"fields": self._facts})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self._facts if obj else ()

    @display(description="State", label={**TONES, "failing": "warning"})
    def state(self, row: Any) -> str:
        if not row.is_on:
            return "off"
        return "failing" if row.failing_since else "on"

    @display(description="Lately")
    def success(self, row: Any) -> SafeString | str:
        """Of the last attempts. One query a row; a page has few."""
        found = lately([row.id]).get(row.id)
        if found is None:
            return "nothing told yet"
        text = f"{found[0] / found[1]:.0%} of {found[1]} taken"
        return door("webhooks_webhookattempt_changelist", text=text, endpoint=row.id)

    @display(description="Told")
    def kinds(self, row: Any) -> str:
        return ", ".join(row.events) if len(row.events) <= 2 else f"{len(row.events)} kinds of events"

    @display(description="Failing since")
    def failing(self, row: Any) -> str:
        return moment(row.failing_since)

    @display(description="Added")
    def made(self, row: Any) -> str:
        return moment(row.created_at)

    @display(description="Old secret until")
    def rotating(self, row: Any) -> str:
        return moment(row.previous_until)

    @display(description="Id")
    def shown_id(self, row: Any) -> str:
        return ids.show(ids.WEBHOOK_ENDPOINT, row.id)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = form.cleaned_data
        plain = {name: said[name] for name in self._said}
        if change:
            changed = {name: value for name, value in plain.items() if name in form.changed_data}
            services.update_endpoint(tenant_id=obj.tenant_id, endpoint_id=obj.id, **changed)
            return
        issued = services.create_endpoint(tenant_id=obj.tenant_id, **plain)
        obj.id = issued.endpoint_id
        request.META["notifier.issued_secret"] = issued

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One at a time: the page after it shows the secret."""
        hidden = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, hidden | (extra_context or {}))

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._show_once(request, obj.tenant_id, request.META["notifier.issued_secret"], "Its secret")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`remove` does it, without listing every attempt first."""
        return False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only those that would change something."""
        is_on = WebhookEndpoint.objects.all_tenants().filter(id=object_id, is_on=True).exists()
        wanted = ("try_it", "replay", "rotate", "turn_off", "remove") if is_on else ("rotate", "turn_on", "remove")
        found: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in found if one.action_name.endswith(wanted)]

    @action(description="Send test event", url_path="try", icon="send", permissions=("change",))
    def try_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row, form = _row(object_id), TypeForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            kind = WebhookType(form.cleaned_data["type"])
            try:
                event_id = replaying.send_test(tenant_id=row.tenant_id, endpoint_id=row.id, kind=kind)
            except Problem as problem:
                messages.error(request, problem.detail)
            else:
                ringer.ask(QUEUE)
                messages.success(request, f"{ids.show(ids.WEBHOOK_EVENT, event_id)} is being sent. See its attempts.")
            return HttpResponseRedirect(_page_of(row.id))
        sentence = "An example of that kind is sent, signed as every other event."
        return self._ask(request, row, "Send a test event", sentence, "Send it", form)

    @action(description="Replay", url_path="replay", icon="replay", permissions=("change",))
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row, form = _row(object_id), ReplayForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                said = _replay(row, form.cleaned_data)
            except Problem as problem:
                messages.error(request, problem.detail)
            else:
                ringer.ask(QUEUE)
                self.log_change(request, row, f"Replayed {said.count}.")
                more = f" There are more, from {said.rest_from:%Y-%m-%d %H:%M:%S} UTC on." if said.rest_from else ""
                messages.success(request, f"{said.count} will be told again within seconds.{more}")
            return HttpResponseRedirect(_page_of(row.id))
        sentence = "Events are told again with the ids that they had, so that receivers can leave out what they know."
        return self._ask(request, row, "Tell it again", sentence, "Replay", form)

    @action(description="Rotate secret", url_path="rotate", icon="autorenew", permissions=("change",))
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row, form = _row(object_id), RotationForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            issued = services.rotate_secret(tenant_id=row.tenant_id, endpoint_id=row.id, overlap=form.overlap)
            self.log_change(request, row, "Secret rotated.")
            return self._show_once(request, row.tenant_id, issued, "Its new secret")
        sentence = (
            "It gets a new secret, shown once on the next page. While the old one goes on, calls have two signatures."
        )
        return self._ask(request, row, "Rotate the secret", sentence, "Make a new secret", form)

    @action(description="Switch off", url_path="off", icon="toggle_off", permissions=("change",))
    def turn_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row, form = _row(object_id), ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            reason = f"{form.cleaned_data['reason']} ({operator(request)})"
            services.update_endpoint(tenant_id=row.tenant_id, endpoint_id=row.id, is_on=False, off_reason=reason)
            self.log_change(request, row, f"Switched off: {form.cleaned_data['reason']}")
            messages.success(request, "It is off.")
            return HttpResponseRedirect(_page_of(row.id))
        sentence = "Nothing more is told to it. What happens meanwhile is kept for 30 days and can be replayed."
        return self._ask(request, row, "Switch it off", sentence, "Switch it off", form, is_dangerous=True)

    @action(description="Switch on", url_path="on", icon="toggle_on", permissions=("change",))
    def turn_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = _row(object_id)
        if request.method == "POST":
            services.update_endpoint(tenant_id=row.tenant_id, endpoint_id=row.id, is_on=True)
            self.log_change(request, row, "Switched on.")
            messages.success(request, "It is on.")
            return HttpResponseRedirect(_page_of(row.id))
        sentence = "It is told what happens from now on. Replay what it missed."
        return self._ask(request, row, "Switch it on", sentence, "Switch it on")

    @action(description="Remove", url_path="remove", icon="delete", permissions=("change",))
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = _row(object_id)
        if request.method == "POST":
            self.log_deletions(request, WebhookEndpoint.objects.all_tenants().filter(id=row.id))
            services.delete_endpoint(tenant_id=row.tenant_id, endpoint_id=row.id)
            messages.success(request, f"{row.url} is removed.")
            return HttpResponseRedirect(reverse("admin:webhooks_webhookendpoint_changelist"))
        sentence = "With its attempts and its secrets. This cannot be undone."
        return self._ask(request, row, "Remove it", sentence, "Remove it", is_dangerous=True)

    def _ask(
        self,
        request: HttpRequest,
        row: Any,
        title: str,
        sentence: str,
        submit: str,
        form: Form | None = None,
        *,
        is_dangerous: bool = False,
    ) -> HttpResponse:
        question = Question(f"{title}: {row.url}", sentence, submit, _page_of(row.id), is_dangerous=is_dangerous)
        return ask(request, question, model=self.model, form=form)

    def _show_once(self, request: HttpRequest, tenant_id: UUID, issued: Issued, title: str) -> HttpResponse:
        found = endpoint(tenant_id, issued.endpoint_id)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "secret": issued.secret,
            "until": found.previous_until if found else None,
            "back": _page_of(issued.endpoint_id),
        }
        return TemplateResponse(request, "admin/webhooks/secret.html", context)


@panel("home", order=16, template="admin/webhooks/failing.html", permission="webhooks.view_webhookendpoint")
def failing(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    """Those that are on; of one that went off there is an alert."""
    rows = WebhookEndpoint.objects.all_tenants().filter(is_on=True, failing_since__lt=clock.now() - LONG_ENOUGH)
    found = list(rows.select_related("tenant").order_by("failing_since")[:20])
    return {"endpoints": found} if found else None


def _row(object_id: str) -> Any:
    return get_object_or_404(WebhookEndpoint.objects.all_tenants(), id=object_id)


def _replay(row: Any, said: dict[str, Any]) -> replaying.Replayed:
    if said["event_id"]:
        return replaying.replay_event(tenant_id=row.tenant_id, endpoint_id=row.id, event_id=said["event_id"])
    return replaying.replay_range(
        tenant_id=row.tenant_id, endpoint_id=row.id, start=said["start"], end=said["end"], only_failed=not said["all"]
    )


def _page_of(endpoint_id: UUID) -> str:
    return reverse("admin:webhooks_webhookendpoint_change", args=[endpoint_id])
