"""Versions of templates that a share of the people gets, watched: what does harm is taken back, with the reason in words.

Counted from what the ledger has anyway, so that sending does no more for it: what is older than SETTLED once, what is younger at
each look. Where no version is being rolled out it is one query.
"""

from datetime import datetime, timedelta
from uuid import UUID

from apps.channels.alerts import end_alert, raise_alert
from apps.core import ids
from apps.core.problems import Problem
from apps.ledger.version_outcomes import END_OF_TIME, Outcomes, version_outcomes
from apps.templates import judging
from apps.templates import rollout as rollouts
from apps.templates.judging import Tally
from apps.templates.rollout import ITSELF, Rollout

KIND = "template_reverted"
# a call takes 15 seconds at most, and its answer is written at once
SETTLED = timedelta(seconds=60)
TOLD = timedelta(days=1)
"""How long the alert stands, unless something else is decided about that template before."""


def watch(now: datetime) -> None:
    for one in rollouts.rollouts():
        _judge(one, now)
    for slug, key, is_over in rollouts.taken_back(now - 2 * TOLD, now - TOLD):
        if is_over:
            end_alert(kind=KIND, subject=f"{slug}/{key}")


def _judge(one: Rollout, now: datetime) -> None:
    settled = ids.bound(now - SETTLED)
    if settled > one.counted_to:
        new, old = _counted(one, one.counted_to, settled)
        if not rollouts.advance(one, to=settled, new=new, old=old):
            return
    else:
        new, old, settled = one.new, one.old, one.counted_to
    young = _outcomes(one, settled, END_OF_TIME)
    new, old = new + young[0], old + young[1]
    if not judging.is_harmful(new, old):
        return
    because = judging.sentence(one.number, new, one.against, old)
    try:
        rollouts.revert(tenant=one.tenant_id, key=one.key, by=ITSELF, because=because)
    except Problem:
        return
    text = f"{one.tenant}: version {one.number} of `{one.key}` was taken back from {one.share:g} % of the people. {because}"
    raise_alert(kind=KIND, subject=f"{one.tenant}/{one.key}", text=text, tenant_id=one.tenant_id)


def _counted(one: Rollout, since: UUID, until: UUID) -> tuple[Tally, Tally]:
    new, old = _outcomes(one, since, until)
    return one.new + new, one.old + old


def _outcomes(one: Rollout, since: UUID, until: UUID) -> tuple[Tally, Tally]:
    found = version_outcomes(one.tenant_id, [one.version_id, one.against_id], since=since, until=until)
    return _tally(found[one.version_id]), _tally(found[one.against_id])


def _tally(outcomes: Outcomes) -> Tally:
    return Tally(outcomes.sends, outcomes.errors, outcomes.why)
