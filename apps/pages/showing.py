"""How these pages are answered: with what keeps a link a secret and the page to itself, and in words whatever is wrong."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from apps.pages import languages
from apps.tenants.brand import brand_of

if TYPE_CHECKING:
    from apps.pages.visitors import Visitor

_POLICY = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; connect-src 'self'; script-src 'self'; "
    "img-src 'self' data:; style-src 'self'"
)
_KEPT_TO_ITSELF = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}
WITHOUT_BRAND = brand_of("", "", "")


def page(
    request: HttpRequest, template: str, visitor: "Visitor | None", status: int = 200, **context: Any
) -> HttpResponse:
    language = translation.get_language() or languages.DEFAULT
    known = {
        "visitor": visitor,
        "brand": visitor.brand if visitor else WITHOUT_BRAND,
        "language": language,
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
        "languages": [(code, name, f"?{_query(request, code)}") for code, name in languages.LANGUAGES.items()],
    }
    response = render(request, f"pages/person/{template}.html", known | context, status=status)
    response["Content-Security-Policy"] = _POLICY
    return secured(request, response)


def brand_colors(request: HttpRequest, color: str) -> HttpResponse:
    """A stylesheet: the pages' policy takes no styles within them."""
    brand = brand_of("", f"#{color}", "")
    night = f"--accent:{brand.night_accent};--on-accent:{brand.on_night}"
    css = f":root{{--accent:{brand.accent};--on-accent:{brand.on_accent}}}@media(prefers-color-scheme:dark){{:root{{{night}}}}}"
    return HttpResponse(css, content_type="text/css", headers={"Cache-Control": "public, max-age=86400"})


def secured(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    for name, value in _KEPT_TO_ITSELF.items():
        response.headers.setdefault(name, value)
    patch_vary_headers(response, ["Accept-Language", "Cookie"])
    return response


def in_words(
    request: HttpRequest, status: int, title: str, *words: str, visitor: "Visitor | None" = None
) -> HttpResponse:
    return page(request, "words", visitor, status, title=title, words=words)


def unknown_link(request: HttpRequest) -> HttpResponse:
    with _in_their_language(request):
        return in_words(
            request,
            404,
            _("This link does not work"),
            _("It is not complete, or it was changed on its way. Nothing has been changed."),
            _("Open it again from the message, or copy the whole of it."),
        )


def no_link(request: HttpRequest) -> HttpResponse:
    with _in_their_language(request):
        return in_words(
            request,
            404,
            _("Your settings open by your own link"),
            _("You find it at the end of every mail, or in the settings of the app that sends you messages."),
        )


def session_over(request: HttpRequest) -> HttpResponse:
    with _in_their_language(request):
        return in_words(
            request,
            403,
            _("You have been away for a while"),
            _("Go back to where you came from and open your settings again, or use the link at the end of a mail."),
        )


def nothing_stored(request: HttpRequest) -> HttpResponse:
    with _in_their_language(request):
        return in_words(
            request,
            410,
            _("Nothing is stored about you any more"),
            _("Your data was deleted. You get no messages from here."),
        )


def mail_is_gone(request: HttpRequest) -> HttpResponse:
    with _in_their_language(request):
        return in_words(
            request,
            410,
            _("This mail cannot be shown any more"),
            _("What it was made of is not kept for ever, and codes only until they were used."),
        )


def too_fast(request: HttpRequest) -> HttpResponse:
    with _in_their_language(request):
        answer = in_words(
            request,
            429,
            _("That was very quick"),
            _("Wait a few seconds and try again. Nothing was changed by the last try."),
        )
        answer["Retry-After"] = "5"
        return answer


def foreign_form(request: HttpRequest, visitor: "Visitor") -> HttpResponse:
    return in_words(
        request,
        403,
        _("Nothing was changed"),
        _("The form is too old, or did not come from this page. Open your settings again and repeat it."),
        visitor=visitor,
    )


def _in_their_language(request: HttpRequest) -> Any:
    accepted = request.headers.get("Accept-Language", "")
    return translation.override(
        languages.chosen(asked=request.GET.get("lang", ""), own="", accepted=accepted, tenants="")
    )


def _query(request: HttpRequest, code: str) -> str:
    asked = request.GET.copy()
    for name in ("done", "token"):
        asked.pop(name, None)
    asked["lang"] = code
    return asked.urlencode()
