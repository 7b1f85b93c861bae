"""A page of a wave: its people, what is decided for each, their messages and the cursor, in one transaction.

Killed at any point, it leaves the page as if it had never been begun; begun again, it writes the same ids, of which there can be but
one each. Its commit does not wait for the disk: the intent to send a message of it does, and takes it along.

Which people a wave has is asked anew for every page: who comes to the segment before their page is read gets it, who leaves it does not;
who was made known after the run began is not in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audience.segments.compiling import Condition, both
from apps.audience.segments.pages import page_of
from apps.campaigns import affording
from apps.campaigns.counted import Counted
from apps.campaigns.lifecycle import RunStatus, WaveKind
from apps.campaigns.models import Run, Wave
from apps.campaigns.paging_together import together
from apps.campaigns.preparing import audience_of, clock_of
from apps.campaigns.splitting import SHARE_SQL, WHOLE, Purpose, is_held_out, salt_of, share, variant_of
from apps.core import ids
from apps.core.enums import Category, Channel, KeyMode, Priority
from apps.core.locales import timezone_names
from apps.core.rows import UNHURRIED, fetch
from apps.dispatch.alike import may_be_alike
from apps.dispatch.broadcasting import Invited, decide_page
from apps.ledger import broadcasts
from apps.ledger.broadcasts import Broadcast
from apps.ledger.campaign_pages import Frame, write_page

PAGE = 10_000
# of those who are decided on one by one, each of whom takes ten times as long
PAGE_APART = 5_000
# of a wave: what is sent at once while the next page is written
FIRST_PAGE = 1_000
# literal status, so that the partial index serves it; chance keeps several runs going side by side
_CLAIM = f"""
SELECT w.id FROM campaigns_wave w JOIN campaigns_run r ON r.id = w.run_id
WHERE w.done_at IS NULL AND w.due_at <= %(now)s AND r.status = 'running'
    AND (r.next_page_at IS NULL OR r.next_page_at <= %(now)s)
    AND (w.kind <> 'sweep' OR NOT EXISTS (
        SELECT FROM campaigns_wave o WHERE o.run_id = w.run_id AND o.kind <> 'sweep' AND o.done_at IS NULL))
    AND {UNHURRIED}
ORDER BY random() LIMIT 1 FOR NO KEY UPDATE OF w SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Page:
    """`queues`: that got work. `sentence`: why the run cannot go on (its budget); empty: it can."""

    run_id: UUID
    people: int
    queues: frozenset[str]
    sentence: str = ""


def expand_next(now: datetime, size: int = PAGE) -> Page | None:
    """None: no wave is due. Other workers take other waves."""
    with transaction.atomic():
        found = fetch(_CLAIM, {"now": now})
        if not found:
            return None
        wave = Wave.objects.all_tenants().select_related("run__campaign").get(id=found[0][0])
        run = wave.run
        if run.throttle:
            # its workers take turns: the rate is the run's
            run = Run.objects.all_tenants().select_for_update(no_key=True).get(id=run.id)
            if run.status != RunStatus.RUNNING or (run.next_page_at and run.next_page_at > now):
                return Page(run.id, 0, frozenset())
        return _expand(run, wave, now, size)


def _expand(run: Any, wave: Any, now: datetime, size: int) -> Page:
    condition = audience_of(run.definition, run.tenant_id, now, run.people_before)
    if (extra := _extra(run, wave)) is not None:
        condition = both(condition, extra)
    frame, broadcast = frame_of(run, wave), broadcasts.broadcasts([run.id])[run.id]
    is_together = _is_together(run, wave, frame)
    size = min(size, _most(run, wave, is_together))
    if is_together:
        count = together(run, wave, frame, broadcast, condition, now, size)
    else:
        count = _one_by_one(run, wave, frame, broadcast, condition, now, size)
    wave.seen += count.seen
    wave.made += count.made
    wave.held_out += count.held_out
    wave.repeated += count.repeated
    wave.cursor = count.last or wave.cursor
    wave.done_at = now if count.seen < size else None
    wave.save(update_fields=["seen", "made", "held_out", "repeated", "cursor", "done_at"])
    if run.throttle and count.seen:
        begin = max(run.next_page_at or now, now - timedelta(seconds=1))
        run.next_page_at = begin + timedelta(minutes=count.seen / run.throttle)
        run.save(update_fields=["next_page_at", "updated_at"])
    return Page(run.id, count.seen, count.queues, count.sentence)


def _is_together(run: Any, wave: Any, frame: Frame) -> bool:
    """Whether nothing has to be counted or remembered for each person."""
    definition = run.definition
    is_counted = wave.kind == WaveKind.SWEEP or definition.get("send_once_key") or affording.is_limited(run)
    return not is_counted and may_be_alike(frame)


def _one_by_one(
    run: Any, wave: Any, frame: Frame, broadcast: Broadcast, condition: Condition, now: datetime, size: int
) -> Counted:
    people = page_of(run.tenant_id, condition, after=wave.cursor or wave.first, upto=wave.upto, size=size)
    invited, held_out, repeated = _invited(run, wave, people)
    key = run.definition.get("send_once_key", "")
    messages = decide_page(frame, broadcast, invited, now, send_once_key=key)
    messages, sentence = affording.afford(run, messages, now)
    written = write_page(frame, messages)
    last = people[-1] if people else None
    return Counted(len(people), written.notifications, held_out, repeated, last, written.queues, sentence)


def _most(run: Any, wave: Any, is_together: bool) -> int:
    """People of its next page. Where so many a minute are allowed: those of one second, at least one."""
    most = PAGE if is_together else PAGE_APART
    if not wave.cursor:
        most = FIRST_PAGE
    return min(most, max(1, run.throttle // 60)) if run.throttle else most


def _extra(run: Any, wave: Any) -> Condition | None:
    found: list[Condition] = []
    if wave.zone:
        sql = "r.timezone = %(wave_zone)s"
        parameters: dict[str, Any] = {"wave_zone": wave.zone}
        if clock_of(run.tenant_id, "") == wave.zone:
            sql = f"({sql} OR r.timezone <> ALL(%(wave_zones)s))"
            parameters["wave_zones"] = timezone_names()
        found.append(Condition(sql, parameters))
    if (wave.low, wave.high) != (0, WHOLE):
        number = SHARE_SQL.format(id="r.id", salt="%(wave_salt)s")
        salt = salt_of(run.campaign_id, Purpose.WAVE)
        found.append(
            Condition(
                f"{number} >= %(wave_low)s AND {number} < %(wave_high)s",
                {"wave_salt": salt, "wave_low": wave.low, "wave_high": wave.high},
            )
        )
    if not found:
        return None
    return found[0] if len(found) == 1 else both(*found)


def _invited(run: Any, wave: Any, people: Sequence[UUID]) -> tuple[list[Invited], int, int]:
    """With how many are held out, and how many had theirs with another wave."""
    definition = run.definition
    repeated = 0
    if wave.kind == WaveKind.SWEEP and people:
        had = broadcasts.known(stamp=run.stamp, broadcast_id=run.id, recipient_ids=people, cuts=run.cuts)
        people = [person for person in people if person not in had]
        repeated = len(had)
    kept = list(people)
    if percent := definition.get("holdout"):
        salt = salt_of(run.campaign_id, Purpose.HOLDOUT)
        kept = [person for person in people if not is_held_out(share(person, salt), percent)]
    if wave.kind in (WaveKind.REST, WaveKind.SWEEP) and run.winner is not None:
        return [Invited(person, run.winner) for person in kept], len(people) - len(kept), repeated
    weights = [variant["weight"] for variant in definition["variants"]]
    positions = [variant["position"] for variant in definition["variants"]]
    if len(weights) == 1:
        return [Invited(person, positions[0]) for person in kept], len(people) - len(kept), repeated
    salt = salt_of(run.campaign_id, Purpose.VARIANT)
    invited = [Invited(person, positions[variant_of(share(person, salt), weights)]) for person in kept]
    return invited, len(people) - len(kept), repeated


def frame_of(run: Any, wave: Any) -> Frame:
    definition: Mapping[str, Any] = run.definition
    minutes = definition.get("expires_after_minutes")
    expires_at = wave.due_at + timedelta(minutes=minutes) if minutes else None
    if wave.is_skipped:
        expires_at = wave.due_at
    return Frame(
        broadcast_id=run.id,
        stamp=run.stamp,
        tenant_id=run.tenant_id,
        api_key_id=run.campaign.api_key_id,
        mode=KeyMode(definition["mode"]),
        category=Category(definition["category"]),
        event_type=definition.get("event_type", ""),
        channels=tuple(Channel(channel) for channel in definition["channels"]),
        priority=Priority(definition["priority"]),
        expires_at=expires_at,
        request_id=ids.show(ids.CAMPAIGN_RUN, run.id),
        cuts=tuple(run.cuts),
    )
