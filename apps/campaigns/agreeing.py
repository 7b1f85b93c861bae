"""A launch by somebody: nothing is lacking, it is agreed to, it is within its budget. launching.launch does the rest.

People come with an approval where the policy asks for one, or break the glass. A key with the scope to launch stands for a program that
somebody gave that scope to: it needs no approval unless the policy says so, and its audience is not counted before the answer.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.campaigns import checking
from apps.campaigns.approving import BROKEN_GLASS, Considered, break_glass, check_at_launch, considered, definition_of
from apps.campaigns.budgeting import policy_of
from apps.campaigns.checking import Finding
from apps.campaigns.holding import held_run, lacking
from apps.campaigns.launching import launch, resume
from apps.campaigns.models import Campaign, Variant
from apps.core import ids
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Tenant
from apps.tenants import auditing
from apps.tenants.auditing import Actor

KIND = "campaigns.campaign"


def launch_by_person(
    *, tenant: Tenant, campaign_id: UUID, actor: Actor, now: datetime, breaks_glass: bool = False, comment: str = ""
) -> None:
    """`breaks_glass`: without the approval that is needed; who may is the door's question. Counts the audience.

    Raises Problem: not_found, campaign_not_ready, approval_needed, approval_void, over_budget, missing_field (why the glass is
    broken), and as launching.launch.
    """
    seen = considered(tenant, campaign_id, now)
    check_ready(tenant, seen.row, now)
    _check_budget(seen, now)
    is_broken = False
    try:
        check_at_launch(tenant, seen)
    except Problem as problem:
        if not breaks_glass or problem.code not in (Code.APPROVAL_NEEDED, Code.APPROVAL_VOID):
            raise
        is_broken = True
    with transaction.atomic():
        row = Campaign.objects.of(tenant).select_for_update(no_key=True).get(id=campaign_id)
        if definition_of(row) != seen.definition:
            raise Problem(Code.STALE_VERSION, f"{row.changed_by} changed it meanwhile.")
        if is_broken:
            break_glass(tenant=tenant, seen=seen, by=actor.name, comment=comment, now=now)
        is_person = actor.kind != "key"
        launch(campaign_id=campaign_id, tenant_id=tenant.id, by=actor.name, by_person=is_person, now=now)
        said = f"Launched without an approval: {comment}" if is_broken else "Launched."
        _record(actor, seen.row, BROKEN_GLASS if is_broken else "launch", said)


def resume_unapproved(*, tenant: Tenant, campaign_id: UUID, actor: Actor, comment: str, now: datetime) -> None:
    """Breaks the glass for a run that is held; the campaign's next run is looked at anew. Who may is the door's question.

    Raises Problem: not_found, campaign_state (no approval is lacking), missing_field (why it cannot wait for one).
    """
    with transaction.atomic():
        row = Campaign.objects.of(tenant).select_for_update(no_key=True).filter(id=campaign_id).first()
        if row is None:
            raise Problem(Code.NOT_FOUND, "There is no such campaign.")
        run = held_run(row)
        if run is None or not lacking(run):
            raise Problem(Code.CAMPAIGN_STATE, "It lacks no approval.")
        seen = considered(tenant, campaign_id, now)
        break_glass(tenant=tenant, seen=seen, by=actor.name, comment=comment, now=now, did="went on with")
        resume(campaign_id=campaign_id, tenant_id=tenant.id, by=actor.name, now=now)
        _record(actor, row, BROKEN_GLASS, f"Went on without an approval: {comment}")


def launch_by_key(*, tenant: Tenant, campaign_id: UUID, actor: Actor, now: datetime) -> None:
    """Answers fast, whatever the size of the audience, unless the policy wants approvals of keys as well. The budget stops it at its
    cap. Raises Problem as `launch_by_person`."""
    if policy_of(tenant.id).approval_for_keys:
        launch_by_person(tenant=tenant, campaign_id=campaign_id, actor=actor, now=now)
        return
    row = Campaign.objects.of(tenant).filter(id=campaign_id).first()
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such campaign.")
    check_ready(tenant, row, now)
    with transaction.atomic():
        launch(campaign_id=campaign_id, tenant_id=tenant.id, by=actor.name, now=now)
        _record(actor, row, "launch", "Launched.")


def check_ready(tenant: Tenant, row: Campaign, now: datetime) -> None:
    """Raises Problem: campaign_not_ready, with every error of the checklist."""
    variants = Variant.objects.of(tenant).filter(campaign_id=row.id).order_by("position")
    wrong = checking.errors_of(checking.findings(tenant, row, variants, now))
    if wrong:
        raise Problem(
            Code.CAMPAIGN_NOT_READY, " ".join(one.text for one in wrong), errors=[_error(one) for one in wrong]
        )


def _check_budget(seen: Considered, now: datetime) -> None:
    for finding in checking.over_budget(seen.row, seen.estimate, seen.policy, now):
        if finding.stops:
            raise Problem(Code.OVER_BUDGET, finding.text)


def _error(finding: Finding) -> FieldError:
    return FieldError(f"/{finding.tab}", Code.CAMPAIGN_NOT_READY, finding.text)


def _record(actor: Actor, row: Campaign, action: str, said: str) -> None:
    auditing.record(
        actor=actor,
        tenant_id=row.tenant_id,
        action=action,
        kind=KIND,
        object_id=ids.show(ids.CAMPAIGN, row.id),
        label=row.name,
        said=said,
    )
