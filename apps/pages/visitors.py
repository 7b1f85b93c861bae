"""Who opens a page, and by what right: a link of ours, which is good for ever, or the tenant's own recipient token, which ends.

`/preferences/<key>/`: the key is a link's token, or `me` for who came with a recipient token; that one is then kept in a cookie. The
forms carry a value made of what opened the page (the cookie would go along with a foreign site's form, a link's token would not).
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt

from apps.audience import selectors as audience
from apps.core import clock, short_tokens
from apps.core.buckets import Bucket, take
from apps.core.locales import zone as zone_named
from apps.core.types import Author, Recipient, Tenant
from apps.inbox.tokens import viewer_of
from apps.pages import languages, showing
from apps.preferences.links import settings_recipient
from apps.tenants.brand import Brand
from apps.tenants.selectors import branded

ME, COOKIE, PATH = "me", "ntf_recipient", "/preferences/"
SOURCE = "settings_page"
RATE, BURST = 2.0, 60
GUESSES, GUESS_BURST = 0.2, 20
_FORM = "preferences.form"


@dataclass(frozen=True, slots=True)
class Visitor:
    """`is_known`: they came from the tenant's own pages, not by a link that may have been passed on. `asked`: the language that
    the page was asked for in, or empty."""

    key: str
    credential: str
    recipient: Recipient
    tenant: Tenant
    brand: Brand
    language: str
    asked: str
    address: str
    agent: str

    @property
    def is_known(self) -> bool:
        return self.key == ME

    @property
    def form_key(self) -> str:
        return short_tokens.sign(_FORM, sha256(self.credential.encode()).digest()[:16])

    @property
    def zone(self) -> str:
        return zone_named(self.recipient.timezone or self.tenant.timezone).key

    def url(self, page: str = "", **query: str) -> str:
        """Of one of their pages, in the language that they asked for."""
        asked = {name: value for name, value in (("lang", self.asked), *query.items()) if value}
        return f"{PATH}{self.key}/{page}" + (f"?{urlencode(asked)}" if asked else "")

    @property
    def change_url(self) -> str:
        return self.url("change")

    def author(self, text: str, *, source: str = SOURCE, notification_id: UUID | None = None) -> Author:
        return Author(source, text, self.address, self.agent, notification_id)


View = Callable[..., HttpResponse]


def opened(view: View) -> View:
    """For views of `/preferences/<key>/...`: they get the Visitor; nobody else gets in. Their forms are checked."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, key: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_too_fast(f"page:{key[:100]}:{client(request)}", RATE, BURST):
            return showing.too_fast(request)
        credential = request.COOKIES.get(COOKIE, "") if key == ME else key
        recipient_id = _recipient_id(key, credential)
        if recipient_id is None:
            if is_too_fast(f"guess:{client(request)}", GUESSES, GUESS_BURST):
                return showing.too_fast(request)
            return showing.session_over(request) if key == ME else showing.unknown_link(request)
        visitor = visitor_of(request, recipient_id, key, credential)
        if visitor is None:
            return showing.nothing_stored(request)
        with translation.override(visitor.language):
            if request.method == "POST" and not _is_ours(request, visitor):
                return showing.foreign_form(request, visitor)
            return showing.secured(request, view(request, visitor, *args, **kwargs))

    return guarded


def visitor_of(request: HttpRequest, recipient_id: UUID, key: str, credential: str) -> Visitor | None:
    """None when nothing is stored about them. Two queries."""
    recipient = audience.recipients([recipient_id]).get(recipient_id)
    found = branded(recipient.tenant_id) if recipient else None
    if recipient is None or found is None:
        return None
    tenant, brand = found
    asked = request.GET.get("lang", "")
    asked = asked if asked in languages.LANGUAGES else ""
    accepted = request.headers.get("Accept-Language", "")
    language = languages.chosen(asked=asked, own=recipient.locale, accepted=accepted, tenants=tenant.locale)
    agent = request.headers.get("User-Agent", "")[:300]
    return Visitor(key, credential, recipient, tenant, brand, language, asked, client(request), agent)


def enter(request: HttpRequest) -> HttpResponse:
    """`/preferences/?token=<recipient token>`: the token goes into a cookie of these pages, out of the address."""
    token = request.GET.get("token", "")
    now = clock.now()
    viewer = viewer_of(token, now=now) if token else None
    if viewer is None:
        return showing.session_over(request) if token else showing.no_link(request)
    asked = request.GET.get("lang", "")
    answer = HttpResponseRedirect(f"{PATH}{ME}/" + (f"?lang={asked}" if asked in languages.LANGUAGES else ""))
    answer.set_cookie(
        COOKIE,
        token,
        max_age=max(1, int((viewer.expires_at - now).total_seconds())),
        path=PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return showing.secured(request, answer)


def _recipient_id(key: str, credential: str) -> UUID | None:
    if key != ME:
        return settings_recipient(key)
    viewer = viewer_of(credential, now=clock.now())
    return viewer.recipient_id if viewer else None


def _is_ours(request: HttpRequest, visitor: Visitor) -> bool:
    return hmac.compare_digest(request.POST.get("form_key", "").encode(), visitor.form_key.encode())


def is_too_fast(name: str, rate: float, burst: int) -> bool:
    key = sha256(name.encode()).hexdigest()[:32]
    return not take([Bucket(f"rate:pages:{key}", rate, burst)]).is_allowed


def client(request: HttpRequest) -> str:
    """The network address that asks; behind a proxy of ours the one that the proxy saw."""
    passed = request.headers.get("X-Forwarded-For", "") if settings.SECURE_PROXY_SSL_HEADER else ""
    return passed.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
