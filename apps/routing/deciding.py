"""decide: the one function that says yes, later, together, or no. `explain` and the real path both call it."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from uuid import UUID

from apps.core.enums import Channel, Reason
from apps.core.types import NOTHING_CHOSEN
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


def decide_all(cases: Mapping[UUID, Case]) -> dict[UUID, Decision]:
    """Each as `decide` would. People of one likeness who all want nothing but to be told are decided on once: a plain yes to one of them is
    everybody's, to an address of their own."""
    wanted: set[Hashable] = set()
    decided: dict[UUID, Decision] = {}
    for id_, case in cases.items():
        likeness = _likeness(case)
        if likeness in wanted:
            decided[id_] = _plain_yes(case)
            continue
        decided[id_] = decide(case)
        if likeness is not None and decided[id_] == _plain_yes(case):
            wanted.add(likeness)
    return decided


def _plain_yes(case: Case) -> Send:
    return Send((case.person.endpoints[0].id,))


def _likeness(case: Case) -> Hashable | None:
    """All that a rule can tell this case by from others; None for somebody who chose something, and for whatever else is not plain."""
    person, wish = case.person, case.wish
    if (
        person.recipient is None
        or person.recipient.is_blocked
        or person.suppressed
        or len(person.endpoints) != 1
        or person.choices != NOTHING_CHOSEN
        or case.channel == Channel.IN_APP
        or case.duplicate_of
        or case.fuller
        or case.seen_elsewhere
        or case.over
        or case.was_held
        or wish.verifies
    ):
        return None
    (to,) = person.endpoints
    asked = case.channel, case.now, case.asked_at, case.stage, case.has_content, case.has_provider
    them = person.zone, person.country, person.is_guest, to.channel, to.is_verified, to.is_retired
    return id(wish), id(case.rules), asked, them


def sending(case: Case, bypassed: Reason | None = None, because: Because = NOTHING) -> Send:
    """The yes of a case to which nothing objects, or nothing any more."""
    if case.channel == Channel.IN_APP:
        return Send((None,), bypassed, because)
    return Send(tuple(endpoint.id for endpoint in addressed(case)), bypassed, because)


def _is_bypassed(rule: Rule, case: Case) -> bool:
    return rule in BYPASSED and not (rule in OWN_WORD and may_refuse_critical(case))


def _named(rule: Rule, objection: Hold | Bundle | Skip, case: Case) -> Because:
    return {"rule": rule.__name__, "why": objection.reason.value, "at": case.now, **objection.because}
