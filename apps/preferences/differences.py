"""What a change makes of a recipient's choices, and what differs then. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from apps.core.types import Cell, Change, Choices, DigestTime, Mute, QuietHours, Switch

Stored = dict[str, Any] | list[Any] | None
_ON: Stored = {"on": True}
_OFF: Stored = {"on": False}


@dataclass(frozen=True, slots=True)
class Difference:
    """`what`: preference, mute, quiet_hours, digest_time, blocked_actors or suppression; of the first two `topic` and `channel`.
    `before`, `after`: as JSON, None: nothing of its own."""

    what: str
    before: Stored
    after: Stored
    topic: str = ""
    channel: str = ""


def applied(before: Choices, change: Change, *, source: str, now: datetime) -> Choices:
    """What stays as it was keeps its source and date."""
    quiet_hours = change.quiet_hours.quiet_hours if change.quiet_hours else before.quiet_hours
    digest = change.digest_time or DigestTime(before.digest_hour, before.digest_weekday)
    after = replace(
        before,
        switches=_switches(before, change, source, now),
        mutes=_mutes(before, change, source, now),
        quiet_hours=quiet_hours,
        digest_hour=digest.hour,
        digest_weekday=digest.weekday,
        blocked_actors=before.blocked_actors if change.blocked_actors is None else change.blocked_actors,
    )
    return before if after == before else replace(after, version=before.version + 1)


def differences(before: Choices, after: Choices) -> Iterator[Difference]:
    yield from _cells("preference", _by_cell(before.switches, _switch), _by_cell(after.switches, _switch))
    yield from _cells("mute", _by_cell(before.mutes, _mute), _by_cell(after.mutes, _mute))
    if before.quiet_hours != after.quiet_hours:
        yield Difference("quiet_hours", quiet_hours_as_json(before), quiet_hours_as_json(after))
    if _digest_time(before) != _digest_time(after):
        yield Difference("digest_time", _digest_time(before), _digest_time(after))
    if before.blocked_actors != after.blocked_actors:
        yield Difference("blocked_actors", sorted(before.blocked_actors), sorted(after.blocked_actors))


def moves_digests(difference: Difference) -> bool:
    """Whether what waits for a digest may be due at another time. A plain "on" may take the place of a vaguer digest; "off" hurries
    nothing to its end."""
    before, after = difference.before, difference.after
    if difference.what != "preference":
        return difference.what == "digest_time"
    return after == _ON or (after != _OFF and _frequency(before) != _frequency(after))


def quiet_hours_as_json(choices: Choices) -> list[Any] | None:
    if choices.quiet_hours is None:
        return None
    return [_quiet(hours) for hours in choices.quiet_hours]


def _switches(before: Choices, change: Change, source: str, now: datetime) -> tuple[Switch, ...]:
    kept = {(s.topic, s.channel): s for s in before.switches}
    named = {(s.topic, s.channel): s for s in change.switches}
    gone = kept.keys() - named.keys() if change.replaces else change.cleared
    found = {cell: switch for cell, switch in kept.items() if cell not in gone}
    for cell, asked in named.items():
        wanted = Switch(*cell, asked.is_on, asked.digest if asked.is_on else None, source, now)
        if found.get(cell) != wanted:
            found[cell] = wanted
    return tuple(found[cell] for cell in sorted(found))


def _mutes(before: Choices, change: Change, source: str, now: datetime) -> tuple[Mute, ...]:
    found = {(m.topic, m.channel): m for m in before.mutes if (m.topic, m.channel) not in change.unmuted}
    for asked in change.muted:
        wanted = Mute(asked.topic, asked.channel, asked.until, source, now)
        if found.get((asked.topic, asked.channel)) != wanted:
            found[asked.topic, asked.channel] = wanted
    return tuple(found[cell] for cell in sorted(found))


def _cells(what: str, before: Mapping[Cell, Stored], after: Mapping[Cell, Stored]) -> Iterator[Difference]:
    for cell in sorted(before.keys() | after.keys()):
        if before.get(cell) != after.get(cell):
            yield Difference(what, before.get(cell), after.get(cell), *cell)


def _by_cell(rows: Any, state: Any) -> dict[Cell, Stored]:
    return {(row.topic, row.channel): state(row) for row in rows}


def _switch(switch: Switch) -> Stored:
    return {"on": switch.is_on} | ({"digest": switch.digest.value} if switch.digest else {})


def _frequency(state: Stored) -> str | None:
    return state.get("digest") if isinstance(state, dict) else None


def _mute(mute: Mute) -> Stored:
    return {"until": mute.until.astimezone(UTC).isoformat()}


def _quiet(hours: QuietHours) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(hours)
    return {name: found[name] for name in ("start", "end", "channels", "categories")}


def _digest_time(choices: Choices) -> dict[str, int]:
    return {"hour": choices.digest_hour, "weekday": choices.digest_weekday}
