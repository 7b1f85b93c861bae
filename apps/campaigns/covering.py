"""The one rule of approvals: has somebody else to agree to so many people at such a cost, and did somebody? A launch, a run whose time has
come and a run that is held are judged by it alike, with the limits of that moment. Pure."""

from dataclasses import dataclass

from apps.campaigns import money
from apps.campaigns.models import Approval, Policy
from apps.campaigns.models.agreements import Decision
from apps.core.problem_codes import Code


@dataclass(frozen=True, slots=True)
class Lack:
    """Why it may not go on. `code`: approval_needed (nobody agreed to it) or approval_void (to something else, or to less)."""

    code: Code
    why: str


def lack_of(policy: Policy, approval: Approval | None, *, digest: str, people: int, cost_high: int) -> Lack | None:
    """`approval`: what was agreed to; `digest`: of what would be sent. None: an approval of it is there, or none is needed."""
    reason = needs(policy, people=people, cost_high=cost_high)
    if not reason:
        return None
    if approval is None:
        return Lack(Code.APPROVAL_NEEDED, reason)
    why = outgrown(policy, approval, digest=digest, people=people, cost_high=cost_high)
    return Lack(Code.APPROVAL_VOID, why) if why else None


def needs(policy: Policy, *, people: int, cost_high: int) -> str:
    """Why an approval is needed; empty: none is."""
    if people > policy.approval_above_people:
        return f"It is for {people:,} people; above {policy.approval_above_people:,} somebody else has to approve it."
    if cost_high > policy.approval_above_micros:
        limit = money.words(policy.approval_above_micros, policy.currency)
        cost = money.words(cost_high, policy.currency)
        return f"It may cost {cost}; above {limit} somebody else has to approve it."
    return ""


def outgrown(policy: Policy, approval: Approval, *, digest: str, people: int, cost_high: int) -> str:
    """Why it is not what was agreed to, or more; empty: it is what was."""
    if approval.digest != digest:
        return "The campaign, or a version of its templates, is not the one that was approved."
    most = policy.growth_percent
    if people * 100 > approval.people * (100 + most):
        return f"{people:,} people are meant now; {_agreed(approval, f'{approval.people:,}')}, and {most} % more are allowed."
    if cost_high * 100 > approval.cost_high * (100 + most):
        now, then = (money.words(micros, policy.currency) for micros in (cost_high, approval.cost_high))
        return f"It may cost {now} now; {_agreed(approval, then)}, and {most} % more are allowed."
    return ""


def _agreed(approval: Approval, to: str) -> str:
    return f"the glass was broken for {to}" if approval.decision == Decision.BROKEN else f"{to} were approved"
