"""Notifications: the list that takes any id, and the page that tells one's story."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldBooleanWidget

from apps.audience.selectors import recipients
from apps.core import clock, ids
from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import TONES, ReadOnly, display, operator, shown
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import one_of
from apps.core.enums import Category, KeyMode
from apps.ledger.admin import finding
from apps.ledger.admin.columns import Columns
from apps.ledger.admin.looks import chip, place
from apps.ledger.admin.story import story
from apps.ledger.models import Notification
from apps.ledger.selectors import PRIORITIES, summaries
from apps.ledger.services import NothingToDoError, cancel_notification, retry_notification
from apps.tenants.selectors import tenants
from apps.tenants.tenant_filter import TenantFilter

OPERATE = "ledger.change_notification"


class RetryForm(forms.Form):
    may_duplicate = forms.BooleanField(
        label="Also try again what is in doubt: somebody may get it twice", required=False, widget=UnfoldBooleanWidget
    )


@admin.register(Notification)
class NotificationAdmin(ReadOnly, Columns, FeedAdmin):
    list_display = (
        "id_shown",
        "at",
        "user_id",
        "what",
        "category_label",
        "mode_label",
        "status",
        "channels_shown",
        "tenant",
    )
    list_filter = (one_of("category", Category), one_of("mode", KeyMode), TenantFilter)
    search_fields = ("id",)
    search_help_text = finding.HELP
    search_detail = finding.DETAIL
    empty_sentence = "The first one appears here as soon as a request is accepted. Home has a request to copy."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Notification.objects.all_tenants().defer("sealed")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return (queryset.filter(finding.condition(search_term)) if search_term.strip() else queryset), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """An id that names one notification opens it."""
        pasted = request.GET.get("q", "")
        if ids.find(pasted) is not None and self.has_view_permission(request):
            found = finding.notifications_by(pasted)
            if len(found) == 1:
                return HttpResponseRedirect(page_of(found[0]))
        return super().changelist_view(request, extra_context)

    def complete(self, rows: list[Any]) -> None:
        people = recipients({row.recipient_id for row in rows})
        for row, summary in zip(rows, summaries(rows, clock.now()), strict=True):
            row.summary = summary
            row.person = people.get(row.recipient_id)

    @display(description="Notification")
    def id_shown(self, row: Any) -> SafeString:
        return shown(ids.NOTIFICATION, row.id)

    @display(description="What")
    def what(self, row: Any) -> str:
        return row.event_type or row.template_key or "inline message"

    @display(description="Category", label=TONES)
    def category_label(self, row: Any) -> str:
        return str(row.category)

    @display(description="Mode", label=TONES)
    def mode_label(self, row: Any) -> str:
        return str(row.mode)

    @display(description="Status", label=TONES)
    def status(self, row: Any) -> str:
        return str(row.summary.status)

    @display(description="Channels")
    def channels_shown(self, row: Any) -> SafeString | str:
        deliveries = sorted(row.summary.deliveries, key=lambda delivery: place(delivery.channel))
        chips = format_html_join("", "{}", ((chip(d.channel, d.status),) for d in deliveries))
        return format_html('<span class="n-chips">{}</span>', chips) if chips else "-"

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<str:object_id>/cancel/",
                self.admin_site.admin_view(self.cancel_view),
                name="ledger_notification_cancel",
            ),
            path(
                "<str:object_id>/retry/", self.admin_site.admin_view(self.retry_view), name="ledger_notification_retry"
            ),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The story of one. `object_id` in any form an id is shown in."""
        row = self._row(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined, no-any-return]
        (summary,) = summaries([row], clock.now())
        person = recipients([row.recipient_id]).get(row.recipient_id)
        name = ids.show(ids.NOTIFICATION, row.id)
        context = {
            **self.admin_site.each_context(request),
            "title": name,
            "opts": self.opts,
            "row": row,
            "original": row,
            "id_shown": name,
            "summary": summary,
            "story": story(row, summary),
            "person": person,
            "tenant": tenants().get(row.tenant_id),
            "priority": PRIORITIES[row.priority],
            "may_operate": request.user.has_perm(OPERATE),
        }
        return TemplateResponse(request, "admin/ledger/notification.html", context)

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._operable(request, object_id)
        if row is None:
            return HttpResponseRedirect(reverse("admin:ledger_notification_changelist"))
        if request.method == "POST":
            try:
                cancel_notification(tenant_id=row.tenant_id, notification_id=row.id, by=operator(request))
                messages.success(request, "Cancelled: whatever no provider had been called for is taken back.")
            except NothingToDoError:
                messages.warning(request, "There was nothing to cancel: it is over, or being sent right now.")
            return HttpResponseRedirect(page_of(row.id))
        question = Question(
            title="Cancel this notification",
            sentence="Channels that no provider was called for yet will not be sent. What is under way cannot be called back.",
            submit="Cancel the notification",
            back=page_of(row.id),
            is_dangerous=True,
        )
        return ask(request, question, model=self.model)

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._operable(request, object_id)
        if row is None:
            return HttpResponseRedirect(reverse("admin:ledger_notification_changelist"))
        form = RetryForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            said = _retried(row, by=operator(request), may_duplicate=form.cleaned_data["may_duplicate"])
            messages.info(request, said)
            return HttpResponseRedirect(page_of(row.id))
        question = Question(
            title="Try again",
            sentence="Every channel that failed gets a new try at once. Channels in doubt are left alone unless you say otherwise.",
            submit="Try again",
            back=page_of(row.id),
        )
        return ask(request, question, model=self.model, form=form)

    def _row(self, request: HttpRequest, object_id: str) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        id_ = ids.find(object_id)
        return self.get_queryset(request).filter(id=id_).first() if id_ else None

    def _operable(self, request: HttpRequest, object_id: str) -> Any:
        if not request.user.has_perm(OPERATE):
            raise PermissionDenied
        row = self._row(request, object_id)
        if row is None:
            messages.warning(request, f"There is no notification {object_id}.")
        return row


def _retried(row: Notification, *, by: str, may_duplicate: bool) -> str:
    try:
        queues: Sequence[str] | None = retry_notification(
            tenant_id=row.tenant_id, notification_id=row.id, by=by, may_duplicate=may_duplicate
        )
    except NothingToDoError:
        return "There was nothing to try again: no channel failed, or what failed is in doubt."
    return f"A new try is under way in {', '.join(queues or ())}. It is picked up within a second."


def page_of(notification_id: UUID) -> str:
    return reverse("admin:ledger_notification_change", args=[ids.show(ids.NOTIFICATION, notification_id)])
