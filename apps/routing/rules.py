"""The ordered rules. Each looks at a case and either objects with a decision or has nothing to say (None).

The first objection decides, so the order is part of the product. A rule in BYPASSED does not bind critical messages.
"""

from collections.abc import Callable
from datetime import timedelta

from apps.core.enums import Channel, KeyMode, Priority, Reason
from apps.core.types import Endpoint
from apps.routing import quiet_hours
from apps.routing.bundling import digested, grouped, overflowing
from apps.routing.choosing import is_on, mutes, ruling
from apps.routing.decisions import Decision, Hold, Skip
from apps.routing.facts import Case, Stage

Rule = Callable[[Case], Decision | None]
HALTED_FOR = timedelta(days=1)
EVERY_DEVICE = frozenset({Channel.PUSH})


def expired(case: Case) -> Decision | None:
    expires_at = case.wish.expires_at
    if expires_at is None or expires_at > case.now:
        return None
    return Skip(Reason.EXPIRED, {"expires_at": expires_at})


def halted(case: Case) -> Decision | None:
    """By the people who run its campaign; looked at again after HALTED_FOR, should nobody say that it goes on."""
    match case.wish.halt:
        case None:
            return None
        case Reason.PAUSED:
            return Hold(case.now + HALTED_FOR, Reason.PAUSED)
        case reason:
            return Skip(reason)


def unknown_recipient(case: Case) -> Decision | None:
    return Skip(Reason.UNKNOWN_RECIPIENT) if case.person.recipient is None else None


def blocked_recipient(case: Case) -> Decision | None:
    recipient = case.person.recipient
    return Skip(Reason.RECIPIENT_BLOCKED) if recipient is not None and recipient.is_blocked else None


def not_a_guest(case: Case) -> Decision | None:
    if case.wish.mode == KeyMode.TEAM and not case.person.is_guest:
        return Skip(Reason.NOT_ON_GUEST_LIST, {"mode": case.wish.mode.value})
    return None


def no_content(case: Case) -> Decision | None:
    return None if case.has_content else Skip(Reason.NO_TEMPLATE)


def no_endpoint(case: Case) -> Decision | None:
    if case.channel == Channel.IN_APP or usable(case):
        return None
    here = [e for e in case.person.endpoints if e.channel == case.channel]
    if not here:
        return Skip(Reason.NO_ENDPOINT)
    unverified = sum(not e.is_retired for e in here)
    if unverified:
        return Skip(Reason.ENDPOINT_UNVERIFIED, {"unverified": unverified})
    return Skip(Reason.ENDPOINT_RETIRED, {"retired": len(here)})


def no_provider(case: Case) -> Decision | None:
    return None if case.has_provider or case.channel == Channel.IN_APP else Skip(Reason.NO_PROVIDER)


def suppressed(case: Case) -> Decision | None:
    if case.channel == Channel.IN_APP or not case.person.suppressed or addressed(case):
        return None
    vetoed = usable(case) if case.channel in EVERY_DEVICE else usable(case)[:1]
    veto = case.person.suppressed[vetoed[0].id]
    return Skip(Reason.SUPPRESSED, {"suppression": veto.reason.value, "since": veto.since, "source": veto.source})


def actor_blocked(case: Case) -> Decision | None:
    is_blocked = bool(case.wish.actor_id) and case.wish.actor_id in case.person.choices.blocked_actors
    return Skip(Reason.ACTOR_BLOCKED, {"actor_id": case.wish.actor_id}) if is_blocked else None


def switched_off(case: Case) -> Decision | None:
    """A summary is off when each of its parts is."""
    kinds = case.wish.parts or (case.wish.event_type,)
    if any(is_on(case, kind) for kind in kinds):
        return None
    choice = ruling(case, kinds[0])
    assert choice is not None
    if not choice.is_theirs:
        return Skip(Reason.OFF_BY_DEFAULT, choice.because)
    return Skip(Reason.CHANNEL_OFF if choice.topic == "*" else Reason.TOPIC_OFF, choice.because)


def muted(case: Case) -> Decision | None:
    if not case.person.choices.mutes:
        return None
    found = mutes(case)
    return Skip(Reason.MUTED, found[0].because) if found else None


def channel_not_allowed(case: Case) -> Decision | None:
    if case.channel == Channel.SMS and case.wish.priority == Priority.LOW:
        return Skip(Reason.CHANNEL_NOT_ALLOWED, {"priority": case.wish.priority.value})
    return None


def duplicate(case: Case) -> Decision | None:
    return Skip(Reason.DUPLICATE, into=case.duplicate_of) if case.duplicate_of else None


def superseded(case: Case) -> Decision | None:
    return Skip(Reason.SUPERSEDED, into=case.fuller) if case.fuller else None


def awaiting_fuller(case: Case) -> Decision | None:
    if not case.wish.waits or case.asked_at is None or case.stage != Stage.ROUTE:
        return None
    until = case.asked_at + case.wish.waits
    return Hold(until, Reason.AWAITS_FULLER, {"until": until}) if until > case.now else None


def seen_elsewhere(case: Case) -> Decision | None:
    return Skip(Reason.SEEN_ELSEWHERE) if case.seen_elsewhere and case.stage != Stage.ROUTE else None


def in_quiet_hours(case: Case) -> Decision | None:
    if case.stage == Stage.FLUSH or not (quiet := quiet_hours.binding(case)):
        return None
    until = quiet_hours.open_from(quiet, case.person.zone, case.now)
    if until <= case.now:
        return None
    return Hold(until, Reason.QUIET_HOURS, quiet_hours.because(quiet, case.person.zone, until))


def capped(case: Case) -> Decision | None:
    if case.over is None:
        return None
    because = {"cap": case.over.name, "limit": case.over.limit, "period": case.over.period.value}
    return overflowing(case) if case.wish.overflows else Skip(Reason.FREQUENCY_CAP, because)


RULES: tuple[Rule, ...] = (
    expired,
    halted,
    unknown_recipient,
    blocked_recipient,
    actor_blocked,
    not_a_guest,
    no_content,
    no_endpoint,
    suppressed,
    switched_off,
    muted,
    channel_not_allowed,
    no_provider,
    duplicate,
    superseded,
    seen_elsewhere,
    awaiting_fuller,
    in_quiet_hours,
    capped,
    digested,
    grouped,
)
BYPASSED: frozenset[Rule] = frozenset(
    {switched_off, muted, channel_not_allowed, awaiting_fuller, in_quiet_hours, capped, digested, grouped}
)
"""What critical messages are not bound by; the override is recorded, unless it is one of the event type's own rules (UNTOLD)."""
UNTOLD: frozenset[Rule] = frozenset({awaiting_fuller, grouped})
OWN_WORD: frozenset[Rule] = frozenset({switched_off, muted})
"""Of these, what binds critical messages where the tenant lets people opt out of them."""


def usable(case: Case) -> list[Endpoint]:
    """The channel's verified, active endpoints, newest first; of a message that is to verify one, that one."""
    here = [e for e in case.person.endpoints if e.channel == case.channel and not e.is_retired]
    verifies = case.wish.verifies
    found = [e for e in here if (e.is_verified if verifies is None else e.id == verifies)]
    if len(found) > 1:
        found.sort(key=lambda e: e.id, reverse=True)
    return found


def addressed(case: Case) -> list[Endpoint]:
    """Where it goes: every device for push, the newest address otherwise; none that is suppressed."""
    found = [e for e in usable(case) if e.id not in case.person.suppressed]
    return found if case.channel in EVERY_DEVICE else found[:1]
