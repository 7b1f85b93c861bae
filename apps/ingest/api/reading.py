"""What became of it: one notification, a person's notifications, a timeline; and cancelling."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audience import selectors as audience
from apps.core import clock, grounds, ids
from apps.core.enums import Reason, Scope
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Caller
from apps.dispatch import capping
from apps.events import selectors as events
from apps.ingest.answers import DeliveryView, NotificationPage, NotificationView, Timeline, TimelineEntry
from apps.ledger import selectors as ledger
from apps.ledger.selectors import DeliverySummary, NotificationSummary
from apps.ledger.sensitive import erase_where_over
from apps.ledger.services import NothingToDoError, cancel_notification
from apps.ledger.timeline import Entry, timeline
from apps.tenants.authentication import caller_of

TAGS = ["Notifications"]


class NotificationDoor(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ, "DELETE": Scope.NOTIFICATIONS_WRITE}

    @extend_schema(
        operation_id="get_notification",
        summary="Get a notification",
        responses={200: NotificationView, 404: ProblemBody},
        tags=TAGS,
    )
    def get(self, request: Request, shown: str) -> Response:
        return Response(view_of(caller_of(request), notification_id(shown)))

    @extend_schema(
        operation_id="cancel_notification",
        summary="Cancel a notification",
        description="Takes back every channel that no provider was called for yet.",
        responses={200: NotificationView, 404: ProblemBody, 409: ProblemBody},
        tags=TAGS,
    )
    def delete(self, request: Request, shown: str) -> Response:
        caller = caller_of(request)
        id_ = notification_id(shown)
        try:
            is_known = cancel_notification(tenant_id=caller.tenant.id, notification_id=id_, by=f"key {caller.key_name}")
        except NothingToDoError:
            raise Problem(Code.ALREADY_FINAL) from None
        if not is_known:
            raise Problem(Code.NOT_FOUND)
        capping.give_back((), [caller.tenant.id], [id_])
        view = view_of(caller, id_)
        event_type = events.event_type(caller.tenant.id, view.event_type) if view.event_type else None
        if event_type is not None and event_type.sensitive_keys:
            erase_where_over({id_: event_type.sensitive_keys})
        return Response(view)


class TimelineView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="get_timeline",
        summary="Get a notification's timeline",
        description="What happened, oldest first, one plain sentence an entry.",
        responses={200: Timeline, 404: ProblemBody},
        tags=TAGS,
    )
    def get(self, request: Request, shown: str) -> Response:
        caller = caller_of(request)
        id_ = notification_id(shown)
        found = ledger.summary(tenant_id=caller.tenant.id, notification_id=id_, now=clock.now())
        if found is None:
            raise Problem(Code.NOT_FOUND)
        entries = timeline(tenant_id=caller.tenant.id, notification_id=id_)
        return Response(
            Timeline(
                notification_id=ids.show(ids.NOTIFICATION, id_),
                status=found.status,
                channels=[_delivery(d) for d in found.deliveries],
                entries=[_entry(entry) for entry in entries],
            )
        )


class UserNotificationsView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="list_user_notifications",
        summary="List a person's notifications, newest first",
        parameters=[
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
            OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
        ],
        responses={200: NotificationPage, 404: ProblemBody},
        tags=TAGS,
    )
    def get(self, request: Request, user_id: str) -> Response:
        caller = caller_of(request)
        recipient_id = audience.recipient_ids(caller.tenant.id, [user_id]).get(user_id)
        if recipient_id is None:
            raise Problem(Code.NOT_FOUND)
        page = page_request(request)
        found = ledger.page_of_recipient(
            tenant_id=caller.tenant.id,
            recipient_id=recipient_id,
            before=page.before,
            limit=page.limit + 1,
            now=clock.now(),
        )
        shown = found[: page.limit]
        has_more = len(found) > page.limit
        return Response(
            NotificationPage(
                data=_views(shown),
                has_more=has_more,
                next_cursor=next_cursor(shown[-1].id) if has_more else None,
            )
        )


def notification_id(shown: str) -> UUID:
    """Raises Problem: not_found."""
    found = ids.read(ids.NOTIFICATION, shown)
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return found


def view_of(caller: Caller, id_: UUID) -> NotificationView:
    """Raises Problem: not_found."""
    found = ledger.summary(tenant_id=caller.tenant.id, notification_id=id_, now=clock.now())
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return _views([found])[0]


def _views(found: Sequence[NotificationSummary]) -> list[NotificationView]:
    people = audience.recipients({n.recipient_id for n in found})
    return [_view(n, people[n.recipient_id].user_id if n.recipient_id in people else None) for n in found]


def _view(n: NotificationSummary, user_id: str | None) -> NotificationView:
    shown = ids.show(ids.NOTIFICATION, n.id)
    return NotificationView(
        notification_id=shown,
        user_id=user_id,
        status=n.status,
        status_text=n.status.sentence,
        mode=n.mode,
        category=n.category,
        event_type=n.event_type or None,
        template_id=n.template_key or None,
        priority=n.priority,
        schedule_at=n.due_at,
        expiry_at=n.expires_at,
        event_id=n.event_id or None,
        actor_id=n.actor_id or None,
        object_id=n.object_id or None,
        ordering_key=n.ordering_key or None,
        created_at=n.created_at,
        last_updated=n.updated_at,
        channels=[_delivery(d) for d in n.deliveries],
        timeline_url=f"{settings.PUBLIC_URL}{reverse('notification-timeline', args=[shown])}",
    )


def _delivery(d: DeliverySummary) -> DeliveryView:
    return DeliveryView(
        channel=d.channel,
        delivery_id=ids.show(ids.DELIVERY, d.id),
        status=d.status,
        status_text=d.status.sentence,
        reason=d.reason or None,
        reason_text=Reason(d.reason).sentence if d.reason else None,
        because=dict(d.because) or None,
        because_text=grounds.rests_on(d.because) or None,
        bypassed=d.bypassed or None,
        merged_into=ids.show(ids.NOTIFICATION, d.merged_into) if d.merged_into else None,
        account=d.account or None,
        duplicate_possible=d.duplicate_possible,
        last_updated=d.updated_at,
    )


def _entry(entry: Entry) -> TimelineEntry:
    return TimelineEntry(
        at=entry.at,
        kind=entry.kind,
        channel=entry.channel,
        delivery_id=ids.show(ids.DELIVERY, entry.delivery_id) if entry.delivery_id else None,
        text=entry.text,
        detail=entry.detail,
    )
