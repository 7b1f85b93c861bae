"""/v1/imports: files of people, taken in, checked, written, paused, cancelled; what was refused as CSV."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audience.imports import services
from apps.audience.imports.answers import ImportAnswer, ImportPage, answer, faults_csv, page
from apps.audience.imports.fields import plan_of
from apps.audience.imports.lists import list_named
from apps.audience.imports.uploads import taken_from
from apps.core import ids
from apps.core.bodies import Body, decode
from apps.core.enums import Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Caller, Tenant
from apps.tenants.auditing import Actor, key, record, record_download
from apps.tenants.authentication import caller_of

TAGS = ["Imports"]
_KIND = "audience.import"
ID = OpenApiParameter(
    "import_id", {"type": "string", "examples": ["imp_06czvrg000jr4dx5k0mb8w1a2c"]}, OpenApiParameter.PATH
)
MAPPING = OpenApiParameter(
    "mapping",
    str,
    description="JSON: `{column: field}`; without it the columns are guessed by their names. Fields: `user_id`, `email`, `phone`,"
    " `locale`, `timezone`, `attributes.<name>` with `:text`, `:number`, `:bool` or `:date`, `ignore`.",
)
LIST = OpenApiParameter("list", str, description="Key of the list that everybody is put on; made when there is none.")
START = OpenApiParameter("start", bool, description="`true`: what is right is written as soon as the file is checked.")
NAME = OpenApiParameter("file_name", str, description="What it is called in the admin.")
_CSV = "user_id,email,first_name\nu_42,zoe@example.com,Zoe\n"


class ImportPatch(Body, frozen=True):
    """Checks the file anew with another mapping."""

    mapping: Annotated[dict[str, str], msgspec.Meta(examples=[{"Kundennummer": "user_id", "Mail": "email"}])]
    list: str | None = None
    start: bool = False


class ImportsView(APIView):
    scopes = dict.fromkeys(("GET", "POST"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="list_imports", summary="List imports", description="Newest first.", tags=TAGS,
        parameters=PAGE_PARAMETERS, responses={200: ImportPage},
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        return Response(page(caller_of(request).tenant.id, page_request(request)))

    @extend_schema(
        operation_id="create_import",
        summary="Import a file of people",
        description=(
            "The file is the body (`text/csv`, or gzip), or the part `file` of a form. It is stored as it arrives, then checked as a whole:"
            " GET it until its `state` is `checked`, look at the counts and at `/errors`, and POST `/start`."
            " Cells that are empty change nothing, attributes are merged, addresses are added; rows that are refused stay out."
        ),
        tags=TAGS,
        parameters=[MAPPING, LIST, START, NAME],
        request={("text/csv"): OpenApiTypes.STR, "multipart/form-data": OpenApiTypes.OBJECT},
        responses={201: ImportAnswer, 400: ProblemBody, 413: ProblemBody, 415: ProblemBody},
        examples=[OpenApiExample("a file", value=_CSV, media_type="text/csv", request_only=True)],
    )
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        given = _mapping(request.query_params.get("mapping"))
        intake, name = taken_from(request._request, caller.tenant.id)
        try:
            import_id = services.create_import(
                tenant=caller.tenant,
                intake=intake,
                file_name=request.query_params.get("file_name", name),
                by=f"key {caller.key_name}",
            )
            self._check(caller.tenant, import_id, given, request.query_params)
        except Problem:
            services.withdraw_import(tenant=caller.tenant, import_id=intake.import_id)
            raise
        return Response(_told(caller, import_id, "add"), status=201)

    def _check(self, tenant: Tenant, import_id: UUID, given: dict[str, str] | None, query: Mapping[str, str]) -> None:
        known = _answer(tenant, import_id)
        mapping = known.mapping if given is None else given
        plan_of(known.columns, mapping)
        list_id = list_named(tenant, query["list"]) if query.get("list") else None
        may_run = query.get("start", "").lower() in ("true", "1")
        services.map_columns(tenant=tenant, import_id=import_id, mapping=mapping, list_id=list_id, may_run=may_run)


class ImportView(APIView):
    scopes = dict.fromkeys(("GET", "PATCH"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="get_import", summary="Read an import", tags=TAGS, parameters=[ID], responses={200: ImportAnswer}
    )
    def get(self, request: Request, import_id: str) -> Response:
        return Response(_answer(caller_of(request).tenant, _id(import_id)))

    @extend_schema(
        operation_id="map_import", summary="Check it with another mapping", tags=TAGS, parameters=[ID],
        description="While it is not started.", request=ImportPatch, responses={200: ImportAnswer, 409: ProblemBody},
    )  # fmt: skip
    def patch(self, request: Request, import_id: str) -> Response:
        caller, body = caller_of(request), decode(request, ImportPatch)
        tenant, found = caller.tenant, _id(import_id)
        _answer(tenant, found)
        list_id = list_named(tenant, body.list) if body.list else None
        services.map_columns(tenant=tenant, import_id=found, mapping=body.mapping, list_id=list_id, may_run=body.start)
        return Response(_told(caller, found, "map"))


class ImportErrorsView(APIView):
    scopes = {"GET": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="get_import_errors",
        summary="Download the rows that were refused",
        description=(
            "CSV: the columns of the file, then `line`, `column`, `code` and `detail`. A cell that a spreadsheet would take for a formula"
            " begins with `'`. Kept for seven days after the import ended."
        ),
        tags=TAGS,
        parameters=[ID],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, import_id: str) -> StreamingHttpResponse:
        caller, found = caller_of(request), _id(import_id)
        return errors_response(caller.tenant, found, _answer(caller.tenant, found), key(caller))


class _Move(APIView):
    scopes = {"POST": Scope.USERS_WRITE}
    name: str
    move: Any = None

    def post(self, request: Request, import_id: str) -> Response:
        caller, found = caller_of(request), _id(import_id)
        type(self).move(tenant=caller.tenant, import_id=found)
        return Response(_told(caller, found, self.name))


def _moving(operation_id: str, summary: str, description: str) -> Any:
    said = extend_schema(
        operation_id=operation_id, summary=summary, description=description, tags=TAGS, parameters=[ID], request=None,
        responses={200: ImportAnswer, 409: ProblemBody},
    )  # fmt: skip
    return extend_schema_view(post=said)


@_moving("start_import", "Write it, or go on", "While it is still being checked: as soon as that is done.")
class ImportStartView(_Move):
    name, move = "start", staticmethod(services.start_import)


@_moving("pause_import", "Pause it", "When this answers, nothing more is written until it is started again.")
class ImportPauseView(_Move):
    name, move = "pause", staticmethod(services.pause_import)


@_moving("cancel_import", "Cancel it", "For good. Whoever was written stays; the file is deleted.")
class ImportCancelView(_Move):
    name, move = "cancel", staticmethod(services.cancel_import)


def errors_response(tenant: Tenant, import_id: UUID, known: ImportAnswer, by: Actor) -> StreamingHttpResponse:
    record_download(
        actor=by,
        tenant_id=tenant.id,
        kind=_KIND,
        object_id=import_id,
        label=known.file_name,
        what="the refused rows",
        rows=known.refused,
    )
    response = StreamingHttpResponse(
        faults_csv(tenant.id, import_id, known.columns), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{known.id}-errors.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _id(text: str) -> UUID:
    found = ids.read(ids.IMPORT, text)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no import `{text}`.")
    return found


def _answer(tenant: Tenant, import_id: UUID) -> ImportAnswer:
    found = answer(tenant.id, import_id)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no import `{ids.show(ids.IMPORT, import_id)}`.")
    return found


def _told(caller: Caller, import_id: UUID, action: str) -> ImportAnswer:
    """As it is now. The log keeps what was done, and nothing of the file: where it has no header, its columns are somebody's data."""
    found = _answer(caller.tenant, import_id)
    record(
        actor=key(caller),
        tenant_id=caller.tenant.id,
        action=action,
        kind=_KIND,
        object_id=import_id,
        label=found.file_name,
        said=f"{action.capitalize()}.",
    )
    return found


def _mapping(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise Problem(
            Code.INVALID_MAPPING, f"`mapping` is not a JSON object of texts: {error}.", pointer="#query/mapping"
        ) from None
