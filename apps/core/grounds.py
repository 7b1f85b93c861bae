"""What a decision rests on, in plain words. The grounds are those of routing/decisions.py, with moments as they are or as ISO 8601 text."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.core.enums import CapPeriod, Reason, SuppressionReason

Grounds = Mapping[str, Any]
_SOURCES = {
    "admin": "set by an operator",
    "api": "set through the API",
    "inbound": "said by text message",
    "one_click": "said with one click in a mail",
    "receipt": "reported by the provider",
    "settings": "from the settings page",
    "settings_page": "from the settings page",
    "tenant": "the default",
    "unsubscribe": "from the page for unsubscribing",
    "unsubscribe_page": "from the page for unsubscribing",
}
_CHANNELS = {"*": "every channel", "in_app": "the feed", "sms": "SMS", "push": "push", "email": "email"}
_PERIODS = {
    CapPeriod.ROLLING: "in its time",
    CapPeriod.DAY: "in a day",
    CapPeriod.WEEK: "in a week",
}


def sentence(grounds: Grounds, reason: str) -> str:
    """The reason's own sentence with what it rests on in brackets. Empty without a reason."""
    if not reason:
        return ""
    plain, found = Reason(reason).sentence, rests_on(grounds)
    return f"{plain[:-1]} ({found})." if found else plain


def rests_on(grounds: Grounds) -> str:
    """`category:marketing on every channel, from the settings page, 3 November 2026`. Empty where the reason says it all."""
    return ", ".join(part for say in _SAYING for part in say(grounds))


def source_words(source: str) -> str:
    return _SOURCES.get(source) or (f"by {source}" if source else "")


def _topic(grounds: Grounds) -> Iterator[str]:
    if topic := grounds.get("topic"):
        about = "everything" if topic == "*" else topic
        channel = grounds.get("channel", "*")
        yield f"{about} on {_CHANNELS.get(channel, channel)}"
    if digest := grounds.get("digest"):
        yield f"{digest} digest"


def _suppression(grounds: Grounds) -> Iterator[str]:
    if reason := grounds.get("suppression"):
        yield SuppressionReason(reason).sentence[:-1].replace("It ", "it ").replace("Its ", "its ")


def _tenants(grounds: Grounds) -> Iterator[str]:
    if grounds.get("locked"):
        yield "locked"
    if reason := grounds.get("reason"):
        yield str(reason).rstrip(".")


def _origin(grounds: Grounds) -> Iterator[str]:
    if words := source_words(grounds.get("source", "")):
        yield words
    if since := moment(grounds.get("since")):
        yield day(since)


def _numbers(grounds: Grounds) -> Iterator[str]:
    if cap := grounds.get("cap"):
        yield f"{cap}: {grounds.get('limit')} {_PERIODS.get(grounds.get('period', ''), '')}".rstrip()
    for name, words in (("unverified", "waiting for verification"), ("retired", "retired")):
        if count := grounds.get(name):
            yield f"{count} {words}"
    if actor := grounds.get("actor_id"):
        yield f"actor {actor}"


def _times(grounds: Grounds) -> Iterator[str]:
    yield from grounds.get("quiet_hours", ())
    if expiry := moment(grounds.get("expires_at")):
        yield f"at {clock_and_day(expiry, 'UTC')}"
    if until := moment(grounds.get("until")):
        yield f"until {clock_and_day(until, grounds.get('zone', 'UTC'))}"


_SAYING: tuple[Callable[[Grounds], Iterator[str]], ...] = (_topic, _suppression, _tenants, _origin, _numbers, _times)


def moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None


def day(at: datetime, zone: str = "UTC") -> str:
    """`3 November 2026`."""
    there = at.astimezone(ZoneInfo(zone))
    return f"{there.day} {there:%B %Y}"


def clock_and_day(at: datetime, zone: str) -> str:
    """`08:00 Europe/Zurich, 3 November 2026`."""
    return f"{at.astimezone(UTC if zone == 'UTC' else ZoneInfo(zone)):%H:%M} {zone}, {day(at, zone)}"
