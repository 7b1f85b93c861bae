"""What callers send about schedules, and the timing that it stands for."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from apps.core.bodies import Body
from apps.core.locales import is_timezone
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.ingest.bodies import Moment, NotificationBody
from apps.schedules.missed import MOST_MADE_UP, Missed
from apps.schedules.rules import MOST_TEXT, RuleError
from apps.schedules.timing import MOST_DATES, RECIPIENT, Timing, shown, wall_in, wall_of

Wall = Annotated[str, Meta(min_length=10, max_length=19, description="A time on the wall, without a zone.")]
Zone = Annotated[
    str, Meta(max_length=64, description="IANA, or `recipient`: everybody's own.", examples=["Europe/Berlin"])
]
Name = Annotated[str, Meta(max_length=200)]
Rule = Annotated[
    str,
    Meta(
        max_length=MOST_TEXT,
        description="RFC 5545: FREQ from YEARLY to MINUTELY, INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE,"
        " BYSETPOS.",
        examples=["FREQ=WEEKLY;BYDAY=MO,FR"],
    ),
]
Exceptions = Annotated[
    list[Wall], Meta(max_length=MOST_DATES, description="Times left out, or dates: their whole days.")
]
Additions = Annotated[list[Wall], Meta(max_length=MOST_DATES, description="Further times.")]
Limit = Annotated[int, Meta(ge=1, le=MOST_MADE_UP, description="How many missed fires `all` makes up for.")]
Minutes = Annotated[
    int, Meta(ge=1, le=366 * 24 * 60, description="A message that could not be sent by then is not sent.")
]
_FIRST_YEAR, _LAST_YEAR = 1970, 2200


class ScheduleTiming(Body, frozen=True):
    """When it fires: once `at` an instant; or from `start` on, a time on the wall of `zone`, once or by `rule`."""

    name: Name = ""
    at: Moment | None = None
    start: Wall | None = None
    zone: Zone | None = None
    rule: Rule | None = None
    exdates: Exceptions = []
    rdates: Additions = []
    missed: Missed = Missed.SKIP
    missed_limit: Limit = 10
    expires_after_minutes: Minutes | None = None


class ScheduledBody(NotificationBody, frozen=True):
    """A notification with `schedule_at`; or with `schedule`, and then it is kept and can be seen, changed, paused and fired again."""

    schedule: ScheduleTiming | None = None


class SchedulePatch(Body, frozen=True):
    """`version`: the one you have read. What is left out stays; `null` takes it away. In `schedule`, too."""

    version: Annotated[int, Meta(ge=1)]
    schedule: dict[str, Any] | UnsetType = UNSET
    user_id: Any = UNSET
    recipient: Any = UNSET
    recipients: Any = UNSET
    event_type: Any = UNSET
    category: Any = UNSET
    template_id: Any = UNSET
    message: Any = UNSET
    data: Any = UNSET
    channels: Any = UNSET
    priority: Any = UNSET
    actor_id: Any = UNSET
    object_id: Any = UNSET
    ordering_key: Any = UNSET


class SchedulePreviewBody(Body, frozen=True):
    """`zones`: on whose clocks, where each recipient has their own."""

    schedule: ScheduleTiming
    count: Annotated[int, Meta(ge=1, le=50)] = 5
    zones: Annotated[list[Zone], Meta(min_length=1, max_length=50)] = msgspec.field(default_factory=lambda: ["UTC"])


def timing_of(said: ScheduleTiming, pointer: str = "/schedule") -> Timing:
    """Raises Problem with pointers below `pointer`: also when it never fires."""
    start, zone = _start(said, pointer)
    _each(said.exdates, f"{pointer}/exdates", may_be_date=True)
    _each(said.rdates, f"{pointer}/rdates", may_be_date=False)
    try:
        timing = Timing.read(
            start=start, zone=zone, rule=said.rule or "", exdates=list(said.exdates), rdates=list(said.rdates)
        )
    except RuleError as error:
        raise Problem(Code[error.code.upper()], error.detail, pointer=f"{pointer}/rule") from None
    if timing.never_fires():
        raise Problem(Code.RULE_NEVER_FIRES, pointer=f"{pointer}/{'rule' if said.rule else 'exdates'}")
    return timing


def check_zone(zone: str, pointer: str) -> None:
    if not is_timezone(zone):
        raise Problem(Code.INVALID_TIMEZONE, f"`{zone}` is not a known time zone.", pointer=pointer)


def expires_after(said: ScheduleTiming) -> timedelta | None:
    return None if said.expires_after_minutes is None else timedelta(minutes=said.expires_after_minutes)


def _start(said: ScheduleTiming, pointer: str) -> tuple[str, str]:
    """A time on the wall, and whose wall it is."""
    if (said.at is None) == (said.start is None):
        code = Code.MISSING_FIELD if said.at is None else Code.CONTRADICTION
        raise Problem(code, "Send either `at` or `start`.", pointer=f"{pointer}/start")
    zone = said.zone or ("UTC" if said.at else "")
    if not zone:
        raise Problem(Code.MISSING_FIELD, "`zone` says whose clock `start` is read on.", pointer=f"{pointer}/zone")
    if said.at is not None and zone == RECIPIENT:
        detail = "`at` is one instant for everybody; send `start` for a time on everybody's own clock."
        raise Problem(Code.CONTRADICTION, detail, pointer=f"{pointer}/at")
    if zone != RECIPIENT:
        check_zone(zone, f"{pointer}/zone")
    if said.at is not None:
        _check_year(said.at.year, f"{pointer}/at")
        return shown(wall_in(said.at, zone)), zone
    text = said.start or ""
    return shown(_wall(text, f"{pointer}/start")), zone


def _each(texts: list[str], pointer: str, *, may_be_date: bool) -> None:
    for place, text in enumerate(texts):
        if len(text) == 10 and may_be_date:
            try:
                _check_year(date.fromisoformat(text).year, f"{pointer}/{place}")
            except ValueError:
                raise Problem(Code.OUT_OF_RANGE, "This is no date.", pointer=f"{pointer}/{place}") from None
        else:
            _wall(text, f"{pointer}/{place}")


def _wall(text: str, pointer: str) -> datetime:
    try:
        found = wall_of(text)
    except ValueError:
        detail = "A time on the wall is like 2027-01-04T09:00, without a zone."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer=pointer) from None
    _check_year(found.year, pointer)
    return found


def _check_year(year: int, pointer: str) -> None:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise Problem(Code.OUT_OF_RANGE, f"Years from {_FIRST_YEAR} to {_LAST_YEAR}, please.", pointer=pointer)
