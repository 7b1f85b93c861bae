"""What people do with a campaign: launch, pause, resume, cancel, slow down. Who may is the door's question."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.campaigns.alerting import Waiting, goes_on, waits
from apps.campaigns.definitions import snapshot
from apps.campaigns.holding import check_held
from apps.campaigns.lifecycle import OPEN_RUNS, CampaignStatus, Command, RunStatus, after
from apps.campaigns.models import Approval, Campaign, Run, Variant
from apps.campaigns.models.agreements import Decision
from apps.campaigns.scheduling import next_occurrence, plan_of
from apps.campaigns.settling import put_off_rest
from apps.core import clock
from apps.core.enums import Category, Reason
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.dispatch import bells
from apps.ledger import broadcasts

QUEUE = "campaigns"
PAUSED_BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Halted:
    """`in_flight`: messages being handed to providers at that moment, which nobody can call back; `taken`: that workers have taken: what
    they judged in the last seconds still goes out, the rest is judged once more; `waiting`: the rest that was decided on."""

    in_flight: int = 0
    taken: int = 0
    waiting: int = 0


def launch(*, campaign_id: UUID, tenant_id: UUID, by: str, now: datetime, by_person: bool = False) -> None:
    """For its time, or at once. What is sent is what is published now. `by_person`: above the limits its runs need an approval.

    Raises Problem: not_found, campaign_state, schedule_in_past, no_content.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id, tenant_id)
        _move(campaign, Command.LAUNCH)
        definition = snapshot(campaign, Variant.objects.of(tenant_id).filter(campaign_id=campaign.id))
        if not definition["variants"] or any(not variant["version_id"] for variant in definition["variants"]):
            raise Problem(Code.NO_CONTENT, "Every variant needs a published template.", pointer="/variants")
        plan = plan_of(campaign.schedule)
        upcoming = next_occurrence(plan, now)
        if upcoming is None:
            raise Problem(Code.SCHEDULE_IN_PAST, pointer="/schedule/start")
        campaign.launched, campaign.launched_by, campaign.launched_at = definition, by[:150], now
        campaign.launched_by_person = by_person
        campaign.next_fire_at, campaign.next_wall, campaign.frozen_list = upcoming.at, upcoming.name, None
        campaign.save(
            update_fields=[
                *("status", "launched", "launched_by", "launched_by_person", "launched_at"),
                *("next_fire_at", "next_wall", "frozen_list", "updated_at"),
            ]
        )
    transaction.on_commit(lambda: bells.ring(QUEUE), robust=True)


def pause(
    *,
    campaign_id: UUID,
    tenant_id: UUID,
    by: str,
    reason: str = PAUSED_BY_HAND,
    detail: str = "",
    now: datetime | None = None,
) -> Halted:
    """No worker begins another batch of it: no page is written, nothing that was written is sent. Raises Problem: not_found,
    campaign_state."""
    with transaction.atomic():
        campaign = _locked(campaign_id, tenant_id)
        _move(campaign, Command.PAUSE)
        campaign.save(update_fields=["status", "updated_at"])
        run = _open_run(campaign)
        if run is None:
            return Halted()
        run.paused_from, run.status = run.status, RunStatus.PAUSED
        run.pause_reason, run.pause_detail, run.paused_by = reason, detail[:500], by[:150]
        run.paused_at = now or clock.now()
        run.save(
            update_fields=[
                *("status", "paused_from", "pause_reason", "pause_detail", "paused_by", "paused_at", "updated_at")
            ]
        )
        broadcasts.halt(id=run.id, reason=Reason.PAUSED)
        if reason != PAUSED_BY_HAND:
            waits(run, Waiting.STOPPED, detail)
    return _afoot(run)


def resume(*, campaign_id: UUID, tenant_id: UUID, by: str, now: datetime | None = None) -> None:
    """Raises Problem: not_found, campaign_state; approval_needed, approval_void (its run is held)."""
    with transaction.atomic():
        campaign = _locked(campaign_id, tenant_id)
        _move(campaign, Command.RESUME)
        run = _open_run(campaign)
        if run is None:
            campaign.status = CampaignStatus.SCHEDULED
        else:
            check_held(run)
        campaign.save(update_fields=["status", "updated_at"])
        queues = {QUEUE}
        if run is not None:
            run.status = run.paused_from or RunStatus.RUNNING
            run.paused_from = run.pause_reason = run.pause_detail = ""
            run.save(update_fields=["status", "paused_from", "pause_reason", "pause_detail", "updated_at"])
            put_off_rest(run, now or clock.now())
            broadcasts.halt(id=run.id, reason=None)
            goes_on(run, Waiting.STOPPED)
            queues |= broadcasts.wake(stamp=run.stamp, lane=_lane(run), tenant_id=tenant_id)
    transaction.on_commit(lambda: bells.ring(*sorted(queues)), robust=True)


def cancel(*, campaign_id: UUID, tenant_id: UUID, by: str, now: datetime | None = None) -> Halted:
    """The rest is not sent: what was decided on ends as cancelled, who was not decided on gets nothing. Raises Problem: not_found,
    campaign_state."""
    queues: set[str] = set()
    with transaction.atomic():
        campaign = _locked(campaign_id, tenant_id)
        _move(campaign, Command.CANCEL)
        campaign.next_fire_at = None
        campaign.save(update_fields=["status", "next_fire_at", "updated_at"])
        waiting = Approval.objects.of(tenant_id).filter(campaign_id=campaign_id, decision=Decision.ASKED)
        waiting.update(decision=Decision.VOID, comment="It was cancelled.")
        run = _open_run(campaign)
        if run is not None:
            run.status, run.paused_by, run.finished_at = RunStatus.CANCELLED, by[:150], now or clock.now()
            run.save(update_fields=["status", "paused_by", "finished_at", "updated_at"])
            broadcasts.halt(id=run.id, reason=Reason.CANCELLED)
            goes_on(run, *Waiting)
            queues = broadcasts.wake(stamp=run.stamp, lane=_lane(run), tenant_id=tenant_id)
    transaction.on_commit(lambda: bells.ring(*sorted(queues)), robust=True)
    return _afoot(run) if run is not None else Halted()


def set_throttle(*, campaign_id: UUID, tenant_id: UUID, per_minute: int) -> None:
    """People a minute from the next page on; 0: as fast as it goes. Raises Problem: not_found, campaign_state."""
    with transaction.atomic():
        campaign = _locked(campaign_id, tenant_id)
        run = _open_run(campaign)
        if run is None:
            raise Problem(Code.CAMPAIGN_STATE, "It is not under way.")
        run.throttle, run.next_page_at = per_minute, None
        run.save(update_fields=["throttle", "next_page_at", "updated_at"])


def _locked(campaign_id: UUID, tenant_id: UUID) -> Any:
    found = Campaign.objects.of(tenant_id).select_for_update(no_key=True).filter(id=campaign_id).first()
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return found


def _move(campaign: Any, command: Command) -> None:
    status = CampaignStatus(campaign.status)
    following = after(status, command)
    if following is None:
        raise Problem(Code.CAMPAIGN_STATE, f"{status.sentence} This cannot be done now: {command.sentence}")
    campaign.status = following


def _open_run(campaign: Any) -> Any:
    """Locked after its campaign, as everywhere."""
    rows = Run.objects.of(campaign.tenant_id).filter(campaign_id=campaign.id, status__in=list(OPEN_RUNS))
    return rows.select_for_update(no_key=True).order_by("-id").first()


def _afoot(run: Any) -> Halted:
    found = broadcasts.afoot(stamp=run.stamp, lane=_lane(run), tenant_id=run.tenant_id)
    return Halted(found.calling, found.claimed, found.waiting)


def _lane(run: Any) -> Category:
    return Category(run.definition["category"])
