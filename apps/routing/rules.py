"""The ordered rules. Each looks at a case and either objects with a decision or has nothing to say (None).

The first objection decides, so the order is part of the product. A rule in BYPASSED does not bind critical messages.
"""

from collections.abc import Callable, Iterable

from apps.core.enums import Channel, KeyMode, Priority, Reason
from apps.core.types import Endpoint, Switch
from apps.routing.decisions import Decision, Skip
from apps.routing.facts import Case

Rule = Callable[[Case], Decision | None]
EVERY_DEVICE = frozenset({Channel.PUSH})


def expired(case: Case) -> Decision | None:
    expires_at = case.wish.expires_at
    return Skip(Reason.EXPIRED) if expires_at is not None and expires_at <= case.now else None


def unknown_recipient(case: Case) -> Decision | None:
    return Skip(Reason.UNKNOWN_RECIPIENT) if case.person.recipient is None else None


def blocked_recipient(case: Case) -> Decision | None:
    recipient = case.person.recipient
    return Skip(Reason.RECIPIENT_BLOCKED) if recipient is not None and recipient.is_blocked else None


def not_a_guest(case: Case) -> Decision | None:
    if case.wish.mode == KeyMode.TEAM and not case.person.is_guest:
        return Skip(Reason.NOT_ON_GUEST_LIST)
    return None


def no_content(case: Case) -> Decision | None:
    return None if case.has_content else Skip(Reason.NO_TEMPLATE)


def no_endpoint(case: Case) -> Decision | None:
    if case.channel == Channel.IN_APP or usable(case):
        return None
    here = [e for e in case.person.endpoints if e.channel == case.channel]
    if not here:
        return Skip(Reason.NO_ENDPOINT)
    is_any_active = any(not e.is_retired for e in here)
    return Skip(Reason.ENDPOINT_UNVERIFIED if is_any_active else Reason.ENDPOINT_RETIRED)


def no_provider(case: Case) -> Decision | None:
    return None if case.has_provider or case.channel == Channel.IN_APP else Skip(Reason.NO_PROVIDER)


def suppressed(case: Case) -> Decision | None:
    if case.channel == Channel.IN_APP or addressed(case):
        return None
    return Skip(Reason.SUPPRESSED)


def switched_off(case: Case) -> Decision | None:
    switch = deciding_switch(case.person.switches, case.wish.event_type, case.wish.category, case.channel)
    if switch is None or switch.is_on:
        return None
    return Skip(Reason.CHANNEL_OFF if switch.topic == "*" else Reason.TOPIC_OFF)


def channel_not_allowed(case: Case) -> Decision | None:
    if case.channel == Channel.SMS and case.wish.priority == Priority.LOW:
        return Skip(Reason.CHANNEL_NOT_ALLOWED)
    return None


def duplicate(case: Case) -> Decision | None:
    return Skip(Reason.DUPLICATE) if case.is_duplicate else None


RULES: tuple[Rule, ...] = (
    expired,
    unknown_recipient,
    blocked_recipient,
    not_a_guest,
    no_content,
    no_endpoint,
    suppressed,
    switched_off,
    channel_not_allowed,
    no_provider,
    duplicate,
)
BYPASSED: frozenset[Rule] = frozenset({switched_off, channel_not_allowed})


def usable(case: Case) -> list[Endpoint]:
    """The channel's verified, active endpoints, newest first."""
    found = [e for e in case.person.endpoints if e.channel == case.channel and e.is_verified and not e.is_retired]
    return sorted(found, key=lambda e: e.id, reverse=True)


def addressed(case: Case) -> list[Endpoint]:
    """Where it goes: every device for push, the newest address otherwise; none that is suppressed."""
    found = [e for e in usable(case) if e.id not in case.person.suppressed]
    return found if case.channel in EVERY_DEVICE else found[:1]


def deciding_switch(switches: Iterable[Switch], event_type: str, category: str, channel: Channel) -> Switch | None:
    """The most specific preference that applies: exact event type, then the longest pattern `a.b.*`, then the category,
    then `*`; at the same topic a named channel beats `*`. None: the default, on."""

    def rank(switch: Switch) -> tuple[int, int, int] | None:
        if switch.channel not in (channel, "*"):
            return None
        named = int(switch.channel == channel)
        topic = switch.topic
        if topic == event_type and event_type:
            return (3, 0, named)
        if topic.endswith(".*") and event_type.startswith(topic[:-1]):
            return (2, len(topic), named)
        if topic == f"category:{category}":
            return (1, 0, named)
        return (0, 0, named) if topic == "*" else None

    ranked = [(place, switch) for switch in switches if (place := rank(switch)) is not None]
    return max(ranked, key=lambda item: item[0])[1] if ranked else None
