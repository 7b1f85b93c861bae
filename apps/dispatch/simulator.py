"""A person's page: would they get it? The same as /v1/explain, for operators."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from apps.audience import selectors as audience
from apps.core import clock
from apps.core.admin_panels import panel
from apps.core.enums import KeyMode
from apps.dispatch.explaining import NAMES, OnChannel, Question, explain_channels
from apps.events import selectors as events

_MOST_TYPES = 500
_TONES = {"send": "success", "hold": "warning", "bundle": "warning", "skip": "danger", "reserve": "info"}


@panel("recipient", order=5, template="admin/dispatch/simulator.html", permission="ledger.view_notification")
def would_they_get_it(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    """Four queries, and those of one message where one is asked about."""
    person = audience.recipients([subject]).get(subject) if subject else None
    if person is None:
        return None
    kinds = {kind.key: kind for kind in events.event_type_page(person.tenant_id, _MOST_TYPES, None)}
    asked = kinds.get(request.GET.get("what", ""))
    mode = request.GET.get("mode", "")
    at = _moment(request.GET.get("at", ""))
    found: tuple[OnChannel, ...] = ()
    if asked is not None:
        key_mode = KeyMode(mode) if mode in set(KeyMode) else KeyMode.LIVE
        found = explain_channels(Question(person.id, asked, at, mode=key_mode))
    return {
        "kinds": sorted(kinds),
        "asked": asked.key if asked else "",
        "modes": list(KeyMode),
        "mode": mode or KeyMode.LIVE.value,
        "at": at,
        "rows": [_row(one) for one in found],
    }


def _row(one: OnChannel) -> dict[str, Any]:
    return {
        "channel": NAMES[one.channel],
        "word": one.word,
        "tone": _TONES[one.word],
        "text": one.text,
        "rule": one.explained.rule if one.explained else "",
        "earliest": one.explained.earliest if one.explained else None,
        "changes": [change.text for change in one.explained.changes] if one.explained else [],
    }


def _moment(said: str) -> datetime:
    """UTC, as everything in the admin."""
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return clock.now()
    return at.replace(tzinfo=UTC) if at.tzinfo is None and 2000 <= at.year <= 2100 else clock.now()
