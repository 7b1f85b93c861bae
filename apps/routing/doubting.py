"""What becomes of a delivery in doubt: a pure function of a table, of what can still be learnt, and of the seconds since.

A second copy is sent only where it does less harm than none: a code or an alert may come twice, a collapse id or a Message-ID lets
the second one take the place of the first, an offer is never repeated. Once at most, and nothing after the expiry.
"""

from dataclasses import dataclass

from apps.core.enums import Category, Channel, DoubtMove, ResendInDoubt

_AGAIN, _NOT = DoubtMove.RESEND, DoubtMove.LEAVE
LATEST = 1_800.0
"""Seconds after which nothing is sent again, whatever held it up: it would surprise rather than help."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All times in seconds since the doubt began. `ask_at`: when a provider that can be asked is asked; `absent`: if it then says
    that it does not have it. `silent`: when nothing was learnt until `patience` (until `listen` where there are neither receipts
    nor answers to wait for); `once`: the same for event types that allow it. `moves_on`: the next channel of the event type's
    chain rather than this one again."""

    listen: float = 0
    patience: float = 0
    ask_at: tuple[float, ...] = ()
    absent: DoubtMove = _NOT
    silent: DoubtMove = _NOT
    once: DoubtMove = _NOT
    moves_on: bool = False


POLICIES: dict[tuple[Category, Channel | None], Policy] = {
    # somebody waits for the code: three seconds for a receipt, then again
    (Category.CRITICAL, Channel.SMS): Policy(3, 3, (3,), _AGAIN, _AGAIN, _AGAIN, moves_on=True),
    (Category.CRITICAL, None): Policy(10, 10, (10,), _AGAIN, _AGAIN, _AGAIN, moves_on=True),
    # devices show one message for one collapse id; a push that comes late is worth little
    (Category.TRANSACTIONAL, Channel.PUSH): Policy(30, 60, (30,), _AGAIN, _AGAIN, _AGAIN),
    # the same Message-ID, so a mailbox may drop the copy
    (Category.TRANSACTIONAL, Channel.EMAIL): Policy(60, 900, (30, 120, 400, 900), _AGAIN, _NOT, _AGAIN),
    # two are billed and read: never blind
    (Category.TRANSACTIONAL, Channel.SMS): Policy(60, 900, (30, 120, 400, 900), _AGAIN, _NOT, _NOT),
    (Category.TRANSACTIONAL, None): Policy(60, 900, (30, 120, 400, 900), _AGAIN, _NOT, _NOT),
    (Category.SOCIAL, Channel.PUSH): Policy(30, 60, (), _AGAIN, _AGAIN, _AGAIN),
    (Category.SOCIAL, None): Policy(),
    (Category.MARKETING, None): Policy(),
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """`age`: seconds since the doubt began; `expires_in`: seconds (None: never). `was_asked`: the provider was asked just now and could
    not say; `is_absent`: it said that it does not have it. `has_next`: a channel follows in the event type's chain. `is_resent`: the
    attempt in doubt was the second one already."""

    category: Category
    channel: Channel
    setting: ResendInDoubt = ResendInDoubt.DEFAULT
    has_receipts: bool = False
    has_look_up: bool = False
    has_next: bool = False
    is_resent: bool = False
    was_asked: bool = False
    is_absent: bool = False
    age: float = 0.0
    expires_in: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`move` after `wait` seconds."""

    move: DoubtMove
    wait: float = 0.0


LEAVE = Plan(DoubtMove.LEAVE)


def policy(category: Category, channel: Channel) -> Policy:
    return POLICIES.get((category, channel)) or POLICIES[category, None]


def next_plan(doubt: Doubt) -> Plan:
    """What is done next, and when: at once where `wait` is 0."""
    rule = policy(doubt.category, doubt.channel)
    if doubt.is_resent or is_too_late(doubt.age):
        return LEAVE
    if doubt.is_absent:
        return _in_time(doubt, Plan(_stricter(doubt, rule.absent)))
    if doubt.has_look_up:
        if later := [at for at in rule.ask_at if at > doubt.age]:
            is_due = not doubt.was_asked and doubt.age >= rule.ask_at[0]
            return Plan(DoubtMove.LOOK_UP, 0.0 if is_due else later[0] - doubt.age)
        if rule.ask_at and not doubt.was_asked:
            return Plan(DoubtMove.LOOK_UP)
    move = _when_silent(doubt, rule)
    until = rule.patience if doubt.has_receipts or doubt.has_look_up else rule.listen
    return LEAVE if move == DoubtMove.LEAVE else _in_time(doubt, Plan(move, max(0.0, until - doubt.age)))


def is_too_late(age: float) -> bool:
    return age > LATEST


def _when_silent(doubt: Doubt, rule: Policy) -> DoubtMove:
    if rule.moves_on and doubt.has_next and doubt.setting != ResendInDoubt.ONCE:
        return DoubtMove.NEXT_CHANNEL
    return rule.once if doubt.setting == ResendInDoubt.ONCE else _stricter(doubt, rule.silent)


def _stricter(doubt: Doubt, move: DoubtMove) -> DoubtMove:
    return DoubtMove.LEAVE if doubt.setting == ResendInDoubt.NEVER else move


def _in_time(doubt: Doubt, plan: Plan) -> Plan:
    return LEAVE if doubt.expires_in is not None and doubt.expires_in <= plan.wait else plan
