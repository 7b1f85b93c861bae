"""Runs, counted: every few seconds while they are under way, ever more rarely for a month after: opens come for days.

A count is one scan of the run's range of the ledger. It is done again no sooner than TIMES as long as it took, so that counting costs a
twentieth of one connection whatever the size of the run.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import Q, Sum

from apps.campaigns import braking, launching, slicing
from apps.campaigns.lifecycle import OPEN_RUNS, RunStatus
from apps.campaigns.models import Dimension, Meter, Policy, Run, Slice, Tally, Wave
from apps.campaigns.weighing import evidence
from apps.channels.reporting import Norm, norms
from apps.core.problems import Problem
from apps.ledger import tallies
from apps.ledger.lifecycle import OPEN
from apps.ledger.tallies import Outcome, Stage
from apps.receipts.keeping import backlog

log = logging.getLogger(__name__)
SOONEST = timedelta(seconds=2)
TIMES = 20
AFTERWARDS = timedelta(seconds=30)
LATEST = timedelta(hours=6)
KEPT = timedelta(days=30)
LEASE = timedelta(minutes=10)
MOST_SAMPLES = 60
OUR_OWN_DELAY = 60.0
_MOVING = frozenset({RunStatus.RUNNING, RunStatus.TESTING, RunStatus.SENDING})


@dataclass(frozen=True, slots=True)
class Counted:
    """`seen`: people read; `ended`: those of them whose messages have ended, or who got none on purpose."""

    stages: tuple[Stage, ...]
    outcomes: tuple[Outcome, ...]
    seen: int
    ended: int


def tally_due(now: datetime) -> int:
    """Every run whose turn it is; how many. What a second worker has begun is left to it."""
    under_way = Q(status__in=list(OPEN_RUNS)) | Q(finished_at__gt=now - KEPT)
    is_due = Q(meter=None) | Q(meter__next_at__lte=now)
    due = list(
        Run.objects.all_tenants().filter(under_way, is_due).order_by("finished_at", "id").values_list("id", flat=True)
    )
    known = _norms(now) if due else {}
    return sum(_tried(run_id, now, known) for run_id in due)


def _tried(run_id: UUID, now: datetime, known: Mapping[str, Norm]) -> bool:
    """One that takes too long, or that the database has no time for, keeps no other waiting."""
    try:
        return tally_run(run_id, now, known) is not None
    except OperationalError as error:
        log.warning("run not counted", extra={"run": str(run_id), "error": type(error.__cause__ or error).__name__})
        Meter.objects.all_tenants().filter(run_id=run_id).update(next_at=now + AFTERWARDS)
        return False


def tally_run(run_id: UUID, now: datetime, known: Mapping[str, Norm] | None = None) -> Counted | None:
    """None: somebody else counts it, or there is none. `known`: how receipts usually come, by account."""
    run = Run.objects.all_tenants().select_related("campaign", "meter").filter(id=run_id).first()
    if run is None or not _take(run, now):
        return None
    started = monotonic()
    meter = Meter.objects.of(run.tenant_id).get(run_id=run_id)
    receipts = _norms(now) if known is None else known
    stages = tallies.stages(
        tenant_id=run.tenant_id,
        stamp=run.stamp,
        since=meter.judged_from,
        patience={account: norm.patience for account, norm in receipts.items()},
        now=now,
    )
    outcomes = tallies.outcomes(tenant_id=run.tenant_id, stamp=run.stamp, of=stages)
    counted = _counted(run, stages, outcomes)
    _write(run, meter, counted, now, monotonic() - started)
    _note(run, tallied_at=now)
    _brake(run, counted, receipts, now)
    if slicing.is_due(run, meter, now):
        slicing.slice_run(run, meter, now)
    return counted


def _take(run: Any, now: datetime) -> bool:
    """Compare-and-set: one worker counts a run at a time; a dead one's turn passes after LEASE."""
    fresh = Meter(run_id=run.id, tenant_id=run.tenant_id, next_at=now)
    if not hasattr(run, "meter"):
        Meter.objects.bulk_create([fresh], ignore_conflicts=True)
    rows = Meter.objects.of(run.tenant_id).filter(run_id=run.id, next_at__lte=now)
    return bool(rows.update(next_at=now + LEASE))


def _norms(now: datetime) -> dict[str, Norm]:
    """None at all while receipts wait to be applied: then those that are missing may be here."""
    _, waits = backlog(now)
    return norms() if waits <= OUR_OWN_DELAY else {}


def _counted(run: Any, stages: Sequence[Stage], outcomes: Sequence[Outcome]) -> Counted:
    waves = Wave.objects.of(run.tenant_id).filter(run_id=run.id)
    sums = waves.aggregate(all=Sum("seen"), made=Sum("made"))
    seen, made = sums["all"] or 0, sums["made"] or 0
    ended = sum(one.count for one in outcomes if one.status not in OPEN)
    return Counted(tuple(stages), tuple(outcomes), seen, min(seen, seen - made + ended))


def _write(run: Any, meter: Any, counted: Counted, now: datetime, took: float) -> None:
    """All of it at once: whoever reads sees one count or the next."""
    sample = [round(now.timestamp(), 1), counted.seen, counted.ended]
    with transaction.atomic():
        Tally.objects.of(run.tenant_id).filter(run_id=run.id).delete()
        Tally.objects.bulk_create(_tallies(run, counted.stages))
        Slice.objects.of(run.tenant_id).filter(run_id=run.id, dimension=Dimension.OUTCOME).delete()
        Slice.objects.bulk_create([_slice(run, one) for one in counted.outcomes])
        meter.samples = [*meter.samples, sample][-MOST_SAMPLES:] if run.status in OPEN_RUNS else meter.samples
        meter.took, meter.next_at = took, now + _pause(run, now, took)
        if run.status == RunStatus.PAUSED and run.paused_by == braking.BY:
            meter.judged_from = now
        meter.save(update_fields=["samples", "took", "next_at", "judged_from"])


def _note(run: Any, **times: datetime) -> None:
    """On the run's row, unless a page of it is being written: then the next count does."""
    with transaction.atomic():
        rows = Run.objects.of(run.tenant_id).filter(id=run.id)
        if rows.select_for_update(skip_locked=True, no_key=True).values_list("id").first():
            rows.update(**times)


def _pause(run: Any, now: datetime, took: float) -> timedelta:
    least = max(SOONEST, timedelta(seconds=took * TIMES))
    if run.status in OPEN_RUNS or run.finished_at is None:
        return least
    age: timedelta = now - run.finished_at
    return max(least, min(LATEST, max(AFTERWARDS, age / 20)))


def _tallies(run: Any, stages: Sequence[Stage]) -> list[Tally]:
    found: dict[tuple[int, str, str, str], Tally] = {}
    for one in stages:
        key = one.variant, one.channel.value, one.status.value, one.reason
        row = found.get(key)
        if row is None:
            names = dict(zip(("variant", "channel", "status", "reason"), key, strict=True))
            row = found[key] = Tally(tenant_id=run.tenant_id, run_id=run.id, count=0, **names)
        for name in ("count", "opened", "clicked", "complained", "unsubscribed"):
            setattr(row, name, getattr(row, name) + getattr(one, name))
    return list(found.values())


def _slice(run: Any, one: Outcome) -> Slice:
    return Slice(
        tenant_id=run.tenant_id,
        run_id=run.id,
        dimension=Dimension.OUTCOME,
        variant=one.variant,
        value=f"{one.status.value}:{one.reason}",
        count=one.count,
        sent=one.sent,
        delivered=one.delivered,
        opened=one.opened,
        clicked=one.clicked,
        unsubscribed=one.unsubscribed,
        complained=one.complained,
    )


def _brake(run: Any, counted: Counted, receipts: Mapping[str, Norm], now: datetime) -> None:
    """Only while there is something left to stop. What a person knew when they went on is no evidence against the rest."""
    is_left = run.expanded_at is None or any(one.status in OPEN for one in counted.stages)
    if run.status not in _MOVING or not is_left:
        return
    policy = Policy.objects.of(run.tenant_id).values_list("brake", flat=True).first()
    found = braking.judge(evidence(counted.stages, receipts), braking.limits(run.definition.get("brake"), policy))
    _note(run, judged_at=now)
    if found is not None:
        _stop(run, found, now)


def _stop(run: Any, found: braking.Brake, now: datetime) -> None:
    try:
        launching.pause(
            campaign_id=run.campaign_id,
            tenant_id=run.tenant_id,
            by=braking.BY,
            reason=found.reason_code,
            detail=found.sentence,
            now=now,
        )
    except Problem:
        log.info("run had ended when it was to be paused", extra={"run": str(run.id)})
        return
    Meter.objects.of(run.tenant_id).filter(run_id=run.id).update(judged_from=now)
    log.warning("campaign paused by itself", extra={"run": str(run.id), "reason": found.reason_code})
