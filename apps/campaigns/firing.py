"""Campaigns whose time has come get a run: once for each occurrence, whoever looks.

The campaign's row is locked, and its next time moves in the transaction that makes the run; were it not, the run's unique occurrence
would still refuse a second one. A beat only says that it may be time.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from apps.campaigns.lifecycle import CampaignStatus, Command, RunStatus, after
from apps.campaigns.models import Campaign, Run
from apps.campaigns.scheduling import next_occurrence, plan_of
from apps.core import ids
from apps.core.rows import fetch

# literal, so that the partial index serves it
_DUE = """
SELECT id FROM campaigns_campaign WHERE status = 'scheduled' AND next_fire_at <= %(now)s AND (frozen_list IS NOT NULL OR NOT is_frozen)
ORDER BY next_fire_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""
LATEST = timedelta(days=1)
"""Of a recurring campaign an occurrence that nobody fired for so long is left out; one that is meant once is never left out."""


def fire_next(now: datetime) -> bool:
    """Whether a campaign was due."""
    with transaction.atomic():
        found = fetch(_DUE, {"now": now})
        if not found:
            return False
        campaign = Campaign.objects.all_tenants().get(id=found[0][0])
        _fire(campaign, now)
        return True


def _fire(campaign: Any, now: datetime) -> None:
    plan = plan_of(campaign.launched["schedule"])
    is_stale = plan.is_recurring and campaign.next_fire_at < now - LATEST
    if Run.objects.of(campaign.tenant_id).filter(campaign_id=campaign.id, status__in=_GOING).exists():
        # one run at a time: the next begins when this one has ended
        campaign.next_fire_at = now + timedelta(seconds=30)
        campaign.save(update_fields=["next_fire_at", "updated_at"])
        return
    if not is_stale:
        make_run(campaign, campaign.next_wall, now)
        following = after(CampaignStatus.SCHEDULED, Command.FIRE)
        assert following is not None
        campaign.status = following
    upcoming = next_occurrence(plan, max(now, campaign.next_fire_at)) if plan.is_recurring else None
    campaign.next_fire_at = upcoming.at if upcoming else None
    campaign.next_wall = upcoming.name if upcoming else ""
    if is_stale and upcoming is None:
        campaign.status = CampaignStatus.FINISHED
    campaign.save(update_fields=["status", "next_fire_at", "next_wall", "updated_at"])


_GOING = [status.value for status in RunStatus if status not in (RunStatus.FINISHED, RunStatus.CANCELLED)]


def make_run(campaign: Any, occurrence: str, now: datetime) -> Any:
    """In the caller's transaction."""
    number = Run.objects.of(campaign.tenant_id).filter(campaign_id=campaign.id).count() + 1
    return Run.objects.create(
        id=ids.new(),
        tenant_id=campaign.tenant_id,
        campaign_id=campaign.id,
        number=number,
        occurrence=occurrence,
        stamp=_free_stamp(campaign.tenant_id, now),
        definition=campaign.launched | ({"frozen_list": str(campaign.frozen_list)} if campaign.frozen_list else {}),
        throttle=campaign.throttle,
        people_before=now,
        started_at=now,
    )


def _free_stamp(tenant_id: Any, now: datetime) -> int:
    """The millisecond of `now`, or the next that no run of the tenant has."""
    stamp = int((now - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    taken = set(
        Run.objects.of(tenant_id).filter(stamp__gte=stamp, stamp__lt=stamp + 1_000).values_list("stamp", flat=True)
    )
    return next(number for number in range(stamp, stamp + 1_001) if number not in taken)
