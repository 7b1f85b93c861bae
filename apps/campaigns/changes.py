"""What differs between two snapshots of a campaign, in words, field by field. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from apps.campaigns import money, schedule_words
from apps.campaigns.audience_words import audience_words

NOTHING: Final = "nothing"
MOST: Final = 300


@dataclass(frozen=True, slots=True)
class Change:
    """`before`, `after`: as people read them."""

    field: str
    label: str
    before: str
    after: str


def changes_between(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    currency: str = "EUR",
) -> tuple[Change, ...]:
    """In the order of the composer's tabs. `names`: of segments and lists by their keys."""
    found = []
    for field in (*_LABELS, *sorted((before.keys() | after.keys()) - _LABELS.keys())):
        old, new = before.get(field), after.get(field)
        is_idle = field == "ramp_minutes" and not (before.get("ramp") or after.get("ramp"))
        if old != new and not is_idle:
            said = (_said(field, value, names or {}, currency) for value in (old, new))
            found.append(Change(field, _LABELS.get(field, field.replace("_", " ").capitalize()), *said))
    return tuple(found)


def _said(field: str, value: Any, names: Mapping[str, str], currency: str) -> str:
    if value is None or value == "" or value == [] or value == {}:
        return NOTHING
    special = _WORDS.get(field)
    text = special(value, names, currency) if special else _plain(value)
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def _plain(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_plain, value))
        case Mapping():
            return "; ".join(f"{name}: {_plain(inner)}" for name, inner in value.items())
    return str(value).replace("_", " ") if isinstance(value, str) else f"{value}"


def _variants(value: Any, names: Mapping[str, str], currency: str) -> str:
    return "; ".join(
        f"{one['name']}: {one['template_key'] or NOTHING}"
        + (f", version {one['version']}" if one.get("version") else ", not published")
        + (f", weight {one['weight']}" if len(value) > 1 else "")
        for one in value
    )


def _test(value: Any, names: Mapping[str, str], currency: str) -> str:
    waiting = schedule_words.span(timedelta(minutes=value["wait_minutes"]))
    if value["rule"] == "by_hand":
        who = "somebody chooses"
    else:
        who = "if none is clearly better, "
        who += "the rest gets the first" if value.get("undecided") == "first" else "it waits until somebody chooses"
    return f"on {value['share']:g} % first, by {value['metric']}, for {waiting}; {who}"


def _budget(value: Any, names: Mapping[str, str], currency: str) -> str:
    return "; ".join(
        f"{'in all' if name == 'total' else f'{name} a day'}: {money.words(micros, currency)}"
        for name, micros in value.items()
    )


_Words = Callable[[Any, Mapping[str, str], str], str]
_WORDS: Final[Mapping[str, _Words]] = {
    "audience": lambda value, names, currency: audience_words(value, names) or NOTHING,
    "schedule": lambda value, names, currency: schedule_words.when(value),
    "is_frozen": lambda value, names, currency: "as of the launch" if value else "as of when it fires",
    "throttle": lambda value, names, currency: f"{value:,} people a minute" if value else "as fast as it goes",
    "expires_after_minutes": lambda value, names, currency: f"after {schedule_words.span(timedelta(minutes=value))}",
    "holdout": lambda value, names, currency: f"{value} %",
    "name": lambda value, names, currency: str(value),
    "send_once_key": lambda value, names, currency: str(value),
    "variants": _variants,
    "test": _test,
    "budget": _budget,
}
_LABELS: Final[Mapping[str, str]] = {
    "name": "Name",
    "audience": "Audience",
    "is_frozen": "The audience is taken",
    "channels": "Channels",
    "category": "Category",
    "event_type": "Event type",
    "variants": "Content",
    "data": "Values for templates",
    "test": "Test",
    "holdout": "Left out on purpose",
    "schedule": "When",
    "throttle": "Speed",
    "ramp": "Ramp",
    "ramp_minutes": "Minutes between the steps of the ramp",
    "expires_after_minutes": "Expires",
    "priority": "Priority",
    "mode": "Reaches",
    "send_once_key": "Sent once with",
    "budget": "Budget",
    "brake": "Brake",
}
