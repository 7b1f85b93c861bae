"""A request's body about what somebody chose, as a change. Every place that is wrong is named."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol, cast

from msgspec import UNSET

from apps.core.enums import DigestFrequency
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Change, DigestTime, Mute, OwnQuietHours, QuietHours, Switch
from apps.preferences.bodies import WEEKDAYS, ChangesBody, MuteBody, PreferencesBody, QuietHoursBody
from apps.preferences.topics import About, is_topic

_FURTHEST = timedelta(days=3_653)


class Digested(Protocol):
    @property
    def on(self) -> bool | None: ...
    @property
    def digest(self) -> DigestFrequency | None: ...


def replacement(body: PreferencesBody) -> Change:
    """Every cell. Raises Problem."""
    errors = [*topic_errors("/preferences", body.preferences), *_digest_errors(body.preferences)]
    refuse(errors)
    switches = tuple(Switch(row.topic, row.channel, row.on, row.digest) for row in body.preferences)
    return Change(switches=switches, replaces=True)


def changes(body: ChangesBody, now: datetime) -> Change:
    """What is named. Raises Problem."""
    quiet = None if body.quiet_hours is UNSET else body.quiet_hours
    errors = [
        *topic_errors("/preferences", body.preferences),
        *_digest_errors(body.preferences),
        *topic_errors("/mutes", body.mutes),
        *_moment_errors(body.mutes, now),
        *_quiet_errors(quiet or ()),
    ]
    refuse(errors)
    return Change(
        switches=tuple(Switch(r.topic, r.channel, r.on, r.digest) for r in body.preferences if r.on is not None),
        cleared=frozenset((row.topic, row.channel) for row in body.preferences if row.on is None),
        muted=tuple(Mute(row.topic, row.channel, row.until) for row in body.mutes if row.until is not None),
        unmuted=frozenset((row.topic, row.channel) for row in body.mutes if row.until is None),
        quiet_hours=None if body.quiet_hours is UNSET else OwnQuietHours(_quiet_hours(quiet)),
        digest_time=None
        if body.digest_time is UNSET
        else DigestTime(body.digest_time.hour, WEEKDAYS.index(body.digest_time.weekday)),
        blocked_actors=None if body.blocked_actors is UNSET else frozenset(body.blocked_actors),
    )


def refuse(errors: Sequence[FieldError]) -> None:
    """Raises Problem, if there are any."""
    if len(errors) == 1:
        raise Problem(cast(Code, errors[0].code), errors[0].detail, errors=errors)
    if errors:
        raise Problem(Code.VALIDATION_ERROR, f"{len(errors)} fields are not valid.", errors=errors)


def topic_errors(pointer: str, rows: Iterable[About]) -> Iterator[FieldError]:
    met = set()
    for index, row in enumerate(rows):
        if not is_topic(row.topic):
            said = "is neither an event type, a pattern like `order.*`, a `category:<name>` nor `*`."
            yield FieldError(f"{pointer}/{index}/topic", Code.INVALID_TOPIC, f"`{row.topic}` {said}")
        elif (row.topic, row.channel) in met:
            said = f"`{row.topic}` on `{row.channel}` is there twice."
            yield FieldError(f"{pointer}/{index}", Code.CONTRADICTION, said)
        met.add((row.topic, row.channel))


def _digest_errors(rows: Iterable[Digested]) -> Iterator[FieldError]:
    for index, row in enumerate(rows):
        if row.digest is not None and not row.on:
            said = "A digest is of what is on: send `on: true` with it."
            yield FieldError(f"/preferences/{index}/digest", Code.CONTRADICTION, said)


def _moment_errors(rows: Iterable[MuteBody], now: datetime) -> Iterator[FieldError]:
    for index, row in enumerate(rows):
        if row.until is not None and not now < row.until < now + _FURTHEST:
            said = "`until` is in the future, at most ten years ahead."
            yield FieldError(f"/mutes/{index}/until", Code.OUT_OF_RANGE, said)


def _quiet_errors(rows: Iterable[QuietHoursBody]) -> Iterator[FieldError]:
    for index, row in enumerate(rows):
        if row.start == row.end:
            yield FieldError(f"/quiet_hours/{index}/end", Code.CONTRADICTION, "They end when they begin.")


def _quiet_hours(rows: Sequence[QuietHoursBody] | None) -> tuple[QuietHours, ...] | None:
    if rows is None:
        return None
    return tuple(
        QuietHours(
            _minutes(row.start),
            _minutes(row.end),
            tuple(dict.fromkeys(row.channels)),
            tuple(dict.fromkeys(row.categories)),
        )
        for row in rows
    )


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
