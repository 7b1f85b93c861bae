"""Doors of tracked mails: a link that leads on, a picture of one pixel. The token is the key; what is stored is applied by workers."""

from base64 import b64decode
from urllib.parse import urlsplit

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_safe

from apps.core import clock
from apps.core.enums import MACHINE, EventKind
from apps.dispatch.ringer import ringer
from apps.dispatch.tracking import link_of, opened_delivery
from apps.receipts.machines import is_machine
from apps.receipts.models import TrackedEvent
from apps.receipts.tracking import SOURCE, log, store_tracked

QUEUE = "receipts"
MOST_TARGET = 300
PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PRIVATE = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


@require_safe
def follow(request: HttpRequest, token: str) -> HttpResponse:
    """302 to the target that the token carries, 404 for a token that is not ours."""
    link = link_of(token)
    if link is None:
        raise Http404
    said = {"mark": str(link.number), "target": plain(link.target)}
    _note(request, TrackedEvent(delivery_id=link.delivery_id, kind=EventKind.CLICKED, source=SOURCE, **said))
    return HttpResponseRedirect(link.target, headers=_PRIVATE)


def plain(target: str) -> str:
    """Host and path: a query may say who somebody is. At most MOST_TARGET characters."""
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:MOST_TARGET]


@require_safe
def pixel(request: HttpRequest, token: str) -> HttpResponse:
    delivery_id = opened_delivery(token)
    if delivery_id is None:
        raise Http404
    _note(request, TrackedEvent(delivery_id=delivery_id, kind=EventKind.OPENED, source=SOURCE))
    return HttpResponse(PIXEL, content_type="image/gif", headers=_PRIVATE)


def _note(request: HttpRequest, event: TrackedEvent) -> None:
    """Whoever follows a link gets there, whether we could note it or not."""
    event.at = clock.now()
    event.code = MACHINE if is_machine(request.method or "", request.headers) else ""
    try:
        store_tracked([event])
    except DatabaseError as error:
        log.warning("tracked event not stored", extra={"kind": event.kind, "error": type(error).__name__})
        return
    ringer.ask(QUEUE)
