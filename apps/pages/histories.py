"""What a person was sent, what was held back, and why."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.core import ids
from apps.core.enums import Channel, DeliveryStatus
from apps.events.selectors import event_type_page
from apps.ledger import journal
from apps.pages import showing, wording
from apps.pages.facts import MOST_TYPES
from apps.pages.matrix import names_of
from apps.pages.visitors import Visitor, opened
from apps.preferences.links import view_url

PAGE = 50
_SHOWN = frozenset({DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.UNKNOWN, DeliveryStatus.BOUNCED})


@require_safe
@opened
def messages(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The latest 50; `?before=<id>` the ones before. Five queries."""
    before = ids.read(ids.NOTIFICATION, request.GET.get("before", ""))
    mine = {"tenant_id": visitor.tenant.id, "recipient_id": visitor.recipient.id}
    found = journal.messages_of(**mine, before=before, limit=PAGE + 1)
    names = _names(visitor)
    return showing.page(
        request,
        "messages",
        visitor,
        title=_("What we sent you"),
        messages=[_message(message, visitor, names) for message in found[:PAGE]],
        is_first=before is None,
        older_url=visitor.url("messages/", before=ids.show(ids.NOTIFICATION, found[PAGE - 1].id))
        if len(found) > PAGE
        else "",
        settings_url=visitor.url(),
    )


@require_safe
@opened
def message(request: HttpRequest, visitor: Visitor, message_id: str) -> HttpResponse:
    """Why did I get this?"""
    notification_id = ids.read(ids.NOTIFICATION, message_id)
    mine = {"tenant_id": visitor.tenant.id, "recipient_id": visitor.recipient.id}
    found = journal.message_of(**mine, notification_id=notification_id) if notification_id else None
    if found is None:
        words = _("It is not kept any more, or it was not for you.")
        return showing.in_words(request, 404, _("There is no such message"), words, visitor=visitor)
    names = _names(visitor)
    return showing.page(
        request,
        "message",
        visitor,
        title=_("Why did I get this?"),
        message=_message(found, visitor, names),
        category=wording.category_name(found.category),
        words=wording.category_words(found.category),
        settings_url=visitor.url(),
        messages_url=visitor.url("messages/"),
    )


def _names(visitor: Visitor) -> Mapping[str, str]:
    return names_of(event_type_page(visitor.tenant.id, MOST_TYPES, None))


def _message(found: journal.Message, visitor: Visitor, names: Mapping[str, str]) -> dict[str, Any]:
    fallback = wording.category_name(found.category)
    shown = ids.show(ids.NOTIFICATION, found.id)
    return {
        "id": shown,
        "url": visitor.url(f"messages/{shown}"),
        "title": found.title or names.get(found.event_type, found.event_type) or fallback,
        "kind": names.get(found.event_type, "") if found.title else fallback,
        "at": wording.moment(found.at, visitor.zone),
        "iso": found.at.isoformat(),
        "is_test": found.mode == "test",
        "is_summary": found.source == "summary",
        "is_bypassed": any(part.bypassed for part in found.parts),
        "parts": [_part(part, found, visitor) for part in found.parts],
    }


def _part(part: journal.Part, found: journal.Message, visitor: Visitor) -> dict[str, Any]:
    can_be_seen = part.channel == Channel.EMAIL and part.status in _SHOWN and not found.is_erased
    return {
        "channel": wording.channel_name(part.channel),
        "status": wording.status(part),
        "at": wording.moment(part.at, visitor.zone),
        "why": wording.why(part, visitor.tenant.name, visitor.zone),
        "view_url": view_url(part.delivery_id) if can_be_seen else "",
        "merged_url": visitor.url(f"messages/{ids.show(ids.NOTIFICATION, part.merged_into)}")
        if part.merged_into
        else "",
    }
