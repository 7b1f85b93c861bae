"""Every attempt to tell an endpoint something: what it answered, and whether there will be another."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.core import ids
from apps.core.admin_bases import ReadOnly, display, door, moment, shown
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import DropdownFilter, one_of, states
from apps.core.problems import Problem
from apps.dispatch.ringer import ringer
from apps.webhooks.catalogue import WebhookType
from apps.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookEvent
from apps.webhooks.pacing import QUEUE
from apps.webhooks.replaying import replay_event

MOST_OFFERED = 100
_ENDS = {
    "failed": ("failed", Q(is_success=False)),
    "given_up": ("given up", Q(is_success=False, next_at=None)),
    "taken": ("taken", Q(is_success=True)),
}


class EndpointFilter(DropdownFilter):
    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = WebhookEndpoint.objects.all_tenants().order_by("-id").values_list("id", "url")[:MOST_OFFERED]
        return [(str(id_), url[:60]) for id_, url in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = ids.find(self.value() or "")
        return queryset.filter(endpoint_id=found) if found else queryset


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnly, FeedAdmin):
    list_display = ("begun", "place", "kind", "number", "end", "took", "again", "event")
    list_filter = (EndpointFilter, states("end", _ENDS), one_of("kind", WebhookType, title="event"))
    list_select_related = ("endpoint",)
    actions = ("replay_selected",)
    empty_sentence = "Nothing was told to anybody yet."
    fields = ("begun", "place", "kind", "event", "number", "end", "took", "again", "said", "answer")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = WebhookAttempt.objects.all_tenants()
        return rows

    def permissions_of(self, needed: str) -> tuple[str, ...]:
        return ("webhooks.change_webhookendpoint",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks.change_webhookendpoint")

    @display(description="At")
    def begun(self, row: Any) -> str:
        return moment(row.at)

    @display(description="Endpoint")
    def place(self, row: Any) -> SafeString:
        return door("webhooks_webhookendpoint_change", row.endpoint_id, text=row.endpoint.url[:60])

    @display(description="Answer", label={"taken": "success", "failed": "danger"})
    def end(self, row: Any) -> tuple[str, str]:
        said = str(row.status) if row.status else row.error.replace("_", " ")
        return ("taken" if row.is_success else "failed"), said

    @display(description="Took")
    def took(self, row: Any) -> str:
        return f"{row.took_ms:,} ms"

    @display(description="Again")
    def again(self, row: Any) -> str:
        if row.is_success:
            return "-"
        return moment(row.next_at) if row.next_at else "given up"

    @display(description="Event")
    def event(self, row: Any) -> SafeString:
        return shown(ids.WEBHOOK_EVENT, row.event_id)

    @display(description="Told")
    def said(self, row: Any) -> str:
        body = WebhookEvent.objects.of(row.tenant_id).filter(id=row.event_id).values_list("body", flat=True).first()
        return body or "Its words are not kept any more."

    @admin.action(description="Tell it again", permissions=["operate"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = 0
        for tenant_id, endpoint_id, event_id in set(queryset.values_list("tenant_id", "endpoint_id", "event_id")):
            try:
                count += replay_event(tenant_id=tenant_id, endpoint_id=endpoint_id, event_id=event_id).count
            except Problem as problem:
                messages.warning(request, f"{ids.show(ids.WEBHOOK_EVENT, event_id)}: {problem.detail}")
        ringer.ask(QUEUE)
        messages.info(request, f"{count} will be told again within seconds.")
