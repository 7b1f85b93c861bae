"""The buttons of a run: what each does, and what is asked before it."""

from collections.abc import Callable, Mapping
from typing import Any

from django.urls import reverse

from apps.campaigns import approving, holding, launching
from apps.campaigns.agreeing import resume_unapproved
from apps.campaigns.braking import BY
from apps.campaigns.lifecycle import RunStatus
from apps.campaigns.models.agreements import Decision
from apps.core import clock
from apps.core.admin_asking import Question
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.tenants.auditing import Actor
from apps.tenants.selectors import tenant_by_id

NAME = "campaigns_run"
MOST_THROTTLE = 10_000_000


def page_of(run_id: Any) -> str:
    return reverse(f"admin:{NAME}_change", args=[run_id])


def held_of(run: Any) -> Mapping[str, Any] | None:
    """Of a run that is held: why it may not go on ("": it may), and the approval that was asked for. None: it is not held."""
    if run.status != RunStatus.PAUSED or run.pause_reason not in holding.HELD:
        return None
    lack = holding.lacking(run)
    return {"why": lack.why if lack else "", "asked": holding.newest(run, Decision.ASKED)}


Said = Any


def _pause(run: Any, by: Actor, said: Said) -> str:
    halted = launching.pause(
        campaign_id=run.campaign_id, tenant_id=run.tenant_id, by=by.name, detail=str(said.get("detail", ""))[:500]
    )
    flying = halted.in_flight + halted.taken
    return f"Paused: {flying:,} in flight, which nobody can call back; {halted.waiting:,} waiting."


def _resume(run: Any, by: Actor, said: Said) -> str:
    launching.resume(campaign_id=run.campaign_id, tenant_id=run.tenant_id, by=by.name)
    return "It goes on."


def _ask(run: Any, by: Actor, said: Said) -> str:
    note = str(said.get("note", "")).replace("\x00", "")
    approving.ask(tenant=_tenant(run), campaign_id=run.campaign_id, by=by.name, note=note, now=clock.now())
    return "Asked for an approval: somebody who did not write it decides."


def _break(run: Any, by: Actor, said: Said) -> str:
    comment = str(said.get("comment", "")).replace("\x00", "")
    now = clock.now()
    resume_unapproved(tenant=_tenant(run), campaign_id=run.campaign_id, actor=by, comment=comment, now=now)
    return "It goes on without an approval. That is recorded, and operators are told."


def _cancel(run: Any, by: Actor, said: Said) -> str:
    halted = launching.cancel(campaign_id=run.campaign_id, tenant_id=run.tenant_id, by=by.name)
    return f"Cancelled: {halted.in_flight + halted.taken:,} were in flight; the rest is never sent."


def _throttle(run: Any, by: Actor, said: Said) -> str:
    text = str(said.get("per_minute", "")).strip() or "0"
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_THROTTLE):
        detail = f"People a minute: a whole number up to {MOST_THROTTLE:,}; 0 is as fast as it goes."
        raise Problem(Code.OUT_OF_RANGE, detail)
    launching.set_throttle(campaign_id=run.campaign_id, tenant_id=run.tenant_id, per_minute=int(text))
    return f"From the next page on: {int(text):,} people a minute." if int(text) else "It goes as fast as it can."


DEEDS: dict[str, Callable[[Any, Actor, Said], str]] = {
    "pause": _pause,
    "resume": _resume,
    "ask": _ask,
    "break": _break,
    "cancel": _cancel,
    "throttle": _throttle,
}
QUESTIONS: dict[str, Callable[[Any], Question]] = {
    "pause": lambda run: Question(
        f"Pause {run.campaign.name}",
        "Nothing more is sent until somebody resumes it. What providers have already cannot be called back.",
        "Pause it",
        page_of(run.id),
    ),
    "resume": lambda run: Question(
        f"Resume {run.campaign.name}",
        f"{run.pause_detail} It goes on with everybody who has not got it yet. It stops by itself again only for what comes after this."
        if run.paused_by == BY
        else "It goes on with everybody who has not got it yet.",
        "Resume it",
        page_of(run.id),
        is_dangerous=run.paused_by == BY,
    ),
    "ask": lambda run: Question(
        f"Ask for an approval of {run.campaign.name}",
        f"{run.pause_detail} Somebody who did not write it decides; it stays paused meanwhile.",
        "Ask for an approval",
        page_of(run.id),
    ),
    "cancel": lambda run: Question(
        f"Cancel the rest of {run.campaign.name}",
        "Whoever has not got it yet never will. What was sent stays sent. This cannot be undone.",
        "Cancel the rest",
        page_of(run.id),
        is_dangerous=True,
    ),
    "throttle": lambda run: Question(
        f"As fast as it goes: {run.campaign.name}",
        "Nothing holds it back any more but the providers' own limits.",
        "Take the throttle off",
        page_of(run.id),
    ),
}


def _tenant(run: Any) -> Tenant:
    found = tenant_by_id(run.tenant_id)
    assert found is not None
    return found
