"""The notifications of one wave, made through the front door. They are the same whoever makes them: the front door knows the wave by a key,
and each person's message by an event id that holds schedule and time, so that nobody gets one time twice, on whatever clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from apps.audience import selectors as audience
from apps.core import crypto, ids
from apps.core.enums import KeyMode, Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller, Recipient
from apps.ingest import services as front_door
from apps.ingest.planning import Draft, Planned, draft, plan
from apps.ingest.several import items_of
from apps.schedules import requests
from apps.schedules.models import ScheduleRecipient, SkipReason
from apps.schedules.timing import Fire, Timing, instant, shown
from apps.schedules.waves import zone_of
from apps.tenants.selectors import tenant_by_id

SOURCE = "schedule"


class TryLaterError(Exception):
    """Not now; nothing was written."""


@dataclass(frozen=True, slots=True)
class Made:
    """`count`: notifications; `refused`: people whose message was not; `error`: the first refusal's code. `is_empty`: nobody is in the
    wave."""

    count: int = 0
    refused: int = 0
    error: str = ""
    detail: str = ""
    skipped: SkipReason | None = None
    is_empty: bool = False


def make(row: Any, timing: Timing, zone: str, fire: Fire, now: datetime) -> Made:
    """In the caller's transaction; people who moved are noted in `row.waves` and in their rows. Raises TryLaterError."""
    people = _people(row, timing, zone)
    if not people:
        return Made(skipped=SkipReason.NOBODY, is_empty=True)
    if row.expires_after is not None and fire.at + row.expires_after <= now:
        return Made(skipped=SkipReason.EXPIRED)
    known = audience.recipients([person.recipient_id for person in people])
    targets = [person for person in people if person.recipient_id in known]
    if timing.is_local:
        targets = _here(row, timing, zone, fire, targets, known, now)
    if not targets:
        return Made(skipped=SkipReason.NOBODY)
    return _send(row, timing, zone, fire, targets, known, now)


def _people(row: Any, timing: Timing, zone: str) -> list[Any]:
    rows = ScheduleRecipient.objects.of(row.tenant_id).filter(schedule_id=row.id).order_by("id")
    return list(rows.filter(zone=zone) if timing.is_local else rows)


def _here(
    row: Any,
    timing: Timing,
    zone: str,
    fire: Fire,
    people: Sequence[Any],
    known: dict[Any, Recipient],
    now: datetime,
) -> list[Any]:
    """Those who get it with this wave. Who lives by another clock now belongs to that one's wave from now on."""
    here, moved = [], []
    for person in people:
        current = zone_of(row.tenant_id, known[person.recipient_id])
        is_over = current == zone or instant(fire.wall, current) <= now
        if is_over:
            here.append(person)
        if current == zone:
            continue
        person.zone = current
        moved.append(person)
        if current not in row.waves:
            following = timing.next_fire(now, current) if is_over else fire
            if following is not None:
                row.waves[current] = shown(following.wall)
    ScheduleRecipient.objects.bulk_update(moved, ["zone"])
    return here


def _send(
    row: Any,
    timing: Timing,
    zone: str,
    fire: Fire,
    people: Sequence[Any],
    known: dict[Any, Recipient],
    now: datetime,
) -> Made:
    caller = caller_of_row(row)
    content = requests.opened(bytes(row.sealed), row.id)
    said = [(known[p.recipient_id].user_id, requests.opened(bytes(p.sealed), p.id)) for p in people]
    planned, problems = _planned(caller, content, said, row, event_id_of(row, timing, fire), fire, now)
    error, detail = (problems[0].code.value, problems[0].detail) if problems else ("", "")
    if not planned:
        return Made(refused=len(problems), error=error, detail=detail)
    key = crypto.fingerprint(b"schedule", row.id.bytes, zone.encode(), fire.at.isoformat().encode())
    ticket = front_door.Ticket(key=key, fingerprint=key, request_id=ids.show(ids.SCHEDULE, row.id), source=SOURCE)
    try:
        answered = front_door.accept(caller, ticket, "several", list(enumerate(planned)), [])
    except Problem as problem:
        if problem.code is Code.IDEMPOTENCY_IN_PROGRESS:
            raise TryLaterError from None
        return Made(refused=len(people), error=problem.code.value, detail=problem.detail)
    fresh = sum(shown_id == item[2] for shown_id, item in zip(answered.ids, answered.stored.items, strict=True))
    return Made(count=0 if answered.is_replay else fresh, refused=len(problems), error=error, detail=detail)


def event_id_of(row: Any, timing: Timing, fire: Fire) -> str:
    """What makes a person's message of one time the same message: on one clock the instant, on everybody's own the time on the wall."""
    at = shown(fire.wall) if timing.is_local else f"{fire.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{ids.show(ids.SCHEDULE, row.id)}/{at}"


def _planned(
    caller: Caller,
    content: dict[str, Any],
    people: Sequence[tuple[str, dict[str, Any]]],
    row: Any,
    event_id: str,
    fire: Fire,
    now: datetime,
) -> tuple[list[Planned], list[Problem]]:
    expiry = None if row.expires_after is None else fire.at + row.expires_after
    body = msgspec.structs.replace(requests.body_of(content, people), event_id=event_id, expiry_at=expiry)
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for pointer, item in items_of(body):
        try:
            drafts.append(draft(caller, item, now, pointer))
        except Problem as problem:
            problems.append(problem)
    planned, refused = plan(caller, drafts) if drafts else ([], [])
    return [p for p in planned if p], problems + [problem for problem in refused if problem]


def caller_of_row(row: Any) -> Caller:
    """The schedule speaks for its tenant, with what its maker was allowed; it goes on when that key is revoked."""
    tenant = tenant_by_id(row.tenant_id)
    assert tenant is not None
    scopes = {Scope.NOTIFICATIONS_WRITE} | ({Scope.NOTIFICATIONS_CRITICAL} if row.may_critical else set())
    return Caller(
        tenant=tenant,
        key_id=row.api_key_id,
        key_name=SOURCE,
        mode=KeyMode(row.mode),
        scopes=frozenset(scopes),
        requires_idempotency_key=False,
        rate_per_second=tenant.rate_per_second,
        rate_burst=tenant.rate_burst,
    )
