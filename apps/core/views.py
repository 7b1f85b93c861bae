"""The documentation's pages, from local files only, and the health check."""

import re
from functools import cache
from http import HTTPStatus
from itertools import groupby
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

from apps.core.problem_codes import Code

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; script-src 'self'; "
# both explorers write style elements and show images as data; Redoc searches in a worker made from a blob
_EXPLORER_POLICY = (
    _POLICY + "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src blob:"
)
_PAGE_POLICY = _POLICY + "style-src 'self'; img-src 'self' data:"


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Redoc."""
    return _page(request, "pages/reference.html", _EXPLORER_POLICY)


@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    """Swagger UI: the same schema, with a button to try each call."""
    return _page(request, "pages/explorer.html", _EXPLORER_POLICY)


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    """One anchor per code; the `type` of every problem points here."""
    codes: list[Code] = sorted(Code, key=lambda code: (code.status, code.value))
    groups = [
        {
            "status": status,
            "phrase": HTTPStatus(status).phrase,
            "codes": [
                {"value": code.value, "meaning": _marked(code.meaning), "fix": _marked(code.fix)} for code in found
            ],
        }
        for status, found in groupby(codes, key=lambda code: code.status)
    ]
    return _page(request, "pages/errors.html", _PAGE_POLICY, groups=groups, count=len(codes))


def _marked(text: str) -> SafeString:
    """`Code` in back quotes, as in Markdown."""
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))


def _page(request: HttpRequest, template: str, policy: str, **context: Any) -> HttpResponse:
    response = render(request, template, context)
    response["Content-Security-Policy"] = policy
    return response


@require_safe
def schema_json(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_schema_as(OpenApiJsonRenderer), content_type="application/json")


@require_safe
def schema_yaml(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_schema_as(OpenApiYamlRenderer), content_type="application/yaml")


@cache
def _schema_as(renderer: type[OpenApiJsonRenderer] | type[OpenApiYamlRenderer]) -> bytes:
    """Once per process: it changes only with the code."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    rendered: bytes = renderer().render(schema, renderer_context={})
    return rendered


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """200 while the database answers, 503 otherwise. Redis is not asked: without it requests are still accepted."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "missing": "database"}, status=503)
    return JsonResponse({"status": "ok"})
