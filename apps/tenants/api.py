"""/v1/audit: who changed what."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import ids
from apps.core.enums import Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.tenants.authentication import caller_of
from apps.tenants.selectors import audit_entries
from apps.tenants.serializers import AuditEntryAnswer, AuditPage

_FILTERS = ("object_type", "object_id", "actor", "action")


class AuditLog(APIView):
    scopes = {"GET": Scope.ADMIN}

    @extend_schema(
        operation_id="list_audit_entries",
        summary="List who changed what",
        description="Newest first: every change of a setting, through the API, in the admin or on the command line. Secrets, addresses and"
        " what messages say are never in it: such a field is `changed`.",
        tags=["Audit"],
        parameters=[
            OpenApiParameter("object_type", str, description="Only of this kind, e.g. `events.eventtype`."),
            OpenApiParameter(
                "object_id", str, description="Only of this object: an id as the API shows it, or as it stands here."
            ),
            OpenApiParameter(
                "actor", str, description="Only by this one: `key checkout`, `operator mira`, `command line`."
            ),
            OpenApiParameter(
                "action", str, description="Only this: `add`, `change`, `delete`, `rotate`, `approve`, ..."
            ),
            *PAGE_PARAMETERS,
        ],
        responses={200: AuditPage},
    )
    def get(self, request: Request) -> Response:
        page = page_request(request)
        asked = {
            name: request.query_params[name].replace("\x00", "") for name in _FILTERS if name in request.query_params
        }
        if found_id := ids.find(asked.get("object_id", "")):
            asked["object_id"] = str(found_id)
        asked = {{"object_type": "kind"}.get(name, name): value for name, value in asked.items()}
        rows = audit_entries(caller_of(request).tenant.id, asked, before=page.before, limit=page.limit + 1)
        has_more, rows = len(rows) > page.limit, rows[: page.limit]
        return Response(
            AuditPage(
                data=[
                    AuditEntryAnswer(
                        id=ids.show(ids.AUDIT_ENTRY, row.id),
                        at=row.at,
                        actor=row.actor,
                        actor_type=row.actor_kind,
                        action=row.action,
                        object_type=row.kind,
                        object_id=row.object_id,
                        label=row.label,
                        sentence=row.said,
                        changes=row.difference,
                        request_id=row.request_id,
                    )
                    for row in rows
                ],
                has_more=has_more,
                next_cursor=next_cursor(rows[-1].id) if has_more else None,
            )
        )
