"""Send a batch of one channel: judge again, render, choose accounts, then per provider call: intent, one request, settlement."""

import logging
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from time import monotonic

from django.conf import settings
from msgspec import structs

from apps.channels import alerts, health, registry
from apps.channels.breaking import number, tally
from apps.core import clock
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome, Work
from apps.dispatch import follow_ups, merging
from apps.dispatch.accounts import choose
from apps.dispatch.facts import load
from apps.dispatch.gate import pass_gate
from apps.dispatch.in_app import deliver_in_app
from apps.dispatch.messages import with_badges
from apps.dispatch.preparing import Prepared, Ready, address, prepare
from apps.dispatch.recording import record
from apps.ledger import selectors as ledger
from apps.ledger import work as items
from apps.ledger.sending_results import Intent, Settlement, write_intents
from apps.routing.retrying import Progress, Step, next_step

log = logging.getLogger(__name__)
DEADLINE = {"critical": 6.0}
DEADLINE_DEFAULT = 15.0
# what was judged longer ago is judged again before it is sent: a no does not wait for the end of a slow batch
FRESH_SECONDS = 3.0


def send_batch(works: Sequence[Work], ends: float) -> None:
    """Sends claimed work of one queue. What does not fit before `ends` (monotonic seconds), or into FRESH_SECONDS, is given back
    unharmed."""
    now, judged_at = clock.now(), monotonic()
    notifications = ledger.notifications(list({w.notification_id for w in works}))
    gated = ledger.gated([w.id for w in works])
    facts = load(notifications.values(), works[0].channel)
    known = [(w.order_at, notifications[w.notification_id]) for w in works if w.notification_id in notifications]
    facts = merging.with_fuller(facts, known)
    passed, settled = pass_gate(works, notifications, gated, facts, now)
    found = prepare(passed, facts, now)
    prepared = [one for one in found if isinstance(one, Prepared)]
    settled += [one for one in found if isinstance(one, Settlement)]
    if works[0].channel == Channel.IN_APP:
        follow_ups.settle_and_follow(settled)
        deliver_in_app([(one.work, one.notification, one.rendered) for one in prepared], facts)
    else:
        choices = choose([one.wanted for one in prepared])
        addressed = [address(one, choice, now) for one, choice in zip(prepared, choices, strict=True)]
        follow_ups.settle_and_follow(settled + [one for one in addressed if isinstance(one, Settlement)])
        _send([one for one in addressed if isinstance(one, Ready)], ends, judged_at + FRESH_SECONDS)
    follow_ups.erase_sensitive(notifications.values(), facts)


def _send(ready: Sequence[Ready], ends: float, stale: float) -> None:
    """`stale`: when what was judged is not fresh any more, in monotonic seconds; one call is made all the same, or nothing ever would
    where judging is slow."""
    messages = with_badges([(r.notification.recipient_id, r.message) for r in ready])
    pending = list(_calls([structs.replace(r, message=message) for r, message in zip(ready, messages, strict=True)]))
    given_back: list[Work] = []
    is_begun = False
    for account, call in pending:
        is_over = monotonic() > (min(ends, stale) if is_begun else ends)
        if is_over or not (call[0].is_probe or health.may_call(account)):
            given_back += [r.work for r in call]
        else:
            is_begun = True
            _call(account, call)
    if given_back:
        items.release(lane=given_back[0].lane.value, works=given_back)


def _calls(ready: Sequence[Ready]) -> Iterator[tuple[Account, list[Ready]]]:
    """The provider calls that these messages take, in order; a probe is one of its own, and first."""
    together: dict[str, tuple[Account, list[Ready]]] = {}
    for r in ready:
        if r.is_probe:
            yield r.account, [r]
        else:
            together.setdefault(r.account.key, (r.account, []))[1].append(r)
    for account, theirs in together.values():
        by_reference = {r.message.reference: r for r in theirs}
        for messages in registry.provider(account.provider).split(account, [r.message for r in theirs]):
            yield account, [by_reference[message.reference] for message in messages]


def _call(account: Account, call: Sequence[Ready]) -> None:
    deadline = DEADLINE.get(call[0].work.lane.value, DEADLINE_DEFAULT)
    intents = [Intent(r.work, r.attempt_id, account.key, r.rendered) for r in call]
    mine = write_intents(intents, lease=timedelta(seconds=deadline + settings.LEASE_SECONDS / 2))
    ours = [r for r in call if r.work.id in mine]
    if not ours:
        return
    outcomes = _outcomes(account, [r.message for r in ours], deadline)
    changed = _note(account, ours, outcomes)
    steps = [_step(account, r, outcome) for r, outcome in zip(ours, outcomes, strict=True)]
    results = [
        Settlement(
            work=r.work,
            attempt_id=r.attempt_id,
            outcome=outcome,
            account=account.key,
            status=step.status,
            reason=step.reason,
            again_in=step.again_in,
            is_burned=step.is_burned,
            is_dead=step.is_dead,
            context={"kind": outcome.kind, "code": outcome.code, "detail": outcome.detail} if step.is_dead else {},
        )
        for r, outcome, step in zip(ours, outcomes, steps, strict=True)
    ]
    record(results, [(r.endpoint_id, step) for r, step in zip(ours, steps, strict=True)], account)
    alerts.note_change(account, changed)


def _outcomes(account: Account, messages: Sequence[OutboundMessage], deadline: float) -> list[Outcome]:
    """A bug in a provider file leaves the request in doubt: it may have gone out."""
    try:
        return registry.provider(account.provider).send(
            account,
            messages,
            deadline=deadline,
            on_wait=partial(health.told_to_wait, account),
            asked_wait=partial(health.asked_wait, account),
        )
    except Exception as error:
        log.error("provider failed", extra={"account": account.key}, exc_info=error)
        return [Outcome(OutcomeKind.AMBIGUOUS, "provider_bug", type(error).__name__)] * len(messages)


def _note(account: Account, call: Sequence[Ready], outcomes: Sequence[Outcome]) -> str:
    """Before the results are recorded: that may take a while, and others should know at once."""
    provider = registry.provider(account.provider)
    what = tally(
        outcomes,
        firsts=sum(not r.work.calls for r in call),
        batch=provider.batch(account),
        slow_seconds=number(account.settings, "slow_seconds"),
        alone=provider.throttled_alone,
    )
    return health.note(account, what, is_probe=call[0].is_probe)


def _step(account: Account, r: Ready, outcome: Outcome) -> Step:
    progress = Progress(
        lane=r.work.lane,
        channel=account.channel,
        tries=r.work.tries,
        calls=r.work.calls,
        age=clock.now() - r.work.order_at,
        has_other=r.has_other,
        is_soft=outcome.code in registry.provider(account.provider).soft_config,
    )
    return next_step(outcome, progress, random.random())
