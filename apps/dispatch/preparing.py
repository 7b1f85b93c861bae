"""Before what passed the gate is sent: each message rendered, with the accounts that could take it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

import msgspec

from apps.channels import registry
from apps.channels import selectors as channels
from apps.core import ids
from apps.core.enums import Channel, DeliveryStatus, KeyMode, Reason
from apps.core.types import Account, Endpoint, NotificationFacts, OutboundMessage, Rendered, Work
from apps.dispatch.accounts import Choice, Wanted
from apps.dispatch.facts import Facts
from apps.dispatch.gate import Passed
from apps.dispatch.messages import outbound, render
from apps.ledger.sending_results import Settlement
from apps.routing.retrying import GIVE_UP_AFTER
from apps.templates.rendering import RenderError

WITHOUT_ACCOUNT = timedelta(seconds=30)
Carriers = Callable[[UUID, KeyMode, Channel, str], tuple[Account, ...]]


class Prepared(msgspec.Struct, frozen=True):
    """Rendered. `accounts`: that could take it, in order; none for in-app."""

    work: Work
    notification: NotificationFacts
    endpoint: Endpoint | None
    rendered: Rendered
    accounts: tuple[Account, ...] = ()

    @property
    def wanted(self) -> Wanted:
        is_mail = self.work.channel == Channel.EMAIL and self.endpoint is not None
        domain = self.endpoint.address.rpartition("@")[2].lower() if is_mail and self.endpoint else ""
        return Wanted(self.work, self.accounts, domain)


class Ready(msgspec.Struct, frozen=True):
    """Addressed, with the account that takes it."""

    work: Work
    notification: NotificationFacts
    attempt_id: UUID
    endpoint_id: UUID | None
    account: Account
    rendered: Rendered
    message: OutboundMessage
    is_probe: bool
    has_other: bool


def prepare(batch: Sequence[Passed], facts: Facts, now: datetime) -> list[Prepared | Settlement]:
    """Each, in order. Who could carry it is asked once for all that are alike."""
    carriers = cache(_carriers)
    return [_prepared(passed, facts, carriers, now) for passed in batch]


def _prepared(passed: Passed, facts: Facts, carriers: Carriers, now: datetime) -> Prepared | Settlement:
    work, n, endpoint_id = passed.work, passed.notification, passed.endpoint_id
    assert work.channel is not None
    person = facts.people[n.recipient_id]
    endpoint = next((e for e in person.endpoints if e.id == endpoint_id), None)
    accounts: tuple[Account, ...] = ()
    if work.channel != Channel.IN_APP:
        accounts = carriers(n.tenant_id, n.mode, work.channel, endpoint.carried_as if endpoint else "")
        if not accounts:
            return _without_account(work, n, endpoint, now)
    try:
        rendered = render(n, facts, person, work.channel, work.id)
    except RenderError as error:
        context = {"code": error.code, "detail": error.detail, "line": error.line, "column": error.column}
        if (content := None if n.is_summary else facts.content(n)) is not None:
            context |= {"template_version": str(content.version.id), "version": content.version.number}
        reason = Reason.NO_TEMPLATE if error.code == "no_template" else Reason.TEMPLATE_ERROR
        return Settlement(work, status=DeliveryStatus.FAILED, reason=reason, is_dead=True, context=context)
    return Prepared(work, n, endpoint, rendered, accounts)


def address(prepared: Prepared, choice: Choice, now: datetime) -> Ready | Settlement:
    """With the account that was chosen; or given back until one may be called, unharmed, a day at most."""
    work, account, endpoint = prepared.work, choice.account, prepared.endpoint
    if account is None:
        return _later(work, choice.wait, Reason.RETRIES_EXHAUSTED, now)
    attempt_id = ids.new()
    reference = ids.show(ids.ATTEMPT, attempt_id)
    return Ready(
        work=work,
        notification=prepared.notification,
        attempt_id=attempt_id,
        endpoint_id=endpoint.id if endpoint else None,
        account=account,
        rendered=prepared.rendered,
        message=outbound(work, prepared.notification, prepared.rendered, endpoint, account, reference, now),
        is_probe=choice.is_probe,
        has_other=choice.has_other,
    )


def _carriers(tenant_id: UUID, mode: KeyMode, channel: Channel, platform: str) -> tuple[Account, ...]:
    """The accounts that are on and reach such a device, in order."""
    accounts = channels.accounts_for(tenant_id, mode, channel)
    return tuple(account for account in accounts if registry.provider(account.provider).carries(platform, account))


def _without_account(work: Work, n: NotificationFacts, endpoint: Endpoint | None, now: datetime) -> Settlement:
    """Where every account is switched off the message waits for an operator. Where none reaches its device, on or off, it is not
    sent."""
    assert work.channel is not None
    if endpoint and not channels.has_carrier(n.tenant_id, n.mode, work.channel, endpoint.carried_as):
        return Settlement(work, status=DeliveryStatus.SKIPPED, reason=Reason.NO_PROVIDER)
    return _later(work, WITHOUT_ACCOUNT.total_seconds(), Reason.NO_PROVIDER, now)


def _later(work: Work, seconds: float, reason: Reason, now: datetime) -> Settlement:
    if now - work.order_at > GIVE_UP_AFTER:
        return Settlement(work, status=DeliveryStatus.FAILED, reason=reason, is_dead=True)
    return Settlement(work, again_in=timedelta(seconds=seconds))
