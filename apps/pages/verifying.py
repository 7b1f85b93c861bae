"""Verifying an address: a link is sent there, and whoever opens it and says yes has it.

The message goes through the ledger as every other does; it is critical, as the person waits for it. It carries no link to the
settings: the address may be somebody else's. A GET of the link verifies nothing: mail scanners follow links.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.audience.retiring import verify
from apps.channels.selectors import has_account
from apps.core import clock, ids, short_tokens
from apps.core.enums import Category, Channel, KeyMode, Priority
from apps.core.types import Endpoint, NewNotification
from apps.core.types.work import VERIFICATION
from apps.dispatch.ringer import ringer
from apps.ledger.accepting import Request, accept
from apps.pages import showing, visitors
from apps.pages.visitors import Visitor
from apps.preferences.links import settings_token

GOOD_FOR = timedelta(days=1)
CHANNELS = frozenset({Channel.EMAIL, Channel.SMS})
# three at once, then one in ten minutes
RATE, BURST = 1 / 600, 3
_PURPOSE = "verify"
_DAY = timedelta(days=1)


class Asked(NamedTuple):
    recipient_id: UUID
    endpoint_id: UUID
    until: datetime


def token_of(asked: Asked) -> str:
    seconds = int(asked.until.timestamp()).to_bytes(5, "big")
    return short_tokens.sign(_PURPOSE, asked.recipient_id.bytes + asked.endpoint_id.bytes + seconds)


def read(token: str, now: datetime) -> Asked | None:
    """None for what is not ours, or over."""
    payload = short_tokens.read(_PURPOSE, token)
    if payload is None or len(payload) != 37:
        return None
    until = datetime.fromtimestamp(int.from_bytes(payload[32:], "big"), UTC)
    return Asked(UUID(bytes=payload[:16]), UUID(bytes=payload[16:32]), until) if now < until else None


def send_link(visitor: Visitor, endpoint: Endpoint) -> bool:
    """False when it was asked for too often."""
    if visitors.is_too_fast(f"verify:{endpoint.id}", RATE, BURST):
        return False
    url = f"{settings.PUBLIC_URL}/verify/{token_of(Asked(endpoint.recipient_id, endpoint.id, clock.now() + GOOD_FOR))}"
    name = visitor.tenant.name
    said = _("%(tenant)s wants to send you messages here. Confirm that it is you: %(url)s") % {
        "tenant": name,
        "url": url,
    }
    no = _("If you did not ask for it, do nothing.")
    message = NewNotification(
        id=ids.new(),
        recipient_id=endpoint.recipient_id,
        category=Category.CRITICAL,
        event_type="",
        template_key="",
        channels=(endpoint.channel,),
        priority=Priority.HIGH,
        data={},
        content={"title": _("Confirm your address"), "body": f"{said}\n\n{no}"},
        due_at=None,
        expires_at=clock.now() + timedelta(hours=1),
        event_id="",
        actor_id="",
        object_id=ids.show(ids.ENDPOINT, endpoint.id),
        ordering_key="",
    )
    mode = KeyMode.LIVE if has_account(visitor.tenant.id, KeyMode.LIVE, endpoint.channel) else KeyMode.TEST
    request = Request(
        visitor.tenant.id, None, mode, VERIFICATION, "", message.id.bytes * 2, bytes(32), b"{}", _DAY, _DAY
    )
    accept(request, [message])
    transaction.on_commit(lambda: ringer.ask(f"route.{Category.CRITICAL}"), robust=True)
    return True


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """A POST verifies, whoever sends it: the token was sent to the address and nowhere else."""
    asked = read(token, clock.now())
    if asked is None:
        if visitors.is_too_fast(f"guess:{visitors.client(request)}", visitors.GUESSES, visitors.GUESS_BURST):
            return showing.too_fast(request)
        return showing.unknown_link(request)
    visitor = visitors.visitor_of(request, asked.recipient_id, settings_token(asked.recipient_id), token)
    if visitor is None:
        return showing.nothing_stored(request)
    with translation.override(visitor.language):
        if request.method != "POST":
            words = _("Then %(tenant)s can send messages here.") % {"tenant": visitor.tenant.name}
            return showing.page(request, "verify", visitor, title=_("Is this address yours?"), sentence=words)
        if not verify(recipient_id=asked.recipient_id, endpoint_id=asked.endpoint_id, now=clock.now()):
            return showing.in_words(request, 410, _("Nothing was changed"), _("This address is not in use any more."))
        return showing.in_words(
            request, 200, _("Thank you"), _("Your address is confirmed. Messages can come here now.")
        )
