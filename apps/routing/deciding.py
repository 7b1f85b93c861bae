"""decide: the one function that says yes, later, together, or no. `explain` and the real path both call it."""

from dataclasses import replace

from apps.core.enums import Channel, Reason
from apps.routing.choosing import may_refuse_critical
from apps.routing.decisions import NOTHING, Because, Bundle, Decision, Hold, Send, Skip
from apps.routing.facts import Case
from apps.routing.rules import BYPASSED, OWN_WORD, RULES, UNTOLD, Rule, addressed


def decide(case: Case) -> Decision:
    """The first rule that objects decides, and is named in `because`; critical hears those in BYPASSED, and the override is recorded."""
    bypassed: Reason | None = None
    because: Because = NOTHING
    for rule in RULES:
        objection = rule(case)
        if objection is None:
            continue
        if case.is_critical and _is_bypassed(rule, case) and not isinstance(objection, Send):
            if bypassed is None and rule not in UNTOLD:
                bypassed, because = objection.reason, _named(rule, objection, case)
            continue
        return objection if isinstance(objection, Send) else replace(objection, because=_named(rule, objection, case))
    return sending(case, bypassed, because)


def sending(case: Case, bypassed: Reason | None = None, because: Because = NOTHING) -> Send:
    """The yes of a case to which nothing objects, or nothing any more."""
    if case.channel == Channel.IN_APP:
        return Send((None,), bypassed, because)
    return Send(tuple(endpoint.id for endpoint in addressed(case)), bypassed, because)


def _is_bypassed(rule: Rule, case: Case) -> bool:
    return rule in BYPASSED and not (rule in OWN_WORD and may_refuse_critical(case))


def _named(rule: Rule, objection: Hold | Bundle | Skip, case: Case) -> Because:
    return {"rule": rule.__name__, "why": objection.reason.value, "at": case.now, **objection.because}
