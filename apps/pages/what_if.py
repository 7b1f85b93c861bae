"""Would I get it? The same as /v1/explain, asked by the person it is about. Nothing is sent and nothing changed."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.core import clock
from apps.core.enums import BundleKind, Reason, SuppressionReason
from apps.core.types import EventType
from apps.dispatch.explaining import OnChannel, Question, explain_channels
from apps.events.selectors import event_type_page
from apps.pages import showing, wording
from apps.pages.facts import MOST_TYPES
from apps.pages.matrix import ORDER
from apps.pages.remedies import Remedy, remedies
from apps.pages.visitors import Visitor, opened
from apps.routing.decisions import Bundle, Decision, Hold, Send, Skip

PATH = "would-i-get-it"
_LATER = frozenset({Reason.QUIET_HOURS, Reason.IN_DIGEST, Reason.GROUPED, Reason.AWAITS_FULLER})


@require_safe
@opened
def would_i_get_it(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """`?what=<event type>`. Three queries, and those of one message where one is asked about."""
    kinds = sorted(event_type_page(visitor.tenant.id, MOST_TYPES, None), key=lambda kind: kind.name.casefold())
    what = request.GET.get("what", "")
    asked = next((kind for kind in kinds if kind.key == what), None)
    found = explain_channels(Question(visitor.recipient.id, asked, clock.now())) if asked else ()
    return showing.page(
        request,
        "what_if",
        visitor,
        404 if what and asked is None else 200,
        title=_("Would I get it?"),
        action=visitor.url(PATH),
        groups=[
            (wording.category_name(category), [(k.key, k.name, k is asked) for k in kinds if k.category == category])
            for category in ORDER
            if any(k.category == category for k in kinds)
        ],
        is_unknown=bool(what) and asked is None,
        asked=asked.name if asked else "",
        rows=[_row(one, asked, visitor) for one in found] if asked else [],
        zone=visitor.zone,
        settings_url=visitor.url(),
    )


def _row(one: OnChannel, kind: EventType, visitor: Visitor) -> dict[str, Any]:
    channel = wording.channel_name(one.channel)
    if one.explained is None:
        behind = wording.channel_name(one.behind or one.channel)
        why = [_("It comes this way only if this one does not work: %(channel)s.") % {"channel": behind}]
        return {"channel": channel, "word": "reserve", "answer": _("In reserve"), "why": why}
    decision, earliest = one.explained.decision, one.explained.earliest
    is_later = earliest is not None and not isinstance(decision, Send)
    return {
        "channel": channel,
        "word": one.word if is_later or isinstance(decision, Send) else "skip",
        "answer": _answer(decision) if earliest is not None else _("No"),
        "at": wording.moment(earliest, visitor.zone) if earliest and is_later else "",
        "iso": earliest.isoformat() if earliest else "",
        "why": _why(decision, visitor, is_never=earliest is None),
        "remedies": [_remedy(r, visitor) for r in remedies(one.explained, kind, visitor.tenant.name)],
    }


def _answer(decision: Decision) -> str:
    match decision:
        case Send():
            return _("Yes")
        case Hold():
            return _("Later")
        case Bundle(kind=BundleKind.GROUP):
            return _("In a summary")
        case Bundle():
            return _("In the digest")
        case _:
            return _("No")


def _why(decision: Decision, visitor: Visitor, *, is_never: bool) -> list[str]:
    match decision:
        case Send(bypassed=None):
            return [_("It comes at once.")]
        case Send(bypassed=Reason() as bypassed, because=because):
            said = [_("It comes although you chose otherwise, because it is needed for your security or safety.")]
            # it waits for nothing
            return said if bypassed in _LATER else [*said, *_rests_on(bypassed, because, visitor)]
        case Skip(reason=reason, because=because):
            return _rests_on(reason, because, visitor)
        case Hold(reason=reason, because=because) | Bundle(reason=reason, because=because):
            # until when is what the answer says
            said = _rests_on(reason, {k: v for k, v in because.items() if k != "until"}, visitor)
            return [*said, _("And then it does not come, as things are now.")] if is_never else said
        case _:
            return []


def _rests_on(reason: Reason, because: Mapping[str, Any], visitor: Visitor) -> list[str]:
    if reason == Reason.SUPPRESSED:
        return [wording.reason(reason), _(SuppressionReason(because["suppression"]).sentence)]
    grounds = wording.because(because, visitor.tenant.name, visitor.zone)
    # "unless you switch it on" is not so where they cannot
    is_locked = reason == Reason.OFF_BY_DEFAULT and because.get("locked")
    return grounds if is_locked else [wording.reason(reason), *grounds]


def _remedy(found: Remedy, visitor: Visitor) -> dict[str, str]:
    url = f"{visitor.url()}#{found.anchor}" if found.anchor else ""
    return {"text": found.text, "url": url, "decides": found.decides}
