"""decide: the one function that says yes, later, together, or no. `explain` and the real path both call it."""

from apps.core.enums import Channel, Reason
from apps.routing.decisions import Decision, Send
from apps.routing.facts import Case
from apps.routing.rules import BYPASSED, RULES, addressed


def decide(case: Case) -> Decision:
    """The first rule that objects decides; critical hears those in BYPASSED, and the override is recorded."""
    bypassed: Reason | None = None
    for rule in RULES:
        objection = rule(case)
        if objection is None:
            continue
        if case.is_critical and rule in BYPASSED and not isinstance(objection, Send):
            bypassed = bypassed or objection.reason
            continue
        return objection
    if case.channel == Channel.IN_APP:
        return Send((None,), bypassed)
    return Send(tuple(endpoint.id for endpoint in addressed(case)), bypassed)
