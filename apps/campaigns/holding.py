"""Runs that outgrew what was approved: when their time has come their people are counted once more, and nobody gets them until somebody
agreed to what they are now, or broke the glass."""

from typing import Any, Final

from apps.campaigns import money
from apps.campaigns.budgeting import policy_of
from apps.campaigns.lifecycle import CampaignStatus, RunStatus
from apps.campaigns.models import Approval, Policy, Run
from apps.campaigns.models.agreements import Decision
from apps.core.problem_codes import Code
from apps.core.problems import Problem

HELD: Final = "approval_void"
"""Why such a run is paused."""


def held_run(row: Any) -> Any:
    """The campaign's run that waits for an approval, or for somebody to resume it since there is one; None: none is held."""
    if row.status != CampaignStatus.PAUSED:
        return None
    rows = Run.objects.of(row.tenant_id).filter(campaign_id=row.id, status=RunStatus.PAUSED, pause_reason=HELD)
    return rows.order_by("-id").first()


def outgrown_at_fire(run: Any) -> str:
    """Why a run whose people are counted is not what was approved; empty: it is, or nobody had to approve it."""
    approval = newest(run, Decision.APPROVED)
    if approval is None:
        return ""
    return grown(approval, policy_of(run.tenant_id), run.audience_size or 0, run.estimate.get("high", 0))


def lacking(run: Any) -> str:
    """Why a run that is held may not go on; empty: somebody agreed to what it is now, or it is not held."""
    if run.pause_reason != HELD:
        return ""
    if newest(run, Decision.APPROVED) is None:
        return run.pause_detail or Decision.VOID.sentence
    return outgrown_at_fire(run)


def check_held(run: Any) -> None:
    """Before it goes on. Raises Problem: approval_void."""
    if why := lacking(run):
        is_asked = newest(run, Decision.ASKED) is not None
        raise Problem(Code.APPROVAL_VOID, f"{why} {Decision.ASKED.sentence if is_asked else 'Ask for an approval.'}")


def check_unasked(run: Any) -> None:
    """Before an approval is asked for. Raises Problem: campaign_state."""
    if newest(run, Decision.ASKED) is not None:
        raise Problem(Code.CAMPAIGN_STATE, f"An approval was asked for. {Decision.ASKED.sentence}")
    if not lacking(run):
        raise Problem(Code.CAMPAIGN_STATE, "It is approved as it is: it may be resumed.")


def newest(run: Any, decision: Decision) -> Approval | None:
    """Of the approvals of its campaign."""
    rows = Approval.objects.of(run.tenant_id).filter(campaign_id=run.campaign_id, decision=decision)
    found: Approval | None = rows.order_by("-id").first()
    return found


def grown(approval: Approval, policy: Policy, people: int, cost_high: int) -> str:
    """Why it is more than was approved; empty: it is not."""
    most = policy.growth_percent
    if people * 100 > approval.people * (100 + most):
        return f"{people:,} people are meant now; {approval.people:,} were approved, and {most} % more are allowed."
    if cost_high * 100 > approval.cost_high * (100 + most):
        now, then = (money.words(micros, policy.currency) for micros in (cost_high, approval.cost_high))
        return f"It may cost {now} now; {then} were approved, and {most} % more are allowed."
    return ""
