"""Dead letters: what gave up, in groups of one cause, until an operator tries again or gives up too."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, re_path, reverse
from django.utils.safestring import SafeString

from apps.core import ids
from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import ReadOnly, action, display, door, operator, shown
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import one_of, states
from apps.core.enums import Reason
from apps.core.tenant_scope import looking, view_of
from apps.ledger.admin import finding
from apps.ledger.admin.columns import Columns
from apps.ledger.admin.looks import words
from apps.ledger.admin.settling import AT_ONCE, give_up_letters, groups, oldest_of, replay_letters
from apps.ledger.models import DeadLetter
from apps.tenants.tenant_filter import TenantFilter

OPERATE = "ledger.change_deadletter"
LIST = "admin:ledger_deadletter_changelist"
_PLAIN = frozenset({"kind", "code", "detail"})
_SHOWN = {"open": ("open", Q(resolved_at=None)), "resolved": ("resolved", Q(resolved_at__isnull=False))}


class OpenFilter(states("state", _SHOWN)):  # type: ignore[misc]
    """Open ones, unless others are asked for."""

    all_option = None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*super().lookups(request, model_admin), ("all", "all")]

    def value(self) -> str:
        return super().value() or "open"


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly, Columns, FeedAdmin):
    list_display = ("id_shown", "at", "why", "said", "notification", "state", "tenant")
    list_filter = (OpenFilter, one_of("reason", Reason), TenantFilter)
    search_fields = ("id",)
    search_help_text = finding.HELP
    search_detail = finding.DETAIL
    list_before_template = "admin/ledger/dead_letter_groups.html"
    empty_sentence = (
        "Nothing waits for an operator. What fails for good, or kills its worker three times, is set aside here."
    )
    actions = ("replay_selected", "give_up_selected")
    actions_detail = ("replay", "give_up")
    fields = ("notification", "why", "queue", "said", "created_at", "resolved_at", "resolution", "resolved_by")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return DeadLetter.objects.all_tenants()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(notification_id__in=finding.newest_named(search_term)), False

    def permissions_of(self, needed: str) -> Sequence[str]:
        return (OPERATE,)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(OPERATE)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"groups": groups(), "may_operate": self.has_operate_permission(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.group_view)
        return [
            re_path(r"^group/(?P<what>replay|give_up)/$", view, name="ledger_deadletter_group"),
            *super().get_urls(),
        ]

    @display(description="Dead letter")
    def id_shown(self, row: Any) -> SafeString:
        return shown(ids.DEAD_LETTER, row.id)

    @display(description="Last answer")
    def said(self, row: Any) -> str:
        """Codes, errors and template places; content never gets here."""
        known = [str(row.context[name]) for name in ("kind", "code", "detail") if row.context.get(name)]
        others = [
            f"{name} {value}" for name, value in row.context.items() if name not in _PLAIN and value not in ("", None)
        ]
        return ", ".join([" ".join(known), *others] if known else others) or "-"

    @display(description="Notification")
    def notification(self, row: Any) -> SafeString:
        name = ids.show(ids.NOTIFICATION, row.notification_id)
        return door("ledger_notification_change", name, text=shown(ids.NOTIFICATION, row.notification_id))

    @display(description="State", label={"open": "danger", "replayed": "success"})
    def state(self, row: Any) -> str:
        return row.resolution.replace("_", " ") if row.resolved_at else "open"

    @admin.action(description="Replay selected", permissions=["operate"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        messages.info(request, replay_letters(_ids(queryset), by=operator(request)))

    @admin.action(description="Give up selected", permissions=["operate"])
    def give_up_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        messages.info(request, give_up_letters(_ids(queryset), by=operator(request)))

    @action(description="Replay", url_path="replay", icon="replay", permissions=("operate",))
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._settle(
            request, "replay", [UUID(object_id)], back=reverse("admin:ledger_deadletter_change", args=[object_id])
        )

    @action(description="Give up", url_path="give-up", icon="block", permissions=("operate",))
    def give_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._settle(
            request, "give_up", [UUID(object_id)], back=reverse("admin:ledger_deadletter_change", args=[object_id])
        )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        is_open = DeadLetter.objects.all_tenants().filter(id=object_id, resolved_at=None).exists()
        found: list[Any] = super().get_actions_detail(request, object_id) if is_open else []  # type: ignore[misc]
        return found

    def group_view(self, request: HttpRequest, what: str) -> HttpResponse:
        """All open letters of one reason and queue, AT_ONCE at a time, the oldest first."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        reason, queue = request.GET.get("reason", ""), request.GET.get("queue", "")
        with looking(view_of(request.user, OPERATE)):
            letters = oldest_of(reason=reason, queue=queue)
        return self._settle(request, what, letters, back=reverse(LIST), of=f"{words(reason)} ({queue})")

    def _settle(
        self, request: HttpRequest, what: str, letters: Sequence[UUID], *, back: str, of: str = ""
    ) -> HttpResponse:
        is_replay = what == "replay"
        if request.method == "POST":
            settle = replay_letters if is_replay else give_up_letters
            messages.info(request, settle(letters, by=operator(request)))
            return HttpResponseRedirect(back)
        count = "one dead letter" if len(letters) == 1 else f"{len(letters)} dead letters"
        most = f" At most {AT_ONCE} at a time, the oldest first." if len(letters) == AT_ONCE else ""
        does = (
            "What failed gets a new try at once; what is in doubt is left alone."
            if is_replay
            else "They are closed for good and leave this list. The messages are not sent."
        )
        question = Question(
            title="Replay" if is_replay else "Give up",
            sentence=f"{count[0].upper()}{count[1:]}{f': {of}' if of else ''}{'' if of.endswith('.') else '.'} {does}{most}",
            submit="Replay" if is_replay else "Give up for good",
            back=back,
            is_dangerous=not is_replay,
        )
        return ask(request, question, model=self.model)


def _ids(queryset: QuerySet[Any]) -> list[UUID]:
    return list(queryset.values_list("id", flat=True)[:AT_ONCE])
