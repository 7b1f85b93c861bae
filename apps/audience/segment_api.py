"""/v1/segments: who is meant, by rules or by list; how many they are, and how many of them are reached."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audience.segment_bodies import (
    CountAnswer,
    FieldAnswer,
    FieldsAnswer,
    MemberPage,
    MembersAnswer,
    MembersBody,
    NewSegmentBody,
    SegmentAnswer,
    SegmentBody,
    SegmentPage,
    SegmentPreviewAnswer,
    SegmentPreviewBody,
)
from apps.audience.segments import fields, keeping, lists, stored
from apps.audience.segments.previewing import preview
from apps.audience.segments.stored import SegmentRow
from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of

TAGS = ["Segments"]
MOST_BODY = 1_500_000
SEGMENT = OpenApiParameter(
    "segment",
    {"type": "string", "minLength": 1, "examples": ["vip"]},
    OpenApiParameter.PATH,
    description="Its key or its id.",
)
ARCHIVED = OpenApiParameter("archived", {"type": "boolean", "default": False}, description="The archived ones, too.")


class SegmentsView(APIView):
    scopes = dict.fromkeys(("GET", "POST"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="list_segments",
        summary="List segments and lists",
        description="Newest first.",
        tags=TAGS,
        parameters=[ARCHIVED, *PAGE_PARAMETERS],
        responses={200: SegmentPage},
    )
    def get(self, request: Request) -> Response:
        page, tenant_id = page_request(request), caller_of(request).tenant.id
        archived = request.query_params.get("archived", "false")
        if archived not in ("true", "false"):
            raise Problem(Code.WRONG_TYPE, "`archived` is true or false.", pointer="#query/archived")
        rows = stored.segments(tenant_id, limit=page.limit + 1, before=page.before, with_archived=archived == "true")
        has_more, rows = len(rows) > page.limit, rows[: page.limit]
        users = keeping.users_of(tenant_id, {row.id for row in rows})
        return Response(
            SegmentPage(
                data=[SegmentAnswer.of(row, users.get(row.id, [])) for row in rows],
                has_more=has_more,
                next_cursor=next_cursor(rows[-1].id) if has_more else None,
            )
        )

    @extend_schema(
        operation_id="create_segment",
        summary="Create a segment or a list",
        description="With `rules` it is a segment: its people are found when it is used. Without, it is a list.",
        tags=TAGS,
        request=NewSegmentBody,
        responses={201: SegmentAnswer, 409: ProblemBody},
    )
    @audited("audience.segment")
    def post(self, request: Request) -> Response:
        body, tenant_id = decode(request, NewSegmentBody), caller_of(request).tenant.id
        row = keeping.create_segment(tenant_id=tenant_id, key=body.key, name=_name(body.name), rules=body.rules)
        return Response(_answer(row), status=201)


class SegmentView(APIView):
    scopes = dict.fromkeys(("GET", "PUT", "DELETE"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="get_segment",
        summary="Read a segment",
        tags=TAGS,
        parameters=[SEGMENT],
        responses={200: SegmentAnswer},
    )
    def get(self, request: Request, segment: str) -> Response:
        return Response(_answer(_row(caller_of(request).tenant.id, segment)))

    @extend_schema(
        operation_id="put_segment",
        summary="Change a segment",
        description="Its key stays. What uses it uses the new rules from now on.",
        tags=TAGS,
        parameters=[SEGMENT],
        request=SegmentBody,
        responses={200: SegmentAnswer, 409: ProblemBody},
    )
    @audited("audience.segment", either="segment")
    def put(self, request: Request, segment: str) -> Response:
        body, tenant_id = decode(request, SegmentBody), caller_of(request).tenant.id
        row = keeping.update_segment(
            tenant_id=tenant_id,
            segment_id=_row(tenant_id, segment).id,
            name=_name(body.name),
            rules=body.rules,
            version=body.version,
        )
        return Response(_answer(row))

    @extend_schema(
        operation_id="archive_segment",
        summary="Archive a segment",
        description="It can be read and is used no more. What something uses is not archived: the answer names what.",
        tags=TAGS,
        parameters=[SEGMENT],
        responses={204: None, 409: ProblemBody},
    )
    @audited("audience.segment", action="archive", either="segment")
    def delete(self, request: Request, segment: str) -> Response:
        tenant_id = caller_of(request).tenant.id
        keeping.archive_segment(tenant_id=tenant_id, segment_id=_row(tenant_id, segment).id)
        return Response(status=204)


class SegmentCountView(APIView):
    scopes = {"GET": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="count_segment",
        summary="Count a segment",
        description="Exactly, or about, when that would take too long.",
        tags=TAGS,
        parameters=[SEGMENT],
        responses={200: CountAnswer},
    )
    def get(self, request: Request, segment: str) -> Response:
        tenant_id = caller_of(request).tenant.id
        row = _row(tenant_id, segment)
        return Response(CountAnswer.of(keeping.count_segment(tenant_id=tenant_id, segment_id=row.id)))


class SegmentMembersView(APIView):
    scopes = dict.fromkeys(("GET", "POST", "DELETE"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="list_members",
        summary="List the people of a list",
        tags=TAGS,
        parameters=[SEGMENT, *PAGE_PARAMETERS],
        responses={200: MemberPage},
    )
    def get(self, request: Request, segment: str) -> Response:
        page, tenant_id = page_request(request), caller_of(request).tenant.id
        row = _row(tenant_id, segment)
        found = lists.members(tenant_id, row.id, after=page.before, limit=page.limit + 1)
        has_more, found = len(found) > page.limit, found[: page.limit]
        cursor = next_cursor(found[-1].recipient_id) if has_more else None
        return Response(MemberPage(data=[each.user_id for each in found], has_more=has_more, next_cursor=cursor))

    @extend_schema(
        operation_id="add_members",
        summary="Put people on a list",
        description="Who is on it stays on it. Up to 10,000 at once.",
        tags=TAGS,
        parameters=[SEGMENT],
        request=MembersBody,
        responses={200: MembersAnswer, 409: ProblemBody},
    )
    @audited("audience.segment", action="add_members", either="segment")
    def post(self, request: Request, segment: str) -> Response:
        body, tenant_id = decode(request, MembersBody, limit=MOST_BODY), caller_of(request).tenant.id
        row = _row(tenant_id, segment)
        return _changed(lists.add_members(tenant_id=tenant_id, segment_id=row.id, user_ids=body.user_ids))

    @extend_schema(
        operation_id="remove_members",
        summary="Take people off a list",
        tags=TAGS,
        parameters=[SEGMENT],
        request=MembersBody,
        responses={200: MembersAnswer, 409: ProblemBody},
    )
    @audited("audience.segment", action="remove_members", either="segment")
    def delete(self, request: Request, segment: str) -> Response:
        body, tenant_id = decode(request, MembersBody, limit=MOST_BODY), caller_of(request).tenant.id
        row = _row(tenant_id, segment)
        return _changed(lists.remove_members(tenant_id=tenant_id, segment_id=row.id, user_ids=body.user_ids))


class SegmentPreviewView(APIView):
    scopes = {"POST": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="preview_segment",
        summary="Try rules",
        description="How many people they describe, how many of them a message would reach on each channel and why not the others; with"
        " examples. Nothing is kept.",
        tags=TAGS,
        request=SegmentPreviewBody,
        responses={200: SegmentPreviewAnswer},
    )
    def post(self, request: Request) -> Response:
        return Response(preview(caller_of(request).tenant.id, decode(request, SegmentPreviewBody)))


class SegmentFieldsView(APIView):
    scopes = {"GET": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="list_segment_fields",
        summary="List what rules can ask about",
        tags=TAGS,
        responses={200: FieldsAnswer},
    )
    def get(self, request: Request) -> Response:
        answers = [
            FieldAnswer(name=one.key, label=one.label, group=one.group, ops=dict(one.ops), paths=list(one.paths))
            for one in fields.every()
        ]
        return Response(FieldsAnswer(data=answers))


def _row(tenant_id: UUID, name: str) -> SegmentRow:
    found = stored.segment(tenant_id, name)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no segment or list `{name}`.")
    return found


def _name(name: str) -> str:
    if not name.strip():
        raise Problem(Code.OUT_OF_RANGE, "A name is needed.", pointer="/name")
    return name.strip()


def _answer(row: SegmentRow) -> SegmentAnswer:
    return SegmentAnswer.of(row, keeping.users_of(row.tenant_id, {row.id}).get(row.id, []))


def _changed(changed: lists.Changed) -> Response:
    return Response(MembersAnswer(changed=changed.number, unknown=list(changed.unknown)))
