"""What a person asks for on these pages, as a change of their choices; and the change that takes it back. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from apps.core.enums import Category, Channel
from apps.core.types import Change, Choices, DigestTime, EventType, Mute, OwnQuietHours, QuietHours, Switch, TenantRules
from apps.pages.matrix import OFF, STATES, Matrix, lock_of, state_of, switch_of

EVERYTHING = ("*", "*")
MARKETING = f"category:{Category.MARKETING}"


def cells_changed(asked: Mapping[str, str], shown: Matrix, choices: Choices, rules: TenantRules) -> Change:
    """Of a form that names every cell. What is as it was shown is not a choice."""
    switches: dict[tuple[str, str], Switch] = {}
    cleared: set[tuple[str, str]] = set()
    kinds = [row.event_type for group in shown.groups for row in group.rows if row.event_type]
    named = {(cell.topic, cell.channel.value) for cell in shown.cells}
    for cell in shown.cells:
        state = asked.get(cell.field, cell.state)
        if cell.lock is not None or state == cell.state or state not in STATES:
            continue
        if cell.topic.startswith("category:"):
            category = Category(cell.topic.partition(":")[2])
            mine = [kind for kind in kinds if kind.category == category and (kind.key, cell.channel.value) in named]
            found = whole_category(category, [cell.channel], state, mine, choices, rules)
            cleared |= found.cleared
            switches = {(s.topic, s.channel): s for s in found.switches} | switches
        else:
            switches[cell.topic, cell.channel.value] = switch_of(cell.topic, cell.channel.value, state)
    return Change(switches=tuple(switches.values()), cleared=frozenset(cleared - switches.keys()))


def whole_category(
    category: Category,
    channels: Sequence[str],
    state: str,
    kinds: Sequence[EventType],
    choices: Choices,
    rules: TenantRules,
) -> Change:
    """Also for event types of it that the person had chosen something else for, on these channels (each one, or `*`)."""
    topic = f"category:{category}"
    wanted = {(topic, channel): switch_of(topic, channel, state) for channel in channels}
    concerned = [Channel(channel) for channel in ([*Channel] if "*" in channels else channels)]
    exact = {(kind.key, channel) for kind in kinds for channel in (*concerned, *(["*"] if "*" in channels else []))}
    if "*" in channels:
        exact |= {(topic, channel.value) for channel in Channel}
    cleared = {(s.topic, s.channel) for s in choices.switches if (s.topic, s.channel) in exact} - wanted.keys()
    kept = tuple(s for s in choices.switches if (s.topic, s.channel) not in cleared | wanted.keys())
    then = replace(choices, switches=(*kept, *wanted.values()))
    for kind in kinds:
        for channel in concerned:
            is_free = lock_of(kind.key, category, channel, rules) is None
            if is_free and state_of(kind.key, category, channel, then, rules) != state:
                wanted[kind.key, channel.value] = switch_of(kind.key, channel.value, state)
    return Change(switches=tuple(wanted.values()), cleared=frozenset(cleared - wanted.keys()))


def topic_off(topic: str, channel: str, kinds: Sequence[EventType], choices: Choices, rules: TenantRules) -> Change:
    """Of a topic that a message named."""
    if topic.startswith("category:"):
        category = Category(topic.partition(":")[2])
        mine = [kind for kind in kinds if kind.category == category]
        return whole_category(category, [channel], OFF, mine, choices, rules)
    return Change(switches=(Switch(topic, channel, False),))


def paused(until: datetime | None) -> Change:
    """None: no longer."""
    if until is None:
        return Change(unmuted=frozenset({EVERYTHING}))
    return Change(muted=(Mute(*EVERYTHING, until),))


def quiet(hours: QuietHours | None, *, is_own: bool) -> Change:
    """Not their own: the tenant's. None: none at all."""
    return Change(quiet_hours=OwnQuietHours((hours,) if hours else ()) if is_own else OwnQuietHours(None))


def inverse(before: Choices, change: Change, now: datetime) -> Change:
    """Takes a change back: what it touched becomes what it was."""
    held = {(s.topic, s.channel): s for s in before.switches}
    touched = {(s.topic, s.channel) for s in change.switches} | change.cleared
    mutes = {(m.topic, m.channel): m for m in before.mutes if m.until > now}
    silenced = {(m.topic, m.channel) for m in change.muted} | change.unmuted
    return Change(
        switches=tuple(held[cell] for cell in sorted(touched) if cell in held),
        cleared=frozenset(touched - held.keys()),
        muted=tuple(mutes[cell] for cell in sorted(silenced) if cell in mutes),
        unmuted=frozenset(silenced - mutes.keys()),
        quiet_hours=OwnQuietHours(before.quiet_hours) if change.quiet_hours else None,
        digest_time=DigestTime(before.digest_hour, before.digest_weekday) if change.digest_time else None,
        blocked_actors=before.blocked_actors if change.blocked_actors is not None else None,
    )
