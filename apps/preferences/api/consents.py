"""/v1/users/{user_id}/consents: what a person said about what they want, and the proof that nobody changed it since."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import ids
from apps.core.enums import Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problems import ProblemBody
from apps.preferences.api.preferences import USER_ID, recipient_of
from apps.preferences.consent_bodies import ChainAnswer, ConsentAnswer, ConsentPage
from apps.preferences.proving import chain_of
from apps.preferences.selectors import ConsentRow, consents
from apps.tenants.authentication import caller_of


class Consents(APIView):
    scopes = {"GET": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="list_consents",
        summary="Prove what a user agreed to",
        description="Every change of what the person chose, the latest first: what it was and became, who changed it, what they were"
        " shown, and from where. `chain` says whether the whole history is as it was written.",
        parameters=[USER_ID, *PAGE_PARAMETERS],
        responses={200: ConsentPage, 404: ProblemBody},
        tags=["Preferences"],
    )
    def get(self, request: Request, user_id: str) -> Response:
        page = page_request(request)
        tenant_id, recipient_id = caller_of(request).tenant.id, recipient_of(request, user_id)
        rows = consents(tenant_id=tenant_id, recipient_id=recipient_id, before=page.before, limit=page.limit + 1)
        has_more, rows = len(rows) > page.limit, rows[: page.limit]
        chain = chain_of(tenant_id=tenant_id, recipient_id=recipient_id)
        return Response(
            ConsentPage(
                data=[_answer(row) for row in rows],
                has_more=has_more,
                next_cursor=next_cursor(rows[-1].id) if has_more else None,
                chain=ChainAnswer(
                    is_whole=chain.broken_at is None,
                    broken_at=chain.broken_at,
                    records=chain.length,
                    head=chain.head.hex(),
                ),
            )
        )


def _answer(row: ConsentRow) -> ConsentAnswer:
    entry = row.entry
    return ConsentAnswer(
        number=entry.number,
        at=entry.at,
        what=entry.what,
        topic=entry.topic or None,
        channel=entry.channel or None,
        before=entry.before,
        after=entry.after,
        source=entry.source,
        text=entry.text or None,
        address=entry.address,
        agent=entry.agent or None,
        notification_id=ids.show(ids.NOTIFICATION, entry.notification_id) if entry.notification_id else None,
        previous_hash=row.previous_hash.hex(),
        hash=row.hash.hex(),
    )
