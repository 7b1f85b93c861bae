"""For operators: what is in doubt."""

from typing import TypeVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import ids
from apps.core.enums import Category, Channel, Scope
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.ingest.answers import InDoubtPage, PlannedMove
from apps.ingest.answers import InDoubtView as Answer
from apps.ledger.in_doubt import InDoubt, in_doubt
from apps.tenants.authentication import caller_of

Word = TypeVar("Word", Category, Channel)


class InDoubtView(APIView):
    scopes = {"GET": Scope.OPERATOR}

    @extend_schema(
        operation_id="list_deliveries_in_doubt",
        summary="List deliveries in doubt, newest first",
        description="Their provider gave no answer, or the worker died during the call. `next` says what is planned. To send one again "
        "yourself: retry its notification with `may_duplicate`.",
        parameters=[
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
            OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
            OpenApiParameter("channel", {"type": "string", "enum": [c.value for c in Channel]}),
            OpenApiParameter("category", {"type": "string", "enum": [c.value for c in Category]}),
            OpenApiParameter("account", str, description="The key of a provider account."),
        ],
        responses={200: InDoubtPage, 400: ProblemBody},
        tags=["Operations"],
    )
    def get(self, request: Request) -> Response:
        page = page_request(request)
        found = in_doubt(
            tenant_id=caller_of(request).tenant.id,
            before=page.before,
            limit=page.limit + 1,
            channel=_word(request, "channel", Channel),
            category=_word(request, "category", Category),
            account=_account(request),
        )
        shown = found[: page.limit]
        has_more = len(found) > page.limit
        return Response(
            InDoubtPage(
                data=[_view(one) for one in shown],
                has_more=has_more,
                next_cursor=next_cursor(shown[-1].id) if has_more else None,
            )
        )


def _word(request: Request, name: str, words: type[Word]) -> Word | None:
    """Raises Problem: out_of_range."""
    said = request.query_params.get(name)
    if not said:
        return None
    if said not in set(words):
        raise Problem(Code.OUT_OF_RANGE, f"`{name}` is one of {', '.join(words)}.", pointer=f"#query/{name}")
    return words(said)


def _account(request: Request) -> str:
    """Raises Problem: out_of_range."""
    said: str = request.query_params.get("account", "")
    if not said.isprintable():
        raise Problem(Code.OUT_OF_RANGE, "`account` is the key of a provider account.", pointer="#query/account")
    return said


def _view(one: InDoubt) -> Answer:
    return Answer(
        delivery_id=ids.show(ids.DELIVERY, one.id),
        notification_id=ids.show(ids.NOTIFICATION, one.notification_id),
        channel=one.channel,
        category=one.category,
        account=one.account or None,
        duplicate_possible=one.duplicate_possible,
        since=one.since,
        next=PlannedMove(move=one.move, text=one.move.sentence, at=one.due_at) if one.move and one.due_at else None,
        next_text=one.next_text,
    )
