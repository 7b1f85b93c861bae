"""Send a batch of one channel: judge again, render, then per provider call: intent, one request, settlement."""

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

from django.conf import settings

from apps.channels import registry
from apps.channels import selectors as channels
from apps.core import clock, ids
from apps.core.enums import Channel, DeliveryStatus, OutcomeKind, Reason
from apps.core.types import Account, NotificationFacts, OutboundMessage, Outcome, Rendered, Work
from apps.dispatch import follow_ups
from apps.dispatch.facts import Facts, load
from apps.dispatch.in_app import deliver_in_app
from apps.dispatch.messages import outbound, render, with_badges
from apps.dispatch.recording import record
from apps.ledger import selectors as ledger
from apps.ledger import work as items
from apps.ledger.sending_results import Intent, Settlement, write_intents
from apps.routing.deciding import decide
from apps.routing.decisions import Decision, Hold, Send, Skip
from apps.routing.retrying import GIVE_UP_AFTER, Progress, next_step
from apps.templates.rendering import RenderError

log = logging.getLogger(__name__)
DEADLINE = {"critical": 6.0}
DEADLINE_DEFAULT = 15.0
WITHOUT_ACCOUNT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Ready:
    """Judged, rendered, addressed; the account is chosen (None for in-app)."""

    work: Work
    notification: NotificationFacts
    attempt_id: UUID
    endpoint_id: UUID | None
    account: Account | None
    rendered: Rendered
    message: OutboundMessage


def send_batch(works: Sequence[Work], ends: float) -> None:
    """Sends claimed work of one queue. What does not fit before `ends` (monotonic seconds) is given back unharmed."""
    now = clock.now()
    notifications = ledger.notifications(list({w.notification_id for w in works}))
    endpoints = ledger.endpoints_of_deliveries([w.id for w in works])
    facts = load(notifications.values(), works[0].channel)
    ready: list[Ready] = []
    settled: list[Settlement] = []
    for work in works:
        notification = notifications.get(work.notification_id)
        if notification is None:
            settled.append(Settlement(work, status=DeliveryStatus.FAILED, reason=Reason.INTERNAL_ERROR, is_dead=True))
            continue
        prepared = _prepare(work, notification, endpoints.get(work.id), facts, now)
        (ready if isinstance(prepared, Ready) else settled).append(prepared)  # type: ignore[arg-type]
    follow_ups.settle_and_follow(settled)
    if works[0].channel == Channel.IN_APP:
        deliver_in_app([(r.work, r.notification, r.rendered) for r in ready])
    else:
        messages = with_badges([(r.notification.recipient_id, r.message) for r in ready])
        _send([replace(r, message=message) for r, message in zip(ready, messages, strict=True)], ends)
    follow_ups.erase_sensitive(notifications.values(), facts)


def _prepare(
    work: Work, n: NotificationFacts, endpoint_id: UUID | None, facts: Facts, now: datetime
) -> Ready | Settlement:
    assert work.channel is not None
    decision = decide(facts.case(n, work.channel, now))
    if not isinstance(decision, Send) or endpoint_id not in decision.endpoint_ids:
        return _withheld(work, decision, now)
    accounts = () if work.channel == Channel.IN_APP else channels.accounts_for(n.tenant_id, n.mode, work.channel)
    if work.channel != Channel.IN_APP and not accounts:
        return _without_account(work, now)
    account = accounts[(work.calls - work.tries) % len(accounts)] if accounts else None
    person = facts.people[n.recipient_id]
    try:
        rendered = render(n, facts, person, work.channel)
    except RenderError as error:
        context = {"code": error.code, "detail": error.detail, "line": error.line, "column": error.column}
        reason = Reason.NO_TEMPLATE if error.code == "no_template" else Reason.TEMPLATE_ERROR
        return Settlement(work, status=DeliveryStatus.FAILED, reason=reason, is_dead=True, context=context)
    endpoint = next((e for e in person.endpoints if e.id == endpoint_id), None)
    attempt_id = ids.new()
    message = outbound(work, n, rendered, endpoint, account, ids.show(ids.ATTEMPT, attempt_id), now)
    return Ready(work, n, attempt_id, endpoint_id, account, rendered, message)


def _withheld(work: Work, decision: Decision, now: datetime) -> Settlement:
    match decision:
        case Hold(until, reason):
            return Settlement(work, status=DeliveryStatus.HELD, reason=reason, again_in=until - now)
        case Skip(Reason.EXPIRED):
            return Settlement(work, status=DeliveryStatus.EXPIRED, reason=Reason.EXPIRED)
        case Skip(reason):
            return Settlement(work, status=DeliveryStatus.SKIPPED, reason=reason)
        case _:
            return Settlement(work, status=DeliveryStatus.SKIPPED, reason=Reason.ENDPOINT_RETIRED)


def _without_account(work: Work, now: datetime) -> Settlement:
    """Every account is switched off: the message waits for an operator, a day at most."""
    if now - work.order_at > GIVE_UP_AFTER:
        return Settlement(work, status=DeliveryStatus.FAILED, reason=Reason.NO_PROVIDER, is_dead=True)
    return Settlement(work, again_in=WITHOUT_ACCOUNT)


def _send(ready: Sequence[Ready], ends: float) -> None:
    pending = list(_calls(ready))
    for place, (account, call) in enumerate(pending):
        if monotonic() > ends:
            left = [r.work for _, later in pending[place:] for r in later]
            items.release(lane=left[0].lane.value, works=left)
            return
        _call(account, call)


def _calls(ready: Sequence[Ready]) -> Iterator[tuple[Account, list[Ready]]]:
    """The provider calls that these messages take, in order."""
    by_account: dict[UUID, tuple[Account, list[Ready]]] = {}
    for r in ready:
        assert r.account is not None
        by_account.setdefault(r.account.id, (r.account, []))[1].append(r)
    for account, theirs in by_account.values():
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
    now = clock.now()
    steps = [
        next_step(
            outcome,
            Progress(r.work.lane, account.channel, r.work.tries, r.work.calls, now - r.work.order_at),
            random.random(),
        )
        for r, outcome in zip(ours, outcomes, strict=True)
    ]
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


def _outcomes(account: Account, messages: Sequence[OutboundMessage], deadline: float) -> list[Outcome]:
    """A bug in a provider file leaves the request in doubt: it may have gone out."""
    try:
        return registry.provider(account.provider).send(account, messages, deadline=deadline)
    except Exception as error:
        log.error("provider failed", extra={"account": account.key}, exc_info=error)
        return [Outcome(OutcomeKind.AMBIGUOUS, "provider_bug", type(error).__name__)] * len(messages)
