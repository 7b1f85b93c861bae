"""Request ids: one per request, in the logs, in every answer and in every error; and what only pages need.

Whatever a door puts into `request.META["notifier.headers"]` (a dict) goes into the answer too, be it an error.
"""

import re
from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from apps.core import ids, logs

_GIVEN = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


class RequestIdMiddleware:
    """Takes the caller's X-Request-Id when it is well formed (8 to 64 of A-Z a-z 0-9 . _ -), makes one otherwise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _GIVEN.match(given) else ids.show(ids.REQUEST, ids.new())
        request.META["notifier.request_id"] = request_id
        logs.clear()
        logs.bind(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        for name, value in request.META.get("notifier.headers", {}).items():
            response[name] = value
        return response


class PagesOnly:
    """Mixed into middleware that only pages need. Requests of the API carry a key, never a cookie."""

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if _is_api(request) else super().__call__(request)  # type: ignore[misc, attr-defined]


class PageSessions(PagesOnly, SessionMiddleware):
    pass


class PageCsrf(PagesOnly, CsrfViewMiddleware):
    def process_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return None if _is_api(request) else super().process_view(request, *args, **kwargs)


class PageUsers(PagesOnly, AuthenticationMiddleware):
    pass


class PageMessages(PagesOnly, MessageMiddleware):
    pass


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/v1/")
