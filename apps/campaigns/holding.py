"""Runs that lack an approval: when their time has come their people are counted once more, and nobody gets them until somebody agreed to
what they are now, or broke the glass. Whether somebody had to agree at the launch does not matter."""

from typing import Any, Final

from django.db.models import Q

from apps.campaigns.budgeting import policy_of
from apps.campaigns.covering import Lack, lack_of
from apps.campaigns.definitions import digest
from apps.campaigns.lifecycle import CampaignStatus, RunStatus
from apps.campaigns.models import Approval, Run
from apps.campaigns.models.agreements import Decision
from apps.core.problem_codes import Code
from apps.core.problems import Problem

HELD: Final = frozenset({Code.APPROVAL_NEEDED.value, Code.APPROVAL_VOID.value})
"""Why such a run is paused."""


def held_run(row: Any) -> Any:
    """The campaign's run that waits for an approval, or for somebody to resume it since there is one; None: none is held."""
    if row.status != CampaignStatus.PAUSED:
        return None
    rows = Run.objects.of(row.tenant_id).filter(campaign_id=row.id, status=RunStatus.PAUSED, pause_reason__in=HELD)
    return rows.order_by("-id").first()


def lack_at_fire(run: Any) -> Lack | None:
    """Of a run whose people are counted. None: it may go on; what a key launched always may, unless the policy asks keys, too."""
    policy, campaign = policy_of(run.tenant_id), run.campaign
    if not (campaign.launched_by_person or policy.approval_for_keys):
        return None
    people, cost = run.audience_size or 0, run.estimate.get("high", 0)
    return lack_of(policy, _agreed_to(run), digest=digest(campaign.launched), people=people, cost_high=cost)


def lacking(run: Any) -> Lack | None:
    """Why a run that is held may not go on; None: somebody agreed to what it is now, nobody has to any more, or it is not held."""
    return lack_at_fire(run) if run.pause_reason in HELD else None


def check_held(run: Any) -> None:
    """Before it goes on. Raises Problem: approval_needed, approval_void."""
    if lack := lacking(run):
        is_asked = newest(run, Decision.ASKED) is not None
        then = Decision.ASKED.sentence if is_asked else "Ask for an approval."
        raise Problem(lack.code, f"{lack.why} {then}")


def check_unasked(run: Any) -> None:
    """Before an approval is asked for. Raises Problem: campaign_state."""
    if newest(run, Decision.ASKED) is not None:
        raise Problem(Code.CAMPAIGN_STATE, f"An approval was asked for. {Decision.ASKED.sentence}")
    if not lacking(run):
        raise Problem(Code.CAMPAIGN_STATE, "It lacks no approval as it is: it may be resumed.")


def newest(run: Any, decision: Decision) -> Approval | None:
    """Of the approvals of its campaign."""
    return _last(run, Q(decision=decision))


def _agreed_to(run: Any) -> Approval | None:
    """The newest approval, or the glass that was broken for this run alone: while it was held, or at a launch that it is the first of."""
    launched_at = run.campaign.launched_at
    earlier = Run.objects.of(run.tenant_id).filter(campaign_id=run.campaign_id, id__lt=run.id)
    since = run.started_at if earlier.filter(started_at__gte=launched_at).exists() else launched_at
    return _last(run, Q(decision=Decision.APPROVED) | Q(decision=Decision.BROKEN, decided_at__gte=since))


def _last(run: Any, which: Q) -> Approval | None:
    rows = Approval.objects.of(run.tenant_id).filter(which, campaign_id=run.campaign_id)
    found: Approval | None = rows.order_by("-id").first()
    return found
