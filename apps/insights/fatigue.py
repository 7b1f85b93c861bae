"""Fatigue: what people said no to, beside what was sent to them; kept per day as data for later limits.

A "no" counts for the event type of the message that led to it; else for the event type or the category that it is about; else for
marketing, which is what people leave when they leave everything.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db import transaction

from apps.core.enums import Category
from apps.events import selectors as events
from apps.insights.models import FatigueDay
from apps.ledger.weighing import kinds_of, weights
from apps.preferences.refusals import Refusal, refusals

DAYS = 3
Key = tuple[UUID, date, str, str]
_OF_CATEGORY = "category:"


def count(now: datetime, days: int = DAYS) -> int:
    """Makes the last days anew, today among them; how many rows. Twice, or by two at once, it does no harm."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    since, until = _midnight(first), _midnight(today + timedelta(days=1))
    rows = _rows(since, until)
    with transaction.atomic():
        kept = FatigueDay.objects.all_tenants().select_for_update().filter(day__gte=first, day__lte=today)
        list(kept.order_by("id").values_list("id", flat=True))
        kept.delete()
        FatigueDay.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _rows(since: datetime, until: datetime) -> list[FatigueDay]:
    found: defaultdict[Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for weight in weights(since, until):
        counts = found[weight.tenant_id, weight.day, weight.event_type, weight.category]
        counts["sent"] += weight.sent
        counts["complaints"] += weight.complaints
        counts["opt_outs"] += weight.opt_outs
    for refusal, (event_type, category) in _sorted_out(refusals(since, until)):
        counts = found[refusal.tenant_id, refusal.day, event_type, category]
        counts["mutes" if refusal.is_mute else "opt_outs"] += 1
    return [
        FatigueDay(tenant_id=tenant_id, day=day, event_type=event_type, category=category, **counts)
        for (tenant_id, day, event_type, category), counts in sorted(found.items())
    ]


def _sorted_out(found: list[Refusal]) -> Iterable[tuple[Refusal, tuple[str, str]]]:
    kinds = kinds_of([refusal.notification_id for refusal in found if refusal.notification_id])
    named = {(refusal.tenant_id, refusal.topic) for refusal in found if ":" not in refusal.topic}
    known = events.event_types(named) if named else {}
    for refusal in found:
        if refusal.notification_id in kinds:
            yield refusal, kinds[refusal.notification_id]
        elif (kind := known.get((refusal.tenant_id, refusal.topic))) is not None:
            yield refusal, (kind.key, kind.category.value)
        else:
            category = refusal.topic.removeprefix(_OF_CATEGORY)
            yield refusal, ("", category if category in set(Category) else Category.MARKETING.value)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), UTC)
