"""The feed, as a recipient's browser reads it (recipient token), and the door where a backend gets that token (API key)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audience.selectors import recipient_ids
from apps.core import clock, ids
from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Caller
from apps.inbox import selectors, services
from apps.inbox.authentication import InboxTokenAuthentication, RecipientThrottle
from apps.inbox.origins import cors_headers, preflight_headers
from apps.inbox.serializers import InboxCounts, InboxEntry, InboxPage, InboxToken, InboxTokenBody
from apps.inbox.tokens import InboxViewer, mint

TAGS = ["Inbox"]
_FLAG = {"type": "boolean", "default": False}
_PAGE = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="`next_cursor` of the previous page."),
    OpenApiParameter("unread_only", _FLAG, description="Only items not read yet."),
    OpenApiParameter("archived", _FLAG, description="The archived items instead of the others."),
]


class InboxTokens(APIView):
    scopes = {"POST": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="create_inbox_token",
        summary="Make an inbox token for a user",
        description="For your backend. Give the token to that user's browser: it reads and marks this user's feed, and nothing else.",
        request=InboxTokenBody,
        responses={201: InboxToken, 404: ProblemBody},
        tags=TAGS,
    )
    def post(self, request: Request, user_id: str) -> Response:
        body = decode(request, InboxTokenBody)
        tenant_id = cast(Caller, request.auth).tenant.id
        recipient_id = recipient_ids(tenant_id, [user_id]).get(user_id)
        if recipient_id is None:
            raise Problem(Code.UNKNOWN_USER)
        expires_in = timedelta(seconds=body.expires_in)
        token, expires_at = mint(tenant_id=tenant_id, recipient_id=recipient_id, expires_in=expires_in, now=clock.now())
        return Response(InboxToken(token=token, expires_at=expires_at), status=201)


class InboxDoor(APIView):
    """Base of the doors that browsers call: recipient token, CORS, a rate per recipient."""

    authentication_classes = [InboxTokenAuthentication]
    permission_classes = []
    throttle_classes = [RecipientThrottle]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        origin = request.headers.get("Origin", "")
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=preflight_headers(origin))
        response = super().dispatch(request, *args, **kwargs)
        headers = cors_headers(origin)
        patch_vary_headers(response, [headers.pop("Vary")] if headers else [])
        for name, value in headers.items():
            response[name] = value
        response["Cache-Control"] = "private, no-store"
        return response

    def counts(self, request: Request) -> InboxCounts:
        found = selectors.counts(**_whose(request), now=clock.now())
        return InboxCounts(unread_count=found.unread, unseen_count=found.unseen)


class Feed(InboxDoor):
    @extend_schema(
        operation_id="read_inbox",
        summary="Read the feed",
        parameters=_PAGE,
        responses={200: InboxPage},
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        page = selectors.feed_page(
            **_whose(request),
            limit=asked.limit,
            before=asked.before,
            is_unread_only=_flag(request, "unread_only"),
            is_archived=_flag(request, "archived"),
            now=clock.now(),
        )
        counts = self.counts(request)
        return Response(
            InboxPage(
                data=[_entry(item) for item in page.items],
                has_more=page.last is not None,
                next_cursor=next_cursor(page.last) if page.last else None,
                unread_count=counts.unread_count,
                unseen_count=counts.unseen_count,
            )
        )


class Counts(InboxDoor):
    @extend_schema(
        operation_id="count_inbox",
        summary="Count what is new",
        description="A badge shows `unseen_count`.",
        responses={200: InboxCounts},
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        return Response(self.counts(request))


class Seen(InboxDoor):
    @extend_schema(
        operation_id="see_inbox",
        summary="Mark all as seen",
        description="For when the feed is opened: the badge goes to 0, what is unread stays unread.",
        request=None,
        responses={200: InboxCounts},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        services.mark_seen(**_whose(request), now=clock.now())
        return Response(self.counts(request))


class ReadAll(InboxDoor):
    @extend_schema(
        operation_id="read_all_inbox_items",
        summary="Mark all as read",
        request=None,
        responses={200: InboxCounts},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        services.mark_all(**_whose(request), now=clock.now())
        return Response(self.counts(request))


class ItemDoor(InboxDoor):
    """Base of the doors that change one item; answering with the counts saves the browser a second call."""

    def change(self, request: Request, item_id: str, service: Callable[..., bool]) -> Response:
        found = ids.read(ids.INBOX_ITEM, item_id)
        if found is None or not service(**_whose(request), item_id=found, now=clock.now()):
            raise Problem(Code.NOT_FOUND)
        return Response(self.counts(request))


def _documented(operation_id: str, summary: str) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        request=None,
        responses={200: InboxCounts, 404: ProblemBody},
        tags=TAGS,
    )


class Read(ItemDoor):
    @_documented("read_inbox_item", "Mark an item as read")
    def post(self, request: Request, item_id: str) -> Response:
        return self.change(request, item_id, services.mark_read)


class Unread(ItemDoor):
    @_documented("unread_inbox_item", "Mark an item as unread")
    def post(self, request: Request, item_id: str) -> Response:
        return self.change(request, item_id, services.mark_unread)


class Archive(ItemDoor):
    @_documented("archive_inbox_item", "Archive an item")
    def post(self, request: Request, item_id: str) -> Response:
        return self.change(request, item_id, services.archive)


class Unarchive(ItemDoor):
    @_documented("unarchive_inbox_item", "Take an item out of the archive")
    def post(self, request: Request, item_id: str) -> Response:
        return self.change(request, item_id, services.unarchive)


def _whose(request: Request) -> dict[str, UUID]:
    """Whose feed it is: the arguments that every service and selector begins with."""
    viewer = cast(InboxViewer, request.auth)
    return {"tenant_id": viewer.tenant_id, "recipient_id": viewer.recipient_id}


def _flag(request: Request, name: str) -> bool:
    raw = request.query_params.get(name, "false")
    if raw not in {"true", "false"}:
        raise Problem(Code.WRONG_TYPE, f"`{name}` is true or false.", pointer=f"#query/{name}")
    return bool(raw == "true")


def _entry(item: selectors.FeedItem) -> InboxEntry:
    content = item.content
    return InboxEntry(
        id=ids.show(ids.INBOX_ITEM, item.id),
        event_type=item.event_type,
        category=item.category,
        title=content.get("title", ""),
        body=content.get("body", ""),
        action_url=content.get("action_url", ""),
        icon=content.get("icon", ""),
        created_at=item.created_at,
        seen_at=item.seen_at,
        read_at=item.read_at,
        archived_at=item.archived_at,
    )
