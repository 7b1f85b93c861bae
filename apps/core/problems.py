"""Errors as values of one shape: RFC 9457 application/problem+json with a stable code, JSON pointers and the request id."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions

from apps.core.problem_codes import Code

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: `pointer` is a JSON pointer into the body (RFC 6901), or `#header/...`, `#query/...`."""

    pointer: str
    code: str
    detail: str
    line: int | None = None
    column: int | None = None


class ProblemBody(msgspec.Struct, omit_defaults=True):
    """The body of every error answer (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] = []


class Problem(Exception):
    """Raised anywhere below a door of the API; becomes the answer."""

    def __init__(
        self,
        code: Code,
        detail: str = "",
        *,
        pointer: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or code.meaning)
        self.code = code
        self.detail = detail or code.meaning
        self.headers = dict(headers or {})
        self.errors = list(errors) or ([FieldError(pointer, code, self.detail)] if pointer is not None else [])

    def below(self, pointer: str) -> "Problem":
        """The same problem of a part that stands at `pointer` in the whole body."""
        moved = [msgspec.structs.replace(error, pointer=pointer + error.pointer) for error in self.errors]
        return Problem(self.code, self.detail, pointer=None if moved else pointer, errors=moved, headers=self.headers)


def problem_response(request: HttpRequest, problem: Problem) -> HttpResponse:
    code = problem.code
    body = ProblemBody(
        type=request.build_absolute_uri(f"/docs/errors#{code}"),
        title=code.meaning,
        status=code.status,
        code=code,
        detail=problem.detail,
        instance=request.path,
        request_id=request.META.get("notifier.request_id", ""),
        errors=problem.errors,
    )
    response = HttpResponse(msgspec.json.encode(body), status=code.status, content_type=MEDIA_TYPE)
    for name, value in problem.headers.items():
        response[name] = value
    return response


def handle_exception(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """REST_FRAMEWORK["EXCEPTION_HANDLER"]: every exception below a view becomes a problem."""
    request: HttpRequest = context["request"]._request
    return problem_response(request, problem_of(error))


def problem_of(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Problem(Code.UNAUTHENTICATED, headers={"WWW-Authenticate": 'Bearer realm="notifier"'})
        case exceptions.PermissionDenied() | PermissionDenied():
            return Problem(Code.FORBIDDEN, str(error))
        case Http404() | exceptions.NotFound():
            return Problem(Code.NOT_FOUND)
        case exceptions.MethodNotAllowed():
            return Problem(Code.METHOD_NOT_ALLOWED, str(error.detail))
        case exceptions.UnsupportedMediaType():
            return Problem(Code.UNSUPPORTED_MEDIA_TYPE)
        case exceptions.ParseError():
            return Problem(Code.INVALID_JSON, str(error.detail))
        case DatabaseError():
            log.warning("database unavailable", exc_info=error)
            return Problem(Code.UNAVAILABLE, headers={"Retry-After": "2"})
        case _:
            log.error("unhandled exception", exc_info=error)
            return Problem(Code.INTERNAL_ERROR)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: a problem for the API, Django's page elsewhere."""
    if request.path.startswith("/v1/"):
        return problem_response(request, Problem(Code.NOT_FOUND))
    from django.views.defaults import page_not_found

    return page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500."""
    if request.path.startswith("/v1/"):
        return problem_response(request, Problem(Code.INTERNAL_ERROR))
    from django.views.defaults import server_error as page

    return page(request)
