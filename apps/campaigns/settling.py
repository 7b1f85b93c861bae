"""What follows when all pages of a run are written: the winner's turn, the last messages, the end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max

from apps.campaigns.lifecycle import CampaignStatus, Command, RunStatus, WaveKind, after
from apps.campaigns.models import Campaign, Run, Wave
from apps.campaigns.scheduling import SWEEP_AFTER, rest_at
from apps.core.enums import Category
from apps.ledger import tallies
from apps.schedules.timing import wall_of

ON_TIME = timedelta(hours=1)
"""A pause that is over so soon puts nothing off."""
_MOVING = [RunStatus.RUNNING.value, RunStatus.TESTING.value, RunStatus.SENDING.value]


def settle_all(now: datetime) -> None:
    """Looks at every run that is under way, each in a transaction of its own; those that somebody works on are looked at next time."""
    for run_id in Run.objects.all_tenants().filter(status__in=_MOVING).values_list("id", flat=True):
        with transaction.atomic():
            rows = Run.objects.all_tenants().filter(id=run_id, status__in=_MOVING)
            run = rows.select_for_update(skip_locked=True, no_key=True).first()
            if run is not None:
                _settle(run, now)


def _settle(run: Any, now: datetime) -> None:
    if run.status == RunStatus.SENDING:
        if not is_anything_open(run):
            finish(run, now)
        return
    waves = Wave.objects.of(run.tenant_id).filter(run_id=run.id)
    if waves.filter(done_at=None, due_at__isnull=False).exists():
        return
    if waves.filter(done_at=None).exists():
        if run.status == RunStatus.RUNNING:
            _become(run, RunStatus.TESTING)
        return
    run.expanded_at = now
    _become(run, RunStatus.SENDING, "expanded_at")


def choose(run_id: Any, tenant_id: Any, winner: int, now: datetime, said: str = "") -> bool:
    """The rest gets that variant; `said`: who chose it and why. False: it has one already, or there is nothing to choose."""
    with transaction.atomic():
        run = Run.objects.of(tenant_id).select_for_update(no_key=True).get(id=run_id)
        if run.status != RunStatus.TESTING or run.winner is not None:
            return False
        run.winner, run.winner_said = winner, said[:500]
        _begin_rest(run, now)
        _become(run, RunStatus.RUNNING, "winner", "winner_said")
        return True


def put_off_rest(run: Any, now: datetime) -> None:
    """After a pause, in the transaction that holds the run: the rest of a zone whose time came meanwhile has it on another day, unless it
    was begun."""
    rest = Wave.objects.of(run.tenant_id).filter(run_id=run.id, kind=WaveKind.REST).exclude(zone="")
    begun = rest.exclude(cursor=None).values("zone")
    missed = rest.filter(done_at=None, due_at__lt=now - ON_TIME).exclude(zone__in=begun)
    _give_time(run, list(missed), now)


def _begin_rest(run: Any, now: datetime) -> None:
    """At once; on everybody's own clock: at the run's time of a day to come."""
    _give_time(run, list(Wave.objects.of(run.tenant_id).filter(run_id=run.id, kind=WaveKind.REST, due_at=None)), now)


def _give_time(run: Any, rest: Sequence[Any], now: datetime) -> None:
    """Whoever moved meanwhile is swept up after the last of them."""
    if not rest:
        return
    times = {zone: rest_at(wall_of(run.occurrence), zone, now) if zone else now for zone in {one.zone for one in rest}}
    for one in rest:
        one.due_at = times[one.zone]
    waves = Wave.objects.of(run.tenant_id).filter(run_id=run.id)
    waves.bulk_update(rest, ["due_at"], batch_size=500)
    last = waves.filter(kind=WaveKind.REST).aggregate(at=Max("due_at"))["at"]
    waves.filter(kind=WaveKind.SWEEP).update(due_at=last + SWEEP_AFTER)


def tested_at(run: Any) -> datetime | None:
    """When the last of those the variants are tried on was decided on; None: not all are."""
    rows = Wave.objects.of(run.tenant_id).filter(run_id=run.id, kind=WaveKind.TEST)
    times = list(rows.values_list("done_at", flat=True))
    return max(times) if times and None not in times else None


def wait_of(run: Any) -> timedelta:
    return timedelta(minutes=(run.definition.get("test") or {}).get("wait_minutes", 0))


def is_anything_open(run: Any) -> bool:
    lane = Category(run.definition["category"])
    return tallies.open_work(tenant_id=run.tenant_id, stamp=run.stamp, lane=lane)


def finish(run: Any, now: datetime) -> None:
    """In the transaction that holds the run."""
    run.finished_at = now
    _become(run, RunStatus.FINISHED, "finished_at")
    campaign = Campaign.objects.of(run.tenant_id).select_for_update(no_key=True).get(id=run.campaign_id)
    if campaign.status != CampaignStatus.RUNNING:
        return
    following = after(CampaignStatus.RUNNING, Command.FINISH)
    assert following is not None
    campaign.status = CampaignStatus.SCHEDULED if campaign.next_fire_at else following
    campaign.save(update_fields=["status", "updated_at"])


def _become(run: Any, status: RunStatus, *fields: str) -> None:
    run.status = status
    run.save(update_fields=["status", "updated_at", *fields])
