"""In doubt: deliveries whose provider gave no answer, with what happens next; and how many, on home."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audience.selectors import recipients
from apps.core import clock
from apps.core.admin_bases import TONES, display, moment
from apps.core.admin_filters import one_of
from apps.core.admin_panels import panel
from apps.core.enums import Category, Channel, Reason
from apps.ledger.admin.deliveries import AccountFilter, DeliveryAdmin
from apps.ledger.doubts import shown_moves
from apps.ledger.in_doubt import DOING, NOTHING, count_in_doubt
from apps.ledger.models import InDoubt
from apps.tenants.tenant_filter import TenantFilter

MAY = "ledger.view_delivery"
MOST_COUNTED = 1_000
RECENT = timedelta(hours=24)


@admin.register(InDoubt)
class InDoubtAdmin(DeliveryAdmin):
    seen_by = (MAY,)
    list_display = ("id_shown", "since", "user_id", "channel_shown", "category_label", "account", "next_move", "tenant")
    list_filter = (one_of("channel", Channel), AccountFilter, one_of("category", Category), TenantFilter)  # type: ignore[assignment]
    empty_sentence = "Nothing is in doubt. A delivery is when its request went out and no answer came back, or its worker died meanwhile."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return InDoubt.objects.all_tenants().filter(reason=Reason.IN_DOUBT)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(MAY)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY)

    def complete(self, rows: list[Any]) -> None:
        people = recipients({row.recipient_id for row in rows})
        moves = shown_moves([(row.category, row.id) for row in rows])
        for row in rows:
            row.person = people.get(row.recipient_id)
            row.move, row.due_at = moves.get(row.id, (None, None))

    @display(description="Since")
    def since(self, row: Any) -> SafeString | str:
        return moment(row.ended_at or row.created_at)

    @display(description="Category", label=TONES)
    def category_label(self, row: Any) -> str:
        return str(row.category)

    @display(description="What happens next")
    def next_move(self, row: Any) -> SafeString:
        if row.move is None:
            return format_html('<span class="n-sentence-cell">{}</span>', DOING if row.due_at else NOTHING)
        return format_html(
            '<span class="n-sentence-cell">{}<br><span class="n-dim">at {}</span></span>',
            row.move.sentence,
            moment(row.due_at),
        )


@panel("home", order=18, template="admin/ledger/in_doubt.html", permission=MAY)
def doubts(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    count = count_in_doubt(since=clock.now() - RECENT, most=MOST_COUNTED + 1)
    if not count:
        return None
    return {"count": f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else str(count), "is_one": count == 1}
