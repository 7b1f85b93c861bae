"""Who agrees to a campaign, and until when that holds.

Above the policy's number of people or cost somebody else has to look at it: nobody who changed it since the last approval. What was agreed
to is kept as it was (`snapshot`); it is void when anything of it changed, or when the people or the cost grew by more than the policy
allows. A run that has outgrown it when its time comes, or the limits below which it was launched, is held (holding.py). Breaking the glass
is a decision too: it is kept, audited and told to operators.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.campaigns import covering
from apps.campaigns.budgeting import policy_of
from apps.campaigns.costing import Estimate, estimate
from apps.campaigns.covering import lack_of, needs
from apps.campaigns.definitions import digest, snapshot
from apps.campaigns.holding import check_unasked, held_run
from apps.campaigns.lifecycle import CampaignStatus, Command, after
from apps.campaigns.models import Approval, Campaign, Policy, Variant
from apps.campaigns.models.agreements import Decision
from apps.channels.alerts import raise_alert
from apps.core import ids
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant

BROKEN_GLASS = "broken_glass"


@dataclass(frozen=True, slots=True)
class Considered:
    """A campaign as it stands now, with what it would cost."""

    row: Any
    definition: dict[str, Any]
    estimate: Estimate
    policy: Policy

    @property
    def digest(self) -> str:
        return digest(self.definition)

    @property
    def size(self) -> dict[str, int]:
        return {"people": self.estimate.people, "cost_high": self.estimate.high}


def considered(tenant: Tenant, campaign_id: UUID, now: datetime) -> Considered:
    """Counts its audience: seconds for a million. Of one whose run is held: what that run is. Raises Problem: not_found, and what is wrong
    with the audience's rules."""
    row = Campaign.objects.of(tenant).filter(id=campaign_id).first()
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such campaign.")
    policy = policy_of(tenant.id)
    if (run := held_run(row)) is not None:
        cost = run.estimate or {}
        known = Estimate(
            run.audience_size or 0, cost.get("low", 0), cost.get("high", 0), cost.get("currency", policy.currency), ()
        )
        return Considered(row, row.launched, known, policy)
    definition = definition_of(row)
    if not (row.audience or {}).get("include"):
        nothing = Estimate(0, 0, 0, policy.currency, ())
        return Considered(row, definition, nothing, policy)
    found = estimate(tenant_id=tenant.id, campaign_id=row.id, definition=definition, currency=policy.currency, now=now)
    return Considered(row, definition, found, policy)


def definition_of(row: Any) -> dict[str, Any]:
    return snapshot(row, Variant.objects.of(row.tenant_id).filter(campaign_id=row.id))


def standing(tenant_id: UUID, campaign_id: UUID) -> Approval | None:
    """What is asked for or approved, and not void."""
    rows = Approval.objects.of(tenant_id).filter(campaign_id=campaign_id)
    found: Approval | None = rows.filter(decision__in=(Decision.ASKED, Decision.APPROVED)).order_by("-id").first()
    return found


def last_approved(tenant_id: UUID, campaign_id: UUID, *, before: UUID | None = None) -> Approval | None:
    """For what changed since. Void ones count: they were approved once."""
    rows = Approval.objects.of(tenant_id).filter(campaign_id=campaign_id, decided_by__gt="")
    rows = rows.filter(decision__in=(Decision.APPROVED, Decision.VOID))
    found: Approval | None = (rows.filter(id__lt=before) if before else rows).order_by("-id").first()
    return found


def ask(*, tenant: Tenant, campaign_id: UUID, by: str, note: str, now: datetime) -> UUID:
    """The campaign waits in review; nobody changes it meanwhile. One whose run is held stays paused. Raises Problem: not_found,
    campaign_state, stale_version."""
    seen = considered(tenant, campaign_id, now)
    with transaction.atomic():
        row = _locked(tenant, campaign_id, seen)
        run = held_run(row)
        if run is None:
            _move(row, Command.SUBMIT)
            row.save(update_fields=["status", "updated_at"])
        else:
            note = note or run.pause_detail
            check_unasked(run)
        made = Approval.objects.create(**_looked_at(seen, asked_by=by[:150], note=note[:500]))
    return UUID(str(made.id))


def decide(*, tenant: Tenant, approval_id: UUID, by: str, approves: bool, comment: str = "", now: datetime) -> Decision:
    """Raises Problem: not_found, own_work, conflict (somebody decided before), approval_void (it changed since it was asked for),
    missing_field (changes are asked for with words)."""
    if not approves and not comment.strip():
        raise Problem(Code.MISSING_FIELD, "Say what has to change.", pointer="/comment")
    found = Approval.objects.of(tenant).filter(id=approval_id).values_list("campaign_id", flat=True).first()
    if found is None:
        raise Problem(Code.NOT_FOUND)
    with transaction.atomic():
        row = Campaign.objects.of(tenant).select_for_update(no_key=True).get(id=found)
        approval = Approval.objects.of(tenant).select_for_update().get(id=approval_id)
        if approval.decision != Decision.ASKED:
            raise Problem(Code.CONFLICT, f"That was decided before. {Decision(approval.decision).sentence}")
        if by in authors_of(row, approval):
            raise Problem(Code.OWN_WORK, "You wrote this, or asked for its approval: somebody else has to decide.")
        is_held = held_run(row) is not None
        is_same = digest(row.launched if is_held else definition_of(row)) == approval.digest
        if approves and not is_same:
            _void(approval, "It was changed after the approval was asked for.")
            _move(row, Command.RETURN)
        else:
            if not is_held:
                _move(row, Command.APPROVE if approves else Command.RETURN)
            approval.decision = Decision.APPROVED if approves else Decision.RETURNED
            approval.decided_by, approval.decided_at, approval.comment = by[:150], now, comment.strip()[:500]
            approval.save()
        row.save(update_fields=["status", "updated_at"])
    if approves and not is_same:
        raise Problem(Code.APPROVAL_VOID, approval.comment)
    return Decision(approval.decision)


def authors_of(row: Any, approval: Approval) -> frozenset[str]:
    """Nobody of these may decide."""
    return frozenset({*row.editors, row.changed_by, approval.asked_by})


def check_at_launch(tenant: Tenant, seen: Considered) -> str:
    """Why an approval was needed, and is there; empty: none was. Raises Problem: approval_needed; approval_void, which is kept."""
    asked = standing(tenant.id, seen.row.id)
    approval = asked if asked is not None and asked.decision == Decision.APPROVED else None
    lack = lack_of(seen.policy, approval, digest=seen.digest, **seen.size)
    if lack is None:
        return needs(seen.policy, **seen.size)
    if approval is not None:
        with transaction.atomic():
            row = Campaign.objects.of(tenant).select_for_update(no_key=True).get(id=seen.row.id)
            # what was launched already is held to its approval when its time comes
            if row.status == CampaignStatus.APPROVED:
                row.status = CampaignStatus.DRAFT
                row.save(update_fields=["status", "updated_at"])
                _void(approval, lack.why)
    raise Problem(lack.code, lack.why)


def outgrown(approval: Approval, seen: Considered) -> str:
    """Why it does not hold any more; empty: it does."""
    return covering.outgrown(seen.policy, approval, digest=seen.digest, **seen.size)


def break_glass(
    *, tenant: Tenant, seen: Considered, by: str, comment: str, now: datetime, did: str = "launched"
) -> UUID:
    """In the transaction of what is `did`. What was asked for is void: nobody waits for it any more. Who may is the door's question.

    Raises Problem: missing_field.
    """
    if not comment.strip():
        raise Problem(Code.MISSING_FIELD, "Say why it cannot wait for an approval.", pointer="/comment")
    made = Approval.objects.create(
        **_looked_at(
            seen,
            asked_by=by[:150],
            decision=Decision.BROKEN,
            decided_by=by[:150],
            decided_at=now,
            comment=comment.strip()[:500],
        )
    )
    asked = Approval.objects.of(tenant).filter(campaign_id=seen.row.id, decision=Decision.ASKED)
    asked.update(decision=Decision.VOID, comment="It was not waited for.")
    text = f"{by} {did} {seen.row.name} without the approval that it needs: {comment.strip()}"
    subject = ids.show(ids.CAMPAIGN, seen.row.id)
    raise_alert(kind=BROKEN_GLASS, subject=subject, text=text, tenant_id=seen.row.tenant_id)
    return UUID(str(made.id))


def _looked_at(seen: Considered, **more: Any) -> dict[str, Any]:
    return {
        "tenant_id": seen.row.tenant_id,
        "campaign_id": seen.row.id,
        "version": seen.row.version,
        "digest": seen.digest,
        "snapshot": seen.definition,
        "people": seen.estimate.people,
        "cost_low": seen.estimate.low,
        "cost_high": seen.estimate.high,
        "currency": seen.estimate.currency,
        **more,
    }


def _locked(tenant: Tenant, campaign_id: UUID, seen: Considered) -> Any:
    row = Campaign.objects.of(tenant).select_for_update(no_key=True).get(id=campaign_id)
    if row.version != seen.row.version:
        raise Problem(Code.STALE_VERSION, f"{row.changed_by} changed it meanwhile.")
    return row


def _move(row: Any, command: Command) -> None:
    status = CampaignStatus(row.status)
    following = after(status, command)
    if following is None:
        raise Problem(Code.CAMPAIGN_STATE, f"{status.sentence} This cannot be done now: {command.sentence}")
    row.status = following


def _void(approval: Approval, why: str) -> None:
    approval.decision, approval.comment = Decision.VOID, why[:500]
    approval.save(update_fields=["decision", "comment", "updated_at"])
