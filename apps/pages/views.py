"""A person's settings: one page that shows all, one door for its forms. Without JavaScript a form leads back to the page (303)."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.core import clock, ids
from apps.core.types import Choices, Endpoint, Mute, QuietHours, TenantRules, Veto
from apps.pages import acting, visitors, what_if, wording
from apps.pages.facts import Shown, shown
from apps.pages.matrix import MIXED, STATES, Cell, Row, names_of
from apps.pages.showing import page
from apps.pages.undoing import Done, read, token_of
from apps.pages.verifying import CHANNELS
from apps.pages.visitors import Visitor, opened
from apps.pages.wishes import EVERYTHING, MARKETING

HALF_HOURS = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, 30))
USUAL = QuietHours(22 * 60, 7 * 60)
_PLACES = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")


class Words(NamedTuple):
    """What is said in many cells."""

    channels: Mapping[str, str]
    states: Mapping[str, str]
    all_of_it: str


entrance = require_safe(visitors.enter)


@require_safe
@opened
def settings(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    done = read(request.GET.get("done", ""), visitor.recipient.id)
    return _page(request, visitor, done)


@require_POST
@opened
def change(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """303 to the page, which says what was done; what cannot be done is said on the page itself."""
    try:
        done = acting.act(visitor, request.POST)
    except acting.Unclear as error:
        return _page(request, visitor, Done(visitor.recipient.id, str(error)), status=422)
    except acting.Meanwhile:
        said = _("Nothing was changed: your choices were changed elsewhere meanwhile. This is how they are now.")
        return _page(request, visitor, Done(visitor.recipient.id, said), status=409)
    answer = HttpResponseRedirect(visitor.url(done=token_of(done)))
    answer.status_code = 303
    return answer


def _page(request: HttpRequest, visitor: Visitor, done: Done | None, status: int = 200) -> HttpResponse:
    found, now = shown(visitor), clock.now()
    choices, rules = found.kept.choices, found.kept.rules
    names, words = names_of(found.kept.types), Words(wording.channel_names(), wording.state_names(), _("All of it"))
    pause = next((m for m in choices.mutes if (m.topic, m.channel) == EVERYTHING and m.until > now), None)
    return page(
        request,
        "settings",
        visitor,
        status,
        done=done,
        done_token=token_of(done) if done and done.can_be_undone else "",
        version=choices.version,
        intro=_intro(found, visitor),
        columns=len(found.matrix.channels) + 1,
        messages_url=visitor.url("messages/"),
        what_if_url=visitor.url(what_if.PATH),
        export_url=visitor.url("data.json"),
        delete_url=visitor.url("delete"),
        channels=[(channel, wording.channel_name(channel)) for channel in found.matrix.channels],
        groups=[
            {
                "category": group.category,
                "name": wording.category_name(group.category),
                "words": wording.category_words(group.category),
                "rows": [_row(row, found, visitor, words) for row in group.rows],
            }
            for group in found.matrix.groups
        ],
        paused_until=pause.until if pause else None,
        paused_words=_("Until %(time)s.") % {"time": wording.moment(pause.until, visitor.zone)} if pause else "",
        mutes=[_mute(m, names, visitor) for m in choices.mutes if m is not pause and m.until > now],
        is_marketing_off=_is_marketing_off(found),
        quiet=_quiet(choices, rules),
        times=HALF_HOURS,
        zone=visitor.zone,
        is_zone_known=bool(visitor.recipient.timezone),
        zones=_zones(visitor.zone),
        digest_hours=[(hour, f"{hour:02}:00", hour == choices.digest_hour) for hour in range(24)],
        weekdays=[(n, name, n == choices.digest_weekday) for n, name in enumerate(wording.weekdays())],
        addresses=[_address(endpoint, veto) for endpoint, veto in found.endpoints],
        blocked=sorted(choices.blocked_actors),
        tomorrow=(now.astimezone(ZoneInfo(visitor.zone)) + timedelta(days=1)).date().isoformat(),
    )


def _intro(found: Shown, visitor: Visitor) -> str:
    known = next((e.masked for e, _veto in found.endpoints if e.channel == "email"), visitor.recipient.user_id)
    return _("Messages of %(tenant)s for %(person)s.") % {
        "tenant": _isolated(visitor.tenant.name),
        "person": _isolated(known),
    }


def _isolated(text: str) -> str:
    """Within a sentence of the other direction (Unicode Standard Annex 9, FSI and PDI)."""
    return f"\u2068{text}\u2069"


def _row(row: Row, found: Shown, visitor: Visitor, words: Words) -> dict[str, Any]:
    name = row.event_type.name if row.event_type else words.all_of_it
    key = (row.event_type.key if row.event_type else "", row.category.value)
    locks = list(dict.fromkeys(cell.lock for cell in row.cells if cell and cell.lock))
    is_locked = all(cell.lock is not None for cell in row.cells if cell)
    is_known = row.event_type is not None or key in found.volumes
    return {
        "name": name,
        "full_name": name if row.event_type else wording.category_name(row.category),
        "is_whole": row.event_type is None,
        "volume": wording.volume(found.volumes.get(key), visitor.zone) if is_known else "",
        "lock": " ".join(wording.lock(lock) for lock in locks),
        "is_locked": is_locked,
        "cells": [_cell(cell, channel, words) for cell, channel in zip(row.cells, found.matrix.channels, strict=True)],
    }


def _cell(cell: Cell | None, channel: str, words: Words) -> dict[str, Any]:
    name = words.channels[channel]
    if cell is None:
        return {"channel": name, "is_sent": False}
    states = (*((MIXED,) if cell.state == MIXED else ()), *STATES)
    return {
        "channel": name,
        "is_sent": True,
        "field": cell.field,
        "id": cell.anchor,
        "state": cell.state or "mixed",
        "said": words.states[cell.state],
        "is_locked": cell.lock is not None,
        "options": [(state, words.states[state], state == cell.state) for state in states],
    }


def _is_marketing_off(found: Shown) -> bool:
    cells = [cell for group in found.matrix.groups for row in group.rows for cell in row.cells if cell]
    mine = [cell for cell in cells if cell.topic == MARKETING or _is_marketing(cell.topic, found)]
    return bool(mine) and all(cell.state == "off" for cell in mine if cell.lock is None)


def _is_marketing(topic: str, found: Shown) -> bool:
    return any(kind.key == topic and kind.category == "marketing" for kind in found.kept.types)


def _mute(mute: Mute, names: Any, visitor: Visitor) -> str:
    what = wording.topic_name(mute.topic, names)
    how = "" if mute.channel == "*" else f" ({wording.channel_name(mute.channel)})"
    return f"{what}{how}: " + _("Until %(time)s.") % {"time": wording.moment(mute.until, visitor.zone)}


def _quiet(choices: Choices, rules: TenantRules) -> dict[str, Any]:
    own = choices.quiet_hours
    theirs = [q for q in rules.quiet_hours if not q.country]
    hours = own[0] if own else theirs[0] if theirs else USUAL
    return {
        "mode": "tenant" if own is None else "own" if own else "none",
        "start": _clock(hours.start),
        "end": _clock(hours.end),
        "tenants": ", ".join(f"{_clock(q.start)}–{_clock(q.end)}" for q in theirs),  # noqa: RUF001
        "locked": ", ".join(f"{_clock(q.start)}–{_clock(q.end)}" for q in theirs if q.is_locked),  # noqa: RUF001
    }


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _address(endpoint: Endpoint, veto: Veto | None) -> dict[str, Any]:
    return {
        "id": ids.show(ids.ENDPOINT, endpoint.id),
        "channel": wording.channel_name(endpoint.channel),
        "masked": endpoint.masked,
        "is_verified": endpoint.is_verified,
        "can_be_verified": not endpoint.is_verified and endpoint.channel in CHANNELS,
        "veto": _(veto.reason.sentence) if veto else "",
    }


def _zones(current: str) -> list[str]:
    return sorted({*_places(), current})


@cache
def _places() -> frozenset[str]:
    """The database of zones is a walk through many files."""
    return frozenset({name for name in available_timezones() if name.startswith(_PLACES)} | {"UTC"})
