"""A new run gets its audience counted, its waves planned and its content pinned; then its pages may begin."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audience.segments.asking import ask
from apps.audience.segments.compiling import Condition, both, condition_of, without
from apps.audience.segments.freezing import freeze, frozen
from apps.campaigns.alerting import Waiting, waits
from apps.campaigns.costing import estimate_of_run
from apps.campaigns.covering import Lack
from apps.campaigns.holding import lack_at_fire
from apps.campaigns.lifecycle import CampaignStatus, RunStatus, WaveKind
from apps.campaigns.models import Campaign, Run, Wave
from apps.campaigns.naming import put_on_list
from apps.campaigns.scheduling import SWEEP_AFTER, plan_of, zone_waves
from apps.campaigns.splitting import WHOLE, ramp_ranges, trial_ranges
from apps.core import ids
from apps.core.locales import zone as zone_named
from apps.ledger.broadcasts import Content, open_broadcast
from apps.tenants.selectors import tenant_by_id

CUTS, SLICES = 256, 8
SLICED_FROM = 50_000
"""An audience of so many people gets CUTS for its ids; a wave of so many is cut into SLICES, so that several workers have a part each."""
_BOUNDS = """
SELECT x.id FROM (SELECT r.id, row_number() OVER (ORDER BY r.id) AS place FROM audience_recipient r
    WHERE r.tenant_id = %(tenant)s AND {condition}) x
WHERE x.place %% %(step)s = 0 AND x.place < %(people)s ORDER BY x.id
"""
_ZONES = """
SELECT r.timezone, count(*) FROM audience_recipient r WHERE r.tenant_id = %(tenant)s AND {condition} GROUP BY r.timezone
"""


def audience_of(definition: Mapping[str, Any], tenant_id: UUID, now: datetime, before: datetime) -> Condition:
    """Everybody whom the run is for, as of the moment of asking, of those who were known `before`."""
    if kept := definition.get("frozen_list"):
        return frozen(UUID(kept))
    audience = definition["audience"]
    found = condition_of(tenant_id, audience["include"], now)
    if audience.get("exclude"):
        found = without(found, condition_of(tenant_id, audience["exclude"], now))
    return both(found, Condition("r.id < %(made_before)s", {"made_before": ids.bound(before)}))


def freeze_next(now: datetime) -> bool:
    """Whether a campaign was launched whose people are those of its launch; it fires only then."""
    with transaction.atomic():
        rows = Campaign.objects.all_tenants().filter(status=CampaignStatus.SCHEDULED, is_frozen=True, frozen_list=None)
        campaign = rows.order_by("id").select_for_update(skip_locked=True, no_key=True).first()
        if campaign is None:
            return False
        campaign.frozen_list = freeze(
            tenant_id=campaign.tenant_id,
            key=f"frozen-{campaign.id.hex}-{campaign.version}",
            name=campaign.name,
            condition=audience_of(campaign.launched, campaign.tenant_id, now, now),
            now=now,
        )
        campaign.save(update_fields=["frozen_list", "updated_at"])
        return True


def prepare_next(now: datetime) -> bool:
    """Whether a run was waiting for it."""
    try:
        with transaction.atomic():
            rows = Run.objects.all_tenants().filter(status=RunStatus.PREPARING)
            run = rows.order_by("id").select_for_update(skip_locked=True, no_key=True).first()
            if run is None:
                return False
            _prepare(run, now)
            return True
    except BusyError:
        return False


class BusyError(Exception):
    """Somebody does something with the campaign at this moment; its run is prepared next time."""


def _prepare(run: Any, now: datetime) -> None:
    definition = run.definition
    put_on_list(tenant_id=run.tenant_id, campaign_id=run.campaign_id)
    condition = audience_of(definition, run.tenant_id, now, run.people_before)
    zones = _zones(run.tenant_id, condition)
    run.audience_size = sum(zones.values())
    run.estimate = estimate_of_run(run, now)
    fields = ["status", "audience_size", "estimate", "updated_at"]
    if lack := lack_at_fire(run):
        run.save(update_fields=fields + _hold(run, lack, now))
        return
    open_broadcast(
        id=run.id,
        tenant_id=run.tenant_id,
        contents={
            variant["position"]: Content(variant["template_key"], UUID(variant["version_id"]))
            for variant in definition["variants"]
        },
        data=definition.get("data") or {},
    )
    run.cuts = _cuts(run.tenant_id, condition, run.audience_size) if run.audience_size >= SLICED_FROM else []
    Wave.objects.bulk_create(
        Wave(tenant_id=run.tenant_id, run=run, position=place, **wave)
        for place, wave in enumerate(one for wave in _waves(run, zones) for one in _sliced(wave, run.cuts))
    )
    run.status = RunStatus.RUNNING
    run.save(update_fields=[*fields, "cuts"])


def _hold(run: Any, lack: Lack, now: datetime) -> list[str]:
    """Paused before anybody gets it; resumed, it is prepared anew: who came meanwhile is counted and judged. A campaign is locked before
    its run, so nobody waits for it here. Raises BusyError."""
    rows = Campaign.objects.of(run.tenant_id).filter(id=run.campaign_id, status=CampaignStatus.RUNNING)
    campaign = rows.select_for_update(skip_locked=True, no_key=True).first()
    if campaign is None:
        raise BusyError
    campaign.status = CampaignStatus.PAUSED
    campaign.save(update_fields=["status", "updated_at"])
    run.status, run.paused_from, run.paused_by, run.paused_at = RunStatus.PAUSED, RunStatus.PREPARING, "approval", now
    run.pause_reason, run.pause_detail = lack.code.value, lack.why[:500]
    waits(run, Waiting.STOPPED, lack.why)
    return ["paused_from", "paused_by", "paused_at", "pause_reason", "pause_detail"]


def _waves(run: Any, zones: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    definition, plan = run.definition, plan_of(run.definition["schedule"])
    if not plan.is_local:
        yield from _parts(definition, run.started_at, sum(zones.values()))
        return
    found = zone_waves(_by_clock(run.tenant_id, zones), run.occurrence, run.started_at, plan.past)
    for one in found:
        # who gets nothing tries nothing
        parts = _parts(definition | {"test": {}} if one.is_skipped else definition, one.at, one.people)
        for wave in parts:
            yield {**wave, "zone": one.zone, "is_skipped": one.is_skipped}
    if definition.get("test") and not all(one.is_skipped for one in found):
        yield {"kind": WaveKind.SWEEP, "due_at": None}
        return
    last = max((wave.at for wave in found), default=run.started_at)
    last += timedelta(minutes=definition["ramp_minutes"] * len(definition.get("ramp") or []))
    yield {"kind": WaveKind.SWEEP, "due_at": last + SWEEP_AFTER}


def _parts(definition: Mapping[str, Any], at: datetime, people: int) -> Iterator[dict[str, Any]]:
    """Of the people of one clock, or of all."""
    if test := definition.get("test"):
        trial, rest = trial_ranges(test["share"])
        yield _wave(WaveKind.TEST, trial, at, people)
        yield _wave(WaveKind.REST, rest, None, people)
        return
    yield from _steps(definition, at, people)


def _steps(definition: Mapping[str, Any], at: datetime, people: int) -> Iterator[dict[str, Any]]:
    between = timedelta(minutes=definition["ramp_minutes"])
    for place, span in enumerate(ramp_ranges(definition.get("ramp") or [])):
        yield _wave(WaveKind.MAIN, span, at + between * place, people)


def _wave(kind: WaveKind, span: tuple[int, int], due_at: datetime | None, people: int) -> dict[str, Any]:
    low, high = span
    return {"kind": kind, "low": low, "high": high, "due_at": due_at, "size": round(people * (high - low) / WHOLE)}


def _sliced(wave: dict[str, Any], cuts: Sequence[UUID]) -> Iterator[dict[str, Any]]:
    if wave.get("size", 0) < SLICED_FROM:
        yield wave
        return
    size = wave["size"] // SLICES
    edges = [None, *(cuts[len(cuts) * slice // SLICES] for slice in range(1, SLICES)), None]
    for first, upto in pairwise(edges):
        yield {**wave, "first": first, "upto": upto, "size": size}


def _cuts(tenant_id: UUID, condition: Condition, people: int) -> list[UUID]:
    step = -(-people // CUTS)
    asked = {"tenant": tenant_id, "step": step, "people": people, **condition.parameters}
    return [id_ for (id_,) in ask(_BOUNDS.format(condition=condition.sql), asked)]


def _zones(tenant_id: UUID, condition: Condition) -> dict[str, int]:
    """People by what their row says of their time zone."""
    rows = ask(_ZONES.format(condition=condition.sql), {"tenant": tenant_id, **condition.parameters})
    return dict(rows)


def _by_clock(tenant_id: UUID, zones: Mapping[str, int]) -> Counter[str]:
    """People by the zone that they are in for us: who names none that there is lives by the tenant's."""
    found: Counter[str] = Counter()
    for name, people in zones.items():
        found[clock_of(tenant_id, name)] += people
    return found


def clock_of(tenant_id: UUID, timezone: str) -> str:
    tenant = tenant_by_id(tenant_id)
    return zone_named(timezone, tenant.timezone if tenant else "").key
