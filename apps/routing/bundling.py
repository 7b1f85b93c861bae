"""What waits to be summed up, with what, and until when. Pure."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apps.core.enums import BundleKind, DigestFrequency, GroupBy, Priority, Reason
from apps.core.types import Choices, Grouping
from apps.routing.choosing import ruling
from apps.routing.decisions import Bundle
from apps.routing.facts import Case, Stage
from apps.routing.quiet_hours import first_valid

MOST_OF_A_DIGEST = 500


def digested(case: Case) -> Bundle | None:
    """The recipient wants this in a digest."""
    if case.stage == Stage.FLUSH or case.wish.is_summary:
        return None
    choices, rules = case.person.choices, case.rules
    if not (any(s.digest for s in choices.switches) or any(d.digest for d in rules.defaults)):
        return None
    choice = ruling(case, case.wish.event_type)
    if choice is None or choice.digest is None:
        return None
    until = next_digest(choice.digest, case.person.choices, case.person.zone, case.now)
    return Bundle(
        BundleKind.DIGEST,
        choice.digest.value,
        until,
        Reason.IN_DIGEST,
        MOST_OF_A_DIGEST,
        because={**choice.because, "digest": choice.digest.value, "until": until},
    )


def overflowing(case: Case) -> Bundle:
    """What is over a frequency cap goes into the next daily digest."""
    until = next_digest(DigestFrequency.DAILY, case.person.choices, case.person.zone, case.now)
    assert case.over is not None
    because = {"cap": case.over.name, "limit": case.over.limit, "period": case.over.period.value, "until": until}
    return Bundle(BundleKind.OVERFLOW, "daily", until, Reason.FREQUENCY_CAP, MOST_OF_A_DIGEST, because=because)


def grouped(case: Case) -> Bundle | None:
    """The event type's rule, once: what was grouped before is not grouped again; what quiet hours held back is."""
    rule, wish = case.wish.grouping, case.wish
    is_its_turn = case.stage == Stage.ROUTE or (case.stage == Stage.GATE and case.was_held)
    if rule is None or not is_its_turn or wish.is_summary:
        return None
    if rule.low_only and wish.priority != Priority.LOW:
        return None
    key = group_key(rule, wish.event_type, wish.object_id, wish.actor_id)
    if not key:
        return None
    until = case.now + rule.window
    return Bundle(
        BundleKind.GROUP, key, until, Reason.GROUPED, rule.most, rule.leads, {"by": rule.by.value, "until": until}
    )


def group_key(rule: Grouping | None, event_type: str, object_id: str, actor_id: str) -> str:
    """Of what is summed up together; empty: there is no such thing, for it names no object or actor."""
    if rule is None:
        return ""
    if rule.by == GroupBy.TYPE:
        return f"{event_type}/"
    which = object_id if rule.by == GroupBy.OBJECT else actor_id
    return f"{event_type}/{which}" if which else ""


def next_digest(frequency: DigestFrequency, choices: Choices, zone: str, now: datetime) -> datetime:
    """The next full hour, or the recipient's own hour (and weekday) on the clock on the wall, after `now`."""
    place = ZoneInfo(zone)
    wall = now.astimezone(place)
    if frequency == DigestFrequency.HOURLY:
        return now.replace(second=0, microsecond=0) + timedelta(minutes=60 - wall.minute)
    day = wall.date()
    while True:
        is_its_day = frequency == DigestFrequency.DAILY or day.weekday() == choices.digest_weekday
        at = first_valid(datetime(day.year, day.month, day.day, choices.digest_hour, tzinfo=place), place)
        if is_its_day and at > now:
            return at
        day += timedelta(days=1)
