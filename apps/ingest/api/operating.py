"""For operators: another try, dead letters replayed or given up."""

from collections.abc import Sequence
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import ids
from apps.core.bodies import decode
from apps.core.enums import Reason, Scope
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Caller
from apps.dispatch import bells
from apps.ingest.answers import DeadLetterPage, DeadLetterView, NotificationView, Resolved
from apps.ingest.api.reading import notification_id, view_of
from apps.ingest.bodies import DeadLetterIds, RetryBody
from apps.ledger import dead_letters
from apps.ledger.services import NothingToDoError, give_up, replay, retry_notification
from apps.tenants.authentication import caller_of

TAGS = ["Operations"]


class RetryView(APIView):
    scopes = {"POST": Scope.OPERATOR}

    @extend_schema(
        operation_id="retry_notification",
        summary="Try a failed notification again",
        description="Opens a new try for every failed channel. Deliveries in doubt are tried again only with `may_duplicate`.",
        request=RetryBody,
        responses={202: NotificationView, 404: ProblemBody, 409: ProblemBody},
        tags=TAGS,
    )
    def post(self, request: Request, shown: str) -> Response:
        caller = caller_of(request)
        body = decode(request, RetryBody) if request._request.body else RetryBody()
        id_ = notification_id(shown)
        try:
            queues = retry_notification(
                tenant_id=caller.tenant.id,
                notification_id=id_,
                by=f"key {caller.key_name}",
                may_duplicate=body.may_duplicate,
            )
        except NothingToDoError:
            raise Problem(Code.NOT_RETRYABLE) from None
        if queues is None:
            raise Problem(Code.NOT_FOUND)
        bells.ring(*queues)
        return Response(view_of(caller, id_), status=202)


class DeadLettersView(APIView):
    scopes = {"GET": Scope.OPERATOR}

    @extend_schema(
        operation_id="list_dead_letters",
        summary="List what was set aside, newest first",
        parameters=[
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
            OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
        ],
        responses={200: DeadLetterPage},
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        page = page_request(request)
        found = dead_letters.open_letters(tenant_id=caller.tenant.id, before=page.before, limit=page.limit + 1)
        shown = found[: page.limit]
        has_more = len(found) > page.limit
        return Response(
            DeadLetterPage(
                data=[_view(letter) for letter in shown],
                has_more=has_more,
                next_cursor=next_cursor(shown[-1].id) if has_more else None,
            )
        )


class ReplayView(APIView):
    scopes = {"POST": Scope.OPERATOR}

    @extend_schema(
        operation_id="replay_dead_letters",
        summary="Replay dead letters",
        description="Another try for each. Those in doubt are left alone and not counted: retry their notification with `may_duplicate`.",
        request=DeadLetterIds,
        responses={202: Resolved, 404: ProblemBody},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        wanted = _wanted(caller, decode(request, DeadLetterIds).ids)
        bells.ring(*replay(dead_letter_ids=wanted, by=f"key {caller.key_name}"))
        left = dead_letters.open_ids(tenant_id=caller.tenant.id, ids=wanted)
        return Response(Resolved(count=len(wanted) - len(left)), status=202)


class GiveUpView(APIView):
    scopes = {"POST": Scope.OPERATOR}

    @extend_schema(
        operation_id="give_up_dead_letters",
        summary="Give dead letters up for good",
        request=DeadLetterIds,
        responses={200: Resolved, 404: ProblemBody},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        wanted = _wanted(caller, decode(request, DeadLetterIds).ids)
        return Response(Resolved(count=give_up(dead_letter_ids=wanted, by=f"key {caller.key_name}")))


def _wanted(caller: Caller, shown: Sequence[str]) -> list[UUID]:
    """Open dead letters of this tenant. Raises Problem: not_found, with a pointer to the first that is not."""
    read = [ids.read(ids.DEAD_LETTER, one) for one in shown]
    known = dead_letters.open_ids(tenant_id=caller.tenant.id, ids=[one for one in read if one])
    for place, one in enumerate(read):
        if one is None or one not in known:
            raise Problem(Code.NOT_FOUND, pointer=f"/ids/{place}")
    return list(dict.fromkeys(one for one in read if one))


def _view(letter: dead_letters.Letter) -> DeadLetterView:
    return DeadLetterView(
        dead_letter_id=ids.show(ids.DEAD_LETTER, letter.id),
        notification_id=ids.show(ids.NOTIFICATION, letter.notification_id),
        delivery_id=ids.show(ids.DELIVERY, letter.delivery_id) if letter.delivery_id else None,
        queue=letter.queue,
        reason=letter.reason,
        reason_text=Reason(letter.reason).sentence,
        context=letter.context,
        created_at=letter.created_at,
    )
