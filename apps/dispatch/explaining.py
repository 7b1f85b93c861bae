"""Would they get it, when, and what would change it: asked about a message that nobody sent, answered by the brain of those that are.

Reads what routing and sending read, at that moment, and writes nothing. What it cannot know: what else is asked for until then, and
the data of the message, so a copy of the same content is found only where the event type compares nothing but actor and object.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from apps.core import grounds, ids
from apps.core.enums import Channel, DedupBy, KeyMode, Priority
from apps.core.types import Cap, EventType, NotificationFacts
from apps.dispatch import merging
from apps.dispatch.facts import Facts, load
from apps.ledger.peeking import BundleKey, holders, open_bundles
from apps.ledger.spent import Spent, sent_units
from apps.preferences import reserving
from apps.routing import caps
from apps.routing.chains import goes_on
from apps.routing.decisions import Bundle, Hold, Send, Skip
from apps.routing.explaining import Explained, World, explain
from apps.routing.facts import Case

NAMES = {Channel.PUSH: "Push", Channel.EMAIL: "Email", Channel.SMS: "SMS", Channel.IN_APP: "In-app"}
Took = Spent | reserving.Taken


@dataclass(frozen=True, slots=True)
class Question:
    """About a message of the event type at that moment. `channels`: by default those that it would be sent on."""

    recipient_id: UUID
    event_type: EventType
    at: datetime
    channels: tuple[Channel, ...] = ()
    mode: KeyMode = KeyMode.LIVE
    actor_id: str = ""
    object_id: str = ""
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True)
class OnChannel:
    """`explained`: None for a channel that is tried only when `behind` gives up."""

    channel: Channel
    explained: Explained | None
    behind: Channel | None = None

    @property
    def word(self) -> str:
        """send, hold, bundle, skip or reserve."""
        if self.explained is None:
            return "reserve"
        return {Send: "send", Hold: "hold", Bundle: "bundle", Skip: "skip"}[type(self.explained.decision)]

    @property
    def text(self) -> str:
        name = NAMES[self.channel]
        if self.explained is None:
            return f"{name} is tried when {NAMES[self.behind].lower() if self.behind else 'another'} gives up."
        decision = self.explained.decision
        match decision:
            case Send(bypassed=None):
                return f"{name} would be sent at once."
            case Send(bypassed=bypassed, because=because):
                said = grounds.sentence(because, bypassed or "")
                return f"{name} would be sent because it is critical, although: {said}"
            case Skip(reason, because):
                return f"{name} would be withheld: {grounds.sentence(because, reason)}"
            case Hold(reason=reason, because=because) | Bundle(reason=reason, because=because):
                return f"{name} would wait: {grounds.sentence(because, reason)}"


def explain_channels(question: Question) -> tuple[OnChannel, ...]:
    """A fixed number of queries, whatever the number of channels."""
    n = _notification(question)
    facts = load([n])
    facts = merging.with_fuller(facts, [(question.at, n)])
    copies = _copies(n, question, facts)
    world = _world(n, question.at, facts)
    return tuple(_each(n, question.at, facts, copies, world))


def _each(
    n: NotificationFacts, at: datetime, facts: Facts, copies: Mapping[Channel, UUID], world: World
) -> Iterator[OnChannel]:
    def explained(channel: Channel) -> Explained:
        return explain(facts.case(n, channel, at, duplicate_of=copies.get(channel), asked_at=at), world)

    way = facts.way(n)
    for channel in way.at_once:
        yield OnChannel(channel, explained(channel))
    first: Channel | None = None
    for channel in way.chain:
        if first is not None:
            yield OnChannel(channel, None, first)
            first = channel
            continue
        found = explained(channel)
        yield OnChannel(channel, found)
        if not goes_on(found.decision):
            first = channel


def _notification(question: Question) -> NotificationFacts:
    kind = question.event_type
    return NotificationFacts(
        id=ids.new(),
        tenant_id=kind.tenant_id,
        recipient_id=question.recipient_id,
        mode=question.mode,
        category=kind.category,
        event_type=kind.key,
        template_key="",
        channels=question.channels,
        priority=question.priority,
        data={},
        # without a template its messages bring their own words
        content={} if kind.template_key else {"body": ""},
        expires_at=None,
        actor_id=question.actor_id,
        object_id=question.object_id,
        ordering_key="",
    )


def _copies(n: NotificationFacts, question: Question, facts: Facts) -> dict[Channel, UUID]:
    kind = question.event_type
    if not kind.dedup_window or kind.dedup_by != DedupBy.OBJECT or not n.object_id:
        return {}
    keys = {c: merging.content_key(n, c, kind.dedup_by) for c in (*facts.wished_channels(n), *facts.chain(n))}
    found = holders(list(keys.values()), question.at)
    return {channel: found[key] for channel, key in keys.items() if key in found}


def _world(n: NotificationFacts, at: datetime, facts: Facts) -> World:
    person = facts.people.get(n.recipient_id)
    rules = facts.rules.get(n.tenant_id)
    if person is None or rules is None:
        return World()
    bundles = open_bundles(n.recipient_id)
    taken: Sequence[Took] = ()
    if rules.caps:
        since = min(caps.begins(cap, person.zone, at) for cap in rules.caps)
        each: list[Took] = [*reserving.taken({n.recipient_id}, since), *sent_units({n.recipient_id}, since)]
        ours = [took for took in each if took.is_test == (n.mode == KeyMode.TEST)]
        taken = list({(took.notification_id, took.channel): took for took in ours}.values())
    return World(full=partial(_full, taken), open_until=partial(_open_until, bundles))


def _full(taken: Sequence[Took], case: Case) -> Cap | None:
    """The first that has no room at that moment, as far as is known now."""
    wish = case.wish
    for cap in caps.counting(case.rules.caps, wish.event_type, wish.category, case.channel):
        begins = caps.begins(cap, case.person.zone, case.now)
        count = sum(t.at >= begins and bool(caps.counting((cap,), t.event_type, t.category, t.channel)) for t in taken)
        if count >= cap.limit:
            return cap
    return None


def _open_until(bundles: Mapping[BundleKey, datetime], case: Case, decision: Bundle) -> datetime | None:
    wish = case.wish
    return bundles.get((case.channel, wish.mode, wish.category, decision.kind, decision.key))
