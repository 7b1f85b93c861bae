"""A person's own data: to take along, and to be deleted.

By a link, which may have been passed on, addresses are shown masked; whoever comes with the tenant's own token gets them in clear.
"""

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.audience import selectors as audience
from apps.audience.services import forget_recipient
from apps.core import clock, ids
from apps.ledger import journal
from apps.pages import showing
from apps.pages.visitors import COOKIE, PATH, Visitor, opened
from apps.preferences import choosing
from apps.preferences.proving import chain_of, records_of
from apps.tenants.auditing import PERSON

MOST_MESSAGES = 5_000


@require_safe
@opened
def export(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """JSON: the profile, addresses, choices, what was said about them with its proof, and the latest messages."""
    answer = HttpResponse(msgspec.json.format(msgspec.json.encode(_data(visitor)), indent=2), "application/json")
    answer["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@opened
def delete(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """A GET asks, a POST with the box ticked deletes."""
    if request.method != "POST" or request.POST.get("sure") != "yes":
        is_unsure = request.method == "POST"
        return showing.page(
            request,
            "delete",
            visitor,
            422 if is_unsure else 200,
            title=_("Delete my data"),
            is_unsure=is_unsure,
            action=visitor.url("delete"),
            export_url=visitor.url("data.json"),
            settings_url=visitor.url(),
        )
    forget_recipient(tenant=visitor.tenant, user_id=visitor.recipient.user_id, by=PERSON)
    words = _("%(tenant)s may keep data of its own elsewhere; ask there, too.") % {"tenant": visitor.tenant.name}
    answer = showing.in_words(request, 200, _("Your data is deleted"), _("You get no more messages from here."), words)
    answer.delete_cookie(COOKIE, path=PATH)
    return answer


def _data(visitor: Visitor) -> dict[str, Any]:
    mine, now = visitor.recipient, clock.now()
    who = {"tenant_id": visitor.tenant.id, "recipient_id": mine.id}
    messages = journal.messages_of(**who, before=None, limit=MOST_MESSAGES)
    return {
        "made_at": now,
        "tenant": visitor.tenant.name,
        "profile": {
            "user_id": mine.user_id,
            "locale": mine.locale,
            "timezone": mine.timezone,
            "attributes": mine.attributes,
        },
        "addresses": [
            {
                "id": ids.show(ids.ENDPOINT, e.id),
                "channel": e.channel,
                "kind": e.kind,
                "address": e.address if visitor.is_known else e.masked,
                "is_verified": e.is_verified,
                "is_retired": e.is_retired,
            }
            for e in audience.endpoints_of([mine.id]).get(mine.id, ())
        ],
        "choices": choosing.stored([mine.id])[mine.id],
        "consents": _consents(visitor),
        "messages": [_message(message) for message in messages],
    }


def _consents(visitor: Visitor) -> dict[str, Any]:
    """With the hashes that prove it (docs/preferences.md)."""
    who = {"tenant_id": visitor.tenant.id, "recipient_id": visitor.recipient.id}
    chain = chain_of(**who)
    return {
        "is_whole": chain.broken_at is None,
        "head": chain.head.hex(),
        "records": [
            {**msgspec.to_builtins(entry), "previous_hash": before.hex(), "hash": own.hex()}
            for entry, before, own in records_of(**who)
        ],
    }


def _message(message: journal.Message) -> dict[str, Any]:
    return {
        "id": ids.show(ids.NOTIFICATION, message.id),
        "at": message.at,
        "event_type": message.event_type,
        "category": message.category,
        "title": message.title,
        "channels": [
            {
                "channel": part.channel,
                "status": part.status,
                "reason": part.reason,
                "sent_although": part.bypassed,
                "because": part.because,
                "at": part.at,
            }
            for part in message.parts
        ],
    }
