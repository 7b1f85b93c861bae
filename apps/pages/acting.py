"""What the forms of the settings page do. Each answers with what was done, in words, and the way back."""

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.audience import selectors as addresses
from apps.audience import services as audience
from apps.audience.retiring import put_aside, take_back
from apps.core import clock, ids
from apps.core.enums import Category
from apps.core.locales import is_timezone
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Change, DigestTime, InlineRecipient, QuietHours
from apps.pages import wishes
from apps.pages.facts import Kept, kept
from apps.pages.matrix import OFF, matrix
from apps.pages.undoing import Done, read
from apps.pages.verifying import CHANNELS, send_link
from apps.pages.visitors import Visitor
from apps.pages.wording import moment
from apps.preferences.changing import change_choices

PAUSES: Mapping[str, timedelta] = {"day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=30)}
LONGEST_PAUSE = timedelta(days=366)


class Unclear(Exception):
    """The form says something that cannot be done; the sentence is for the person."""


class Meanwhile(Exception):
    """Their choices were changed elsewhere since the page was made."""


Act = Callable[[Visitor, QueryDict], Done]


def act(visitor: Visitor, asked: QueryDict) -> Done:
    """Raises Unclear, Meanwhile."""
    found = _ACTS.get(asked.get("do", ""))
    if found is None:
        raise Unclear(_("Nothing was changed."))
    return found(visitor, asked)


def _cells(visitor: Visitor, asked: QueryDict) -> Done:
    known = kept(visitor)
    shown = matrix(known.types, known.choices, known.rules, Category)
    change = wishes.cells_changed(_texts(asked), shown, known.choices, known.rules)
    return _changed(visitor, known, change, _("Saved."), version=_version(asked))


def _marketing_off(visitor: Visitor, asked: QueryDict) -> Done:
    known = kept(visitor)
    mine = [kind for kind in known.types if kind.category == Category.MARKETING]
    change = wishes.whole_category(Category.MARKETING, ["*"], OFF, mine, known.choices, known.rules)
    return _changed(visitor, known, change, _("You get no more offers and news."))


def _paused(visitor: Visitor, asked: QueryDict) -> Done:
    now, zone = clock.now(), visitor.zone
    length = PAUSES.get(asked.get("for", ""))
    if asked.get("for") == "until":
        until = _midnight(asked.get("until", ""), zone)
        if not now < until <= now + LONGEST_PAUSE:
            raise Unclear(_("Choose a day from tomorrow on, within a year."))
    elif length:
        until = now + length
    else:
        raise Unclear(_("Choose how long."))
    said = _("Paused until %(time)s. Messages for your security still come.") % {"time": moment(until, zone)}
    return _changed(visitor, kept(visitor), wishes.paused(until), said)


def _resumed(visitor: Visitor, asked: QueryDict) -> Done:
    return _changed(visitor, kept(visitor), wishes.paused(None), _("Messages come again."))


def _quiet(visitor: Visitor, asked: QueryDict) -> Done:
    mode, known = asked.get("mode"), kept(visitor)
    zone = asked.get("zone") or visitor.zone
    if not is_timezone(zone):
        raise Unclear(_("This time zone is not known."))
    hours = None
    if mode == "own":
        hours = QuietHours(_minutes(asked.get("start", "")), _minutes(asked.get("end", "")))
        if hours.start == hours.end:
            raise Unclear(_("Quiet hours end at another time than they begin."))
    change = wishes.quiet(hours, is_own=mode in ("own", "none"))
    before = visitor.recipient.timezone
    done = _changed(visitor, known, change, _("Your quiet hours are saved."))
    if zone == visitor.zone and before:
        return done
    _set_timezone(visitor, zone)
    return Done(done.recipient_id, done.said, done.version, done.change, timezone=before if before != zone else None)


def _digest(visitor: Visitor, asked: QueryDict) -> Done:
    hour, weekday = _number(asked.get("hour", ""), 23), _number(asked.get("weekday", ""), 6)
    change = Change(digest_time=DigestTime(hour, weekday))
    return _changed(visitor, kept(visitor), change, _("Your digests come at that time."))


def _unblocked(visitor: Visitor, asked: QueryDict) -> Done:
    known, actor = kept(visitor), asked.get("actor", "")
    change = Change(blocked_actors=known.choices.blocked_actors - {actor})
    return _changed(visitor, known, change, _("%(actor)s is not blocked any more.") % {"actor": actor})


def _removed(visitor: Visitor, asked: QueryDict) -> Done:
    endpoint_id = ids.read(ids.ENDPOINT, asked.get("address", ""))
    mine = {"tenant_id": visitor.tenant.id, "recipient_id": visitor.recipient.id}
    if endpoint_id is None or not put_aside(**mine, endpoint_id=endpoint_id, now=clock.now()):
        raise Unclear(_("This address is not in use any more."))
    return Done(visitor.recipient.id, _("Nothing is sent there any more."), endpoint_id=endpoint_id)


def _verifying(visitor: Visitor, asked: QueryDict) -> Done:
    mine, endpoint_id = visitor.recipient.id, ids.read(ids.ENDPOINT, asked.get("address", ""))
    known = {e.id: e for e in addresses.endpoints_of([mine], list(CHANNELS)).get(mine, ()) if not e.is_retired}
    if endpoint_id not in known or known[endpoint_id].is_verified:
        raise Unclear(_("Nothing was changed."))
    if not send_link(visitor, known[endpoint_id]):
        raise Unclear(_("A link was sent a moment ago. Look for it there."))
    return Done(mine, _("A link is on its way there. Open it to confirm the address."))


def _undone(visitor: Visitor, asked: QueryDict) -> Done:
    done = read(asked.get("done", ""), visitor.recipient.id)
    if done is None or not done.can_be_undone:
        raise Unclear(_("Nothing was changed."))
    said = Done(visitor.recipient.id, _("It is as it was."))
    if done.endpoint_id is not None:
        mine = {"tenant_id": visitor.tenant.id, "recipient_id": visitor.recipient.id}
        take_back(**mine, endpoint_id=done.endpoint_id, now=clock.now())
    if done.change is not None:
        _write(visitor, done.change, said.said, done.version)
    if done.timezone is not None:
        _set_timezone(visitor, done.timezone)
    return said


_ACTS: Mapping[str, Act] = {
    "cells": _cells,
    "marketing_off": _marketing_off,
    "pause": _paused,
    "resume": _resumed,
    "quiet": _quiet,
    "digest": _digest,
    "unblock": _unblocked,
    "remove": _removed,
    "verify": _verifying,
    "undo": _undone,
}


def _changed(visitor: Visitor, known: Kept, change: Change, said: str, *, version: int | None = None) -> Done:
    if version is not None and version != known.choices.version:
        raise Meanwhile
    after = _write(visitor, change, said, known.choices.version)
    back = wishes.inverse(known.choices, change, clock.now())
    return Done(visitor.recipient.id, said, after, back if after != known.choices.version else None)


def _write(visitor: Visitor, change: Change, said: str, version: int) -> int:
    """The version of their choices then."""
    try:
        after = change_choices(
            tenant_id=visitor.tenant.id,
            recipient_id=visitor.recipient.id,
            change=change,
            by=visitor.author(said),
            expected_version=version,
        )
        return after.version
    except Problem as problem:
        if problem.code == Code.STALE_VERSION:
            raise Meanwhile from None
        raise


def _set_timezone(visitor: Visitor, zone: str) -> None:
    audience.upsert_user(tenant=visitor.tenant, user=InlineRecipient(visitor.recipient.user_id, timezone=zone))


def _texts(asked: QueryDict) -> dict[str, str]:
    return {name: text for name, text in asked.items() if isinstance(text, str)}


def _version(asked: QueryDict) -> int | None:
    text = asked.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _minutes(text: str) -> int:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        raise Unclear(_("Say from when to when.")) from None
    return found.hour * 60 + found.minute


def _midnight(text: str, zone: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Unclear(_("Choose a day.")) from None
    return datetime(found.year, found.month, found.day, tzinfo=ZoneInfo(zone))


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= most):
        raise Unclear(_("Choose a time."))
    return int(text)
