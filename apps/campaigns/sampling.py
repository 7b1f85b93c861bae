"""Some of the people who are meant, in and out, each with why in the words of the brain."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from apps.audience import selectors as audience
from apps.audience.segments.compiling import Condition
from apps.audience.segments.pages import page_of
from apps.audience.segments.reach import SamplePerson
from apps.campaigns.funnel import Standing, standings
from apps.core.enums import Category, Channel, KeyMode
from apps.core.types import EventType, Recipient
from apps.dispatch.explaining import Question, explain_channels
from apps.events import selectors as events

MOST = 10
_NONE = timedelta(0)
LOOKED_AT = 400


def sample(
    tenant_id: UUID,
    condition: Condition,
    *,
    channels: Sequence[Channel],
    category: Category,
    event_type: str = "",
    now: datetime,
    most: int = MOST,
    mode: KeyMode = KeyMode.LIVE,
) -> tuple[SamplePerson, ...]:
    """Half of them in and half out where there are both, of the first LOOKED_AT; as different reasons as there are. A fixed number of
    queries for each person."""
    ids = page_of(tenant_id, condition, size=LOOKED_AT)
    found = standings(tenant_id, ids, channels=channels, category=category, event_type=event_type, now=now)
    chosen = _chosen(found, channels, most)
    people = audience.recipients(chosen)
    kind = _event_type(tenant_id, category, event_type)
    return tuple(_person(people[id_], kind, channels, now, mode) for id_ in chosen if id_ in people)


def _chosen(found: Sequence[Standing], channels: Sequence[Channel], most: int) -> list[UUID]:
    """Those who are out for a reason of their own before those who share it."""
    reached = [one for one in found if any(one.is_reached(channel) for channel in channels)]
    out = [one for one in found if one not in reached]
    seen: set[tuple[object, ...]] = set()
    rare: list[Standing] = []
    common: list[Standing] = []
    for one in out:
        why = (one.is_blocked, *(one.steps[channel] for channel in channels))
        (common if why in seen else rare).append(one)
        seen.add(why)
    out = [*rare, *common]
    half = max(most - len(out), most // 2)
    taken = reached[:half]
    return [one.recipient_id for one in (*taken, *out[: most - len(taken)])]


def _person(
    person: Recipient, kind: EventType, channels: Sequence[Channel], now: datetime, mode: KeyMode
) -> SamplePerson:
    said = explain_channels(Question(person.id, kind, now, channels=tuple(channels), mode=mode))
    return SamplePerson(
        recipient_id=person.id,
        user_id=person.user_id,
        locale=person.locale,
        timezone=person.timezone,
        is_in=any(one.word in ("send", "hold", "bundle") for one in said),
        lines=tuple(one.text for one in said),
    )


def _event_type(tenant_id: UUID, category: Category, event_type: str) -> EventType:
    """The one of that name, or one that stands for a campaign's message of the category."""
    known = events.event_types([(tenant_id, event_type)]).get((tenant_id, event_type)) if event_type else None
    return known or EventType(
        id=UUID(int=0),
        tenant_id=tenant_id,
        key=event_type,
        name="",
        category=category,
        template_key="",
        channels=(),
        fallback=(),
        dedup_window=_NONE,
        sensitive_keys=(),
        owner="",
    )
