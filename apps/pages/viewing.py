"""A mail in the browser: made again of what the ledger has, as it was, without tracking, in a box that runs nothing."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from apps.core.enums import Channel
from apps.dispatch import facts
from apps.dispatch.messages import render, render_content
from apps.ledger import journal
from apps.ledger import selectors as ledger
from apps.pages import showing, visitors
from apps.preferences.links import viewed_delivery
from apps.templates.rendering import RenderError, versions

# links may open; nothing runs, nothing is sent. Pictures are the mail's own.
_BOX = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; style-src 'unsafe-inline'; img-src https: data:"
)
RATE, BURST = 1.0, 30


@require_safe
def view(request: HttpRequest, token: str) -> HttpResponse:
    """404 for what is no link of ours, 410 when what it said is gone."""
    delivery_id = viewed_delivery(token)
    if visitors.is_too_fast(f"view:{visitors.client(request)}", RATE, BURST):
        return showing.too_fast(request)
    if delivery_id is None:
        return showing.unknown_link(request)
    letter = journal.letter(delivery_id)
    html = _html(letter) if letter and letter.channel == Channel.EMAIL and letter.started_at else None
    if html is None:
        return showing.mail_is_gone(request)
    answer = HttpResponse(html)
    answer["Content-Security-Policy"] = _BOX
    return showing.secured(request, answer)


def _html(letter: journal.Letter) -> str | None:
    """None when data or template of it are gone."""
    n = ledger.notifications([letter.notification_id]).get(letter.notification_id)
    if n is None or letter.is_erased:
        return None
    found = facts.load([n], Channel.EMAIL)
    person = found.people.get(n.recipient_id)
    if person is None or person.recipient is None or found.is_erased(n):
        return None
    version_id = letter.template_version_id
    content = versions([version_id]).get(version_id) if version_id else None
    try:
        if n.is_summary:
            rendered = render(n, found, person, Channel.EMAIL, letter.delivery_id, content)
        else:
            rendered = render_content(n, content, person, Channel.EMAIL, letter.delivery_id)
    except RenderError:
        return None
    html = rendered.content.get("html", "")
    return html if "<html" in html[:500].lower() else f"<!doctype html><meta charset=utf-8><title></title>{html}"
