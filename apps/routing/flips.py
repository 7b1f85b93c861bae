"""For each rule: the smallest change after which it would not object, and the case as it were then. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from msgspec import structs

from apps.core.enums import Channel, EndpointKind, Priority, Reason
from apps.core.types import Endpoint, Mute, Switch
from apps.preferences.topics import ANY, speaks_of
from apps.routing.decisions import Bundle, Decision, Hold, Skip
from apps.routing.facts import Case, Stage
from apps.routing.rules import usable

CHANNEL_WORDS = {Channel.PUSH: "push", Channel.EMAIL: "email", Channel.SMS: "SMS", Channel.IN_APP: "the feed"}
_PLACES = {Channel.PUSH: "a device", Channel.EMAIL: "an email address", Channel.SMS: "a phone number"}
_NO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Flip:
    """`code`: for programs and translations; `text`: one plain sentence; `until`: of what only time does. `then`: the case after it;
    None: nothing is known to help."""

    code: str
    text: str
    then: Case | None
    until: datetime | None = None


def flip(case: Case, decision: Decision) -> Flip | None:
    """Of an answer that is not a yes; None for a yes."""
    if not isinstance(decision, Skip | Hold | Bundle):
        return None
    rule = str(decision.because.get("rule", ""))
    return _FLIPS[rule](case, decision)


def _expired(case: Case, _: Decision) -> Flip:
    return Flip("later_expiry", "Give it a later expiry time.", _wished(case, expires_at=None))


def _halted(case: Case, decision: Decision) -> Flip:
    going_on = _wished(case, halt=None)
    if isinstance(decision, Hold):
        return Flip("resume_campaign", "Somebody resumes its campaign.", going_on)
    return Flip("another_campaign", "Nothing: its campaign was ended. Another campaign may say it.", going_on)


def _unknown(_: Case, __: Decision) -> Flip:
    return Flip("create_recipient", "Create the recipient again.", None)


def _blocked(case: Case, _: Decision) -> Flip:
    recipient = case.person.recipient
    assert recipient is not None
    unblocked = structs.replace(case.person, recipient=structs.replace(recipient, is_blocked=False))
    return Flip("unblock_recipient", "Unblock the recipient.", structs.replace(case, person=unblocked))


def _actor(case: Case, _: Decision) -> Flip:
    actors = case.person.choices.blocked_actors - {case.wish.actor_id}
    text = "The recipient unblocks the person who caused it."
    return Flip("unblock_actor", text, _chosen(case, blocked_actors=actors))


def _guest(case: Case, _: Decision) -> Flip:
    text = "Put the recipient on the guest list, or send with a live key."
    return Flip("add_to_guest_list", text, structs.replace(case, person=structs.replace(case.person, is_guest=True)))


def _content(case: Case, _: Decision) -> Flip:
    text = f"Publish a template for {CHANNEL_WORDS[case.channel]}."
    return Flip("publish_template", text, structs.replace(case, has_content=True))


def _endpoint(case: Case, decision: Decision) -> Flip:
    place = _PLACES[case.channel]
    mine = [e for e in case.person.endpoints if e.channel == case.channel]
    if isinstance(decision, Skip) and decision.reason == Reason.ENDPOINT_UNVERIFIED:
        endpoints = tuple(structs.replace(e, is_verified=True) if e in mine else e for e in case.person.endpoints)
        text = f"The recipient verifies {place.replace('a ', 'the ').replace('an ', 'the ')} that is waiting for it."
        return Flip(
            "verify_address", text, structs.replace(case, person=structs.replace(case.person, endpoints=endpoints))
        )
    new = Endpoint(
        _NO_ID, _NO_ID, case.channel, EndpointKind.EMAIL, "", b"", "", "", is_verified=True, is_retired=False
    )
    added = structs.replace(case.person, endpoints=(*case.person.endpoints, new))
    text = f"Add {place}." if not mine else f"Add {place} that is in use."
    return Flip("add_address", text, structs.replace(case, person=added))


def _suppressed(case: Case, _: Decision) -> Flip:
    vetoed = {e.id for e in usable(case)}
    left = {id_: veto for id_, veto in case.person.suppressed.items() if id_ not in vetoed}
    then = structs.replace(case, person=structs.replace(case.person, suppressed=left))
    return Flip("lift_suppression", "Lift the suppression, or add another address.", then)


def _switched_off(case: Case, decision: Decision) -> Flip:
    event_type, category, channel = case.wish.event_type, case.wish.category, case.channel
    words = CHANNEL_WORDS[channel]
    because = decision.because if isinstance(decision, Skip) else {}
    if because.get("locked"):
        kept = [d for d in case.rules.defaults if not (d.is_locked and speaks_of(d, event_type, category, channel))]
        then = structs.replace(case, rules=replace(case.rules, defaults=tuple(kept)))
        topic = because.get("topic", ANY)
        return Flip("unlock_default", f"An operator unlocks the default for {topic} and lets recipients choose.", then)
    topic = event_type or f"category:{category}"
    on = Switch(topic, channel.value, is_on=True)
    others = tuple(s for s in case.person.choices.switches if (s.topic, s.channel) != (topic, channel.value))
    text = f"The recipient switches {topic} on for {words}."
    return Flip("switch_on", text, _chosen(case, switches=(*others, on)))


def _muted(case: Case, decision: Decision) -> Flip:
    because = decision.because if isinstance(decision, Skip) else {}
    until: datetime = because["until"]
    types = case.wish.parts or (case.wish.event_type,)

    def binds(mute: Mute) -> bool:
        return all(speaks_of(mute, kind, case.wish.category, case.channel) for kind in types)

    kept = tuple(mute for mute in case.person.choices.mutes if not binds(mute))
    return Flip("end_mute", "The recipient ends the mute, or it runs out.", _chosen(case, mutes=kept), until)


def _low(case: Case, _: Decision) -> Flip:
    text = "Send it with normal or high priority."
    return Flip("raise_priority", text, _wished(case, priority=Priority.NORMAL))


def _provider(case: Case, _: Decision) -> Flip:
    text = f"Set up a provider account for {CHANNEL_WORDS[case.channel]}."
    return Flip("set_up_provider", text, structs.replace(case, has_provider=True))


def _duplicate(case: Case, _: Decision) -> Flip:
    text = "Change what it says, or send it when the window for duplicates is over."
    return Flip("not_a_duplicate", text, structs.replace(case, duplicate_of=None))


def _superseded(case: Case, _: Decision) -> Flip:
    text = "Nothing needs to change: the fuller message says it. About another object it would be sent."
    return Flip("another_object", text, structs.replace(case, fuller=None))


def _seen(case: Case, _: Decision) -> Flip:
    text = "Nothing needs to change: the recipient has seen it."
    return Flip("unseen", text, structs.replace(case, seen_elsewhere=False))


def _wait(case: Case, decision: Decision) -> Flip:
    assert isinstance(decision, Hold)
    then = structs.replace(case, now=decision.until, stage=Stage.GATE)
    return Flip("wait", "Only time: it goes out by itself then.", then, decision.until)


def _capped(case: Case, _: Decision) -> Flip:
    assert case.over is not None
    text = f"Raise the cap “{case.over.name}”, or wait until it has room."
    return Flip("raise_cap", text, structs.replace(case, over=None))


def _digested(case: Case, _: Decision) -> Flip:
    topic = case.wish.event_type or f"category:{case.wish.category}"
    others = tuple(s for s in case.person.choices.switches if (s.topic, s.channel) != (topic, case.channel.value))
    single = (*others, Switch(topic, case.channel.value, is_on=True))
    then = _chosen(case, switches=single)
    kept = tuple(d if d.digest is None or not d.is_locked else replace(d, digest=None) for d in case.rules.defaults)
    text = f"The recipient asks for single messages of {topic} on {CHANNEL_WORDS[case.channel]}, not for a digest."
    return Flip("leave_digest", text, structs.replace(then, rules=replace(case.rules, defaults=kept)))


def _grouped(case: Case, _: Decision) -> Flip:
    text = "An operator ends the grouping of this event type."
    return Flip("end_grouping", text, _wished(case, grouping=None))


_FLIPS: Mapping[str, Callable[[Case, Decision], Flip]] = {
    "expired": _expired,
    "halted": _halted,
    "unknown_recipient": _unknown,
    "blocked_recipient": _blocked,
    "actor_blocked": _actor,
    "not_a_guest": _guest,
    "no_content": _content,
    "no_endpoint": _endpoint,
    "suppressed": _suppressed,
    "switched_off": _switched_off,
    "muted": _muted,
    "channel_not_allowed": _low,
    "no_provider": _provider,
    "duplicate": _duplicate,
    "superseded": _superseded,
    "seen_elsewhere": _seen,
    "awaiting_fuller": _wait,
    "in_quiet_hours": _wait,
    "capped": _capped,
    "digested": _digested,
    "grouped": _grouped,
}


def _wished(case: Case, **changes: object) -> Case:
    return structs.replace(case, wish=structs.replace(case.wish, **changes))


def _chosen(case: Case, **changes: object) -> Case:
    choices = replace(case.person.choices, **changes)  # type: ignore[arg-type]
    return structs.replace(case, person=structs.replace(case.person, choices=choices))
