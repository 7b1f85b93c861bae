"""Unsubscribing by the link of a message (RFC 8058).

A GET never changes anything: mail scanners follow links. A POST acts at once, whoever sends it: the token is the right to. A mail
program's own button posts `List-Unsubscribe=One-Click` and gets a plain 200; the page's forms say `do` and are led back to it (303).
"""

from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.core import clock, ids
from apps.core.enums import Category, EventKind
from apps.core.types import Change
from apps.ledger import journal
from apps.ledger.engagement import NewEngagement, record_engagements
from apps.pages import showing, visitors, wishes, wording
from apps.pages.facts import Kept, kept
from apps.pages.matrix import channels_of, names_of, state_of
from apps.pages.models import Farewell, Why
from apps.pages.undoing import Done, read, token_of
from apps.pages.visitors import Visitor
from apps.preferences.changing import change_choices
from apps.preferences.links import Unsubscribing, settings_token, unsubscribing

PAGE, ONE_CLICK = "unsubscribe_page", "one_click"
TOO_FAST, BURST = 1.0, 30


@dataclass(frozen=True, slots=True)
class Leaving:
    """A token, the person, and the message that it came with (None: the ledger has forgotten it)."""

    token: str
    asked: Unsubscribing
    visitor: Visitor
    letter: journal.Letter | None

    def url(self, **query: str) -> str:
        return self.visitor.url(**query).replace(f"{visitors.PATH}{self.visitor.key}/", f"/unsubscribe/{self.token}")


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    asked = unsubscribing(token)
    if asked is None:
        if visitors.is_too_fast(f"guess:{visitors.client(request)}", visitors.GUESSES, visitors.GUESS_BURST):
            return showing.too_fast(request)
        return showing.unknown_link(request)
    if visitors.is_too_fast(f"unsubscribe:{token}", TOO_FAST, BURST):
        return showing.too_fast(request)
    visitor = visitors.visitor_of(request, asked.recipient_id, settings_token(asked.recipient_id), token)
    if visitor is None:
        return showing.nothing_stored(request)
    letter = journal.letter(asked.delivery_id)
    mine = letter if letter and letter.recipient_id == asked.recipient_id else None
    leaving = Leaving(token, asked, visitor, mine)
    with translation.override(visitor.language):
        if request.method == "POST":
            return showing.secured(request, _act(request, leaving))
        return _page(request, leaving)


def _act(request: HttpRequest, leaving: Leaving) -> HttpResponse:
    do = request.POST.get("do", "")
    if not do:
        _leave(leaving, leaving.asked.topic, leaving.asked.channel, source=ONE_CLICK)
        return HttpResponse(_("You are unsubscribed.") + "\n", content_type="text/plain; charset=utf-8")
    done: Done | None = None
    if do == "this" and leaving.letter and leaving.letter.event_type:
        done = _leave(leaving, leaving.letter.event_type, leaving.asked.channel, source=PAGE)
    elif do == "topic":
        done = _leave(leaving, leaving.asked.topic, leaving.asked.channel, source=PAGE)
    elif do == "marketing":
        done = _leave(leaving, wishes.MARKETING, "*", source=PAGE)
    elif do == "undo":
        done = _return(leaving, request.POST.get("done", ""))
    elif do == "why":
        done = _say_why(leaving, request.POST.get("why", ""), request.POST.get("words", ""))
    answer = HttpResponseRedirect(leaving.url(done=token_of(done)) if done else leaving.url())
    answer.status_code = 303
    return answer


def _leave(leaving: Leaving, topic: str, channel: str, *, source: str) -> Done:
    """Again: nothing more. What waits is judged again before it is sent, and so is stopped by it."""
    visitor, known = leaving.visitor, kept(leaving.visitor)
    change = wishes.topic_off(topic, channel, known.types, known.choices, known.rules)
    said = _off_words(topic, channel, known)
    letter = leaving.letter
    by = visitor.author(said, source=source, notification_id=letter.notification_id if letter else None)
    with transaction.atomic():
        after = change_choices(tenant_id=visitor.tenant.id, recipient_id=visitor.recipient.id, change=change, by=by)
        if letter:
            record_engagements([_event(letter, visitor, source)])
    back = wishes.inverse(known.choices, change, clock.now()) if after.version != known.choices.version else None
    return Done(visitor.recipient.id, said, after.version, back)


def _event(letter: journal.Letter, visitor: Visitor, source: str) -> NewEngagement:
    mine = visitor.recipient.id
    return NewEngagement(ids.new(), letter.delivery_id, mine, EventKind.OPTED_OUT, clock.now(), source, "", "")


def _return(leaving: Leaving, token: str) -> Done | None:
    visitor = leaving.visitor
    done = read(token, visitor.recipient.id)
    if done is None or done.change is None:
        return None
    said = _("You are subscribed again, as before.")
    known = kept(visitor)
    if known.choices.version != done.version:
        return Done(
            visitor.recipient.id, _("Your choices were changed elsewhere meanwhile, so they stay as they are now.")
        )
    by = visitor.author(said, source=PAGE)
    _write(visitor, done.change, by)
    return Done(visitor.recipient.id, said)


def _write(visitor: Visitor, change: Change, by: object) -> None:
    change_choices(tenant_id=visitor.tenant.id, recipient_id=visitor.recipient.id, change=change, by=by)  # type: ignore[arg-type]


def _say_why(leaving: Leaving, why: str, words: str) -> Done | None:
    if why not in set(Why):
        return None
    letter, visitor = leaving.letter, leaving.visitor
    Farewell.objects.update_or_create(
        delivery_id=leaving.asked.delivery_id,
        defaults={
            "tenant_id": visitor.tenant.id,
            "recipient_id": visitor.recipient.id,
            "event_type": letter.event_type if letter else "",
            "topic": leaving.asked.topic,
            "channel": leaving.asked.channel,
            "why": why,
            "words": words.strip()[:500].replace("\x00", ""),
        },
    )
    return Done(visitor.recipient.id, _("Thank you for telling us."))


def _page(request: HttpRequest, leaving: Leaving) -> HttpResponse:
    visitor, letter, known = leaving.visitor, leaving.letter, kept(leaving.visitor)
    done = read(request.GET.get("done", ""), visitor.recipient.id)
    is_marketing = leaving.asked.topic == wishes.MARKETING or bool(letter and letter.category == Category.MARKETING)
    kind = letter.event_type if letter else ""
    is_off = _is_off(leaving.asked.topic, leaving.asked.channel, known)
    choices = []
    if kind and not _is_off(kind, leaving.asked.channel, known):
        choices.append(("this", _off_words(kind, leaving.asked.channel, known, is_done=False)))
    if leaving.asked.topic != kind and not is_off:
        choices.insert(0, ("topic", _off_words(leaving.asked.topic, leaving.asked.channel, known, is_done=False)))
    if is_marketing and not _is_off(wishes.MARKETING, "*", known):
        choices.append(("marketing", _off_words(wishes.MARKETING, "*", known, is_done=False)))
    return showing.page(
        request,
        "unsubscribe",
        visitor,
        title=_("You are unsubscribed") if is_off else _("Unsubscribe"),
        action=leaving.url(),
        done=done,
        done_token=token_of(done) if done and done.can_be_undone else "",
        is_off=is_off,
        is_off_words=_off_words(leaving.asked.topic, leaving.asked.channel, known),
        choices=choices,
        still=_still(known),
        whys=[(why.value, _(why.sentence)) for why in Why] if is_off else [],
        settings_url=visitor.url(),
    )


def _still(known: Kept) -> list[str]:
    """Categories of which something still comes, with the channels where it is not all of them."""
    found = []
    for category in Category:
        kinds = [kind for kind in known.types if kind.category == category]
        pairs = {(kind.key, channel) for kind in kinds for channel in channels_of(kind)} or {("", c) for c in _ALL}
        used = [channel for channel in _ALL if channel in {channel for _key, channel in pairs}]
        on = {c for key, c in pairs if state_of(key, category, c, known.choices, known.rules) != "off"}
        names = ", ".join(wording.channel_name(channel) for channel in used if channel in on)
        name = wording.category_name(category)
        if on:
            found.append(name if len(on) == len(used) else f"{name} ({names})")
    return found


def _is_off(topic: str, channel: str, known: Kept) -> bool:
    """Whether nothing of it comes on that channel."""
    channels = list(_ALL) if channel == "*" else [c for c in _ALL if c == channel]
    if topic.startswith("category:"):
        category = Category(topic.partition(":")[2])
        pairs = [("", category), *((kind.key, category) for kind in known.types if kind.category == category)]
    else:
        found = next((kind.category for kind in known.types if kind.key == topic), Category.TRANSACTIONAL)
        pairs = [(topic, found)]
    return all(
        state_of(key, category, one, known.choices, known.rules) == "off" for key, category in pairs for one in channels
    )


def _off_words(topic: str, channel: str, known: Kept, *, is_done: bool = True) -> str:
    what = wording.topic_name(topic, names_of(known.types))
    if channel == "*":
        pattern = _("%(what)s: off everywhere") if is_done else _("%(what)s: stop everywhere")
        return pattern % {"what": what}
    pattern = _("%(what)s: off by %(channel)s") if is_done else _("%(what)s: stop by %(channel)s")
    return pattern % {"what": what, "channel": wording.channel_name(channel)}


_ALL = wording.CHANNELS
