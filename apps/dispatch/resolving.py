"""Doubts whose time has come: look whether they are over, ask the provider, then send once more, move on, or leave them.

Nothing is held while a provider is asked but the lease. What is sent once more goes the way of any send: judged again, intent before
the call; a receipt that comes before the intent takes the work away, so there is nothing left to send.
"""

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from uuid import UUID

from msgspec import structs

from apps.channels import registry
from apps.channels.deadlines import Deadline
from apps.core import clock, ids
from apps.core.enums import DeliveryStatus, DoubtMove, EventKind, Reason, WorkKind
from apps.core.rows import atomic
from apps.core.types import Account, EventType, NotificationFacts, OutboundMessage, Rendered, Work
from apps.dispatch.doubt import accounts, doubt_of
from apps.dispatch.facts import Facts, load
from apps.dispatch.fallback import GaveUp, erase_codes, event_types, fall_back
from apps.dispatch.messages import outbound, render
from apps.dispatch.send_batch import send_batch
from apps.ledger import selectors as ledger
from apps.ledger.doubts import Doubtful, Ending, Planned, doubtful, end_doubts, lock_unknown, note_missing, postpone
from apps.routing.chains import DOUBTED
from apps.routing.doubting import LEAVE, Plan, is_too_late, next_plan
from apps.templates.rendering import RenderError

log = logging.getLogger(__name__)
ASKED_AT_ONCE = 8
ASKED_A_TURN = 16
SECONDS_TO_ASK = 5.0
NOTHING = Rendered({}, "", None, 0, 0)


@dataclass(frozen=True, slots=True)
class Open:
    """A doubt that is not over, with what is known about it."""

    work: Work
    state: Doubtful
    kind: EventType | None
    account: Account | None


def resolve_doubts(works: Sequence[Work], ends: float) -> None:
    """Claimed doubts of one queue, and second sends of theirs that came back."""
    known = doubtful([w.id for w in works])
    is_open = {w.id for w in works if w.id in known and known[w.id].status == DeliveryStatus.UNKNOWN}
    kinds = event_types({w.notification_id for w in works})
    through = accounts(known, [w for w in works if w.id in is_open])
    doubts = [Open(w, known[w.id], kinds.get(w.notification_id), through[w.id]) for w in works if w.id in is_open]
    end_doubts([Ending(w) for w in works if w.id not in is_open])

    plans = {d.work.id: _plan(d) for d in doubts}
    asked = list(islice((d for d in doubts if plans[d.work.id] == ASK), ASKED_A_TURN))
    answers = _ask(asked)
    _take_answers(asked, answers)
    plans |= {d.work.id: _plan_after(d, answers[d.work.id]) for d in asked if not answers[d.work.id]}
    settled = {id_ for id_, answer in answers.items() if answer}
    left = [d for d in doubts if d.work.id not in settled]

    moved_on = _move_on([d for d in left if plans[d.work.id] == MOVE_ON])
    for doubt in left:
        if plans[doubt.work.id] == MOVE_ON and doubt.work.id not in moved_on:
            plans[doubt.work.id] = _plan(doubt, may_move_on=False)
    end_doubts([Ending(d.work, EventKind.LEFT_IN_DOUBT) for d in left if plans[d.work.id].move == DoubtMove.LEAVE])
    postpone([Planned(d.work, p.move, p.wait) for d in left if (p := plans[d.work.id]).wait or p == ASK])
    if again := [structs.replace(d.work, kind=WorkKind.RESEND) for d in left if plans[d.work.id] == SEND]:
        send_batch(again, ends)
    erase_codes(kinds, {w.notification_id for w in works})


ASK, SEND, MOVE_ON = Plan(DoubtMove.LOOK_UP), Plan(DoubtMove.RESEND), Plan(DoubtMove.NEXT_CHANNEL)


def _plan(doubt: Open, *, may_move_on: bool = True) -> Plan:
    if doubt.work.kind == WorkKind.RESEND:
        return LEAVE if is_too_late((clock.now() - doubt.work.order_at).total_seconds()) else SEND
    return next_plan(doubt_of(doubt.work, doubt.kind, doubt.account, clock.now(), may_move_on=may_move_on))


def _plan_after(doubt: Open, answer: str | None) -> Plan:
    said = doubt_of(doubt.work, doubt.kind, doubt.account, clock.now(), was_asked=True, is_absent=answer == "")
    return next_plan(said)


def _ask(doubts: Sequence[Open]) -> dict[UUID, str | None]:
    """What Provider.look_up answers for each: the provider's id, "" where it has none, None where it cannot say."""
    if not doubts:
        return {}
    messages = _messages(doubts)
    running = {
        d.work.id: _askers().submit(_look_up, d, message) if (message := messages.get(d.work.id)) else None
        for d in doubts
    }
    answers = {id_: future.result() if future else None for id_, future in running.items()}
    # a provider that goes by number and time may name another message of that moment: what has its attempt already is no answer
    named = Counter(answer for answer in answers.values() if answer)
    others = ledger.known_message_ids(named)
    return {
        id_: None if answer and (answer in others or named[answer] > 1) else answer for id_, answer in answers.items()
    }


def _look_up(doubt: Open, message: OutboundMessage) -> str | None:
    account, since = doubt.account, doubt.state.started_at
    assert account is not None and since is not None
    deadline = Deadline(SECONDS_TO_ASK, account.connect_timeout, account.read_timeout)
    try:
        return registry.provider(account.provider).look_up(account, message, since, deadline)
    except Exception as error:
        log.error("look-up failed", extra={"account": account.key}, exc_info=error)
        return None


def _messages(doubts: Sequence[Open]) -> Mapping[UUID, OutboundMessage]:
    """As the provider got them; without content where that cannot be made any more. Those whose address is gone are left out."""
    notifications = ledger.notifications(list({d.work.notification_id for d in doubts}))
    facts = load(notifications.values(), doubts[0].work.channel)
    found = {}
    for d in doubts:
        n = notifications.get(d.work.notification_id)
        person = facts.people.get(n.recipient_id) if n else None
        endpoint = next((e for e in person.endpoints if e.id == d.state.endpoint_id), None) if person else None
        if n and endpoint and d.account and d.state.attempt_id and d.state.started_at:
            reference = ids.show(ids.ATTEMPT, d.state.attempt_id)
            rendered = _rendered(d.work, n, facts)
            found[d.work.id] = outbound(d.work, n, rendered, endpoint, d.account, reference, clock.now())
    return found


def _rendered(work: Work, n: NotificationFacts, facts: Facts) -> Rendered:
    assert work.channel is not None
    try:
        return render(n, facts, facts.people[n.recipient_id], work.channel, work.id)
    except RenderError:
        return NOTHING


def _take_answers(asked: Sequence[Open], answers: Mapping[UUID, str | None]) -> None:
    end_doubts(
        [
            Ending(d.work, EventKind.FOUND, d.state.account, d.state.attempt_id, answer)
            for d in asked
            if (answer := answers[d.work.id])
        ]
    )
    absent = [d for d in asked if answers[d.work.id] == ""]
    note_missing([d.work for d in absent], {d.work.id: d.state.account for d in absent})


def _move_on(doubts: Sequence[Open]) -> set[UUID]:
    """The next channel has its turn instead. The deliveries for which there is one."""
    if not doubts:
        return set()
    with atomic():
        unknown = lock_unknown([d.work.id for d in doubts])
        ours = [d for d in doubts if d.work.id in unknown and d.work.channel]
        moved = fall_back(
            [GaveUp(d.work.notification_id, d.work.id, d.work.channel, Reason.IN_DOUBT, DOUBTED) for d in ours]  # type: ignore[arg-type]
        )
        done = [d for d in ours if d.work.notification_id in moved]
        end_doubts([Ending(d.work) for d in done])
    return {d.work.id for d in done} | {d.work.id for d in doubts if d.work.id not in unknown}


@cache
def _askers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="ask")


os.register_at_fork(after_in_child=_askers.cache_clear)
