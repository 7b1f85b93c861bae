"""Request ids: one per request, in the logs, in every answer and in every error.

Whatever a door puts into `request.META["notifier.headers"]` (a dict) goes into the answer too, be it an error.
"""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

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
