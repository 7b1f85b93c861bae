"""What somebody chose, and what holds for them, as the API answers it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from apps.core.enums import Category, Channel
from apps.core.types import Choices, Default, EventType, QuietHours, Switch
from apps.events.selectors import event_types
from apps.preferences.bodies import (
    WEEKDAYS,
    DigestTimeAnswer,
    EffectiveAnswer,
    EffectiveRow,
    HoldingAnswer,
    MuteAnswer,
    PreferenceAnswer,
    PreferencesAnswer,
    QuietHoursAnswer,
)
from apps.preferences.topics import covers
from apps.preferences.weighing import Holding, holding

Categories = Mapping[str, Category]


def categories_of(tenant_id: UUID, chosen: Iterable[Choices], defaults: Sequence[Default]) -> Categories:
    """Of the event types that the choices name, where a default may lock a whole category. One query, or none."""
    if not any(default.is_locked and default.topic.startswith("category:") for default in defaults):
        return {}
    topics = {switch.topic for choices in chosen for switch in choices.switches}
    found = event_types({(tenant_id, topic) for topic in topics})
    return {key: kind.category for (_, key), kind in found.items()}


def preferences_answer(
    user_id: str, chosen: Choices, defaults: Sequence[Default], categories: Categories, now: datetime
) -> PreferencesAnswer:
    return PreferencesAnswer(
        user_id=user_id,
        version=chosen.version,
        preferences=[_cell(switch, defaults, categories) for switch in chosen.switches],
        mutes=[
            MuteAnswer(
                topic=mute.topic,
                channel=mute.channel,
                until=mute.until,
                source=mute.source,
                updated_at=_dated(mute.since),
            )
            for mute in chosen.mutes
            if mute.until > now
        ],
        quiet_hours=None if chosen.quiet_hours is None else [_quiet(hours) for hours in chosen.quiet_hours],
        digest_time=DigestTimeAnswer(hour=chosen.digest_hour, weekday=WEEKDAYS[chosen.digest_weekday]),
        blocked_actors=sorted(chosen.blocked_actors),
    )


def effective_answer(
    user_id: str, chosen: Choices, defaults: Sequence[Default], kinds: Iterable[EventType], now: datetime
) -> EffectiveAnswer:
    rows = [
        EffectiveRow(
            event_type=None,
            name=None,
            category=category,
            channels={channel: _holds(chosen, defaults, "", category, channel, now) for channel in Channel},
        )
        for category in Category
    ]
    rows += [
        EffectiveRow(
            event_type=kind.key,
            name=kind.name,
            category=kind.category,
            channels={
                channel: _holds(chosen, defaults, kind.key, kind.category, channel, now)
                for channel in Channel
                if not kind.channels or channel in (*kind.channels, *kind.fallback)
            },
        )
        for kind in sorted(kinds, key=lambda kind: kind.key)
    ]
    return EffectiveAnswer(user_id=user_id, version=chosen.version, data=rows)


def _cell(switch: Switch, defaults: Sequence[Default], categories: Categories) -> PreferenceAnswer:
    category = categories.get(switch.topic, "")
    lock = next((d for d in defaults if d.is_locked and covers(d, switch, category)), None)
    return PreferenceAnswer(
        topic=switch.topic,
        channel=switch.channel,
        on=switch.is_on,
        digest=switch.digest,
        source=switch.source,
        updated_at=_dated(switch.since),
        locked=lock is not None,
        locked_reason=lock.reason if lock else None,
    )


def _dated(since: datetime | None) -> datetime:
    assert since is not None, "what is stored has a date"
    return since


def _quiet(hours: QuietHours) -> QuietHoursAnswer:
    return QuietHoursAnswer(
        start=_clock(hours.start),
        end=_clock(hours.end),
        channels=list(hours.channels),
        categories=list(hours.categories),
    )


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _holds(
    chosen: Choices,
    defaults: Sequence[Default],
    event_type: str,
    category: Category,
    channel: Channel,
    now: datetime,
) -> HoldingAnswer:
    return _holding(holding(chosen, defaults, event_type, category, channel, now))


def _holding(held: Holding) -> HoldingAnswer:
    by = held.by
    return HoldingAnswer(
        on=held.is_on,
        digest=held.digest,
        decided_by="nobody" if by is None else "recipient" if by.is_theirs else "tenant",
        topic=by.topic if by else None,
        channel=by.channel if by else None,
        source=by.source if by else None,
        since=by.since if by else None,
        locked=held.is_locked,
        reason=held.reason or None,
        muted_until=held.muted_until,
    )
