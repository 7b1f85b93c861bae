"""What follows from a settlement: for the address, for a delivery in doubt, for the next channel; and from a notification that is over,
for its secrets."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction

from apps.audience import selectors as audience
from apps.audience import services as audience_services
from apps.core import clock
from apps.core.enums import Category, DeliveryStatus, Reason, SuppressionReason, WorkKind
from apps.core.rows import atomic
from apps.core.types import Account, NewSuppression, NotificationFacts, Work
from apps.dispatch import capping, doubt
from apps.dispatch.facts import Facts
from apps.dispatch.fallback import GaveUp, fall_back
from apps.ledger.sending_results import Settlement, settle
from apps.ledger.sensitive import erase_where_over
from apps.preferences import services as preferences
from apps.routing.chains import has_given_up
from apps.routing.retrying import Step

_CALLS = frozenset({WorkKind.SEND, WorkKind.RESEND})
_UNSENT = frozenset({DeliveryStatus.HELD, DeliveryStatus.SKIPPED, DeliveryStatus.EXPIRED, DeliveryStatus.FAILED})


def settle_and_follow(settlements: Sequence[Settlement]) -> None:
    """Settlements of one lane that no provider spoke for."""
    if settlements:
        with atomic():
            follow(settlements, settle(settlements))


def follow(settlements: Sequence[Settlement], mine: Collection[UUID]) -> None:
    """In the transaction that settled them: plans for what is in doubt now, turns for the channels after those that gave up.
    `mine`: whose work was still ours. Costs nothing where all is well."""
    doubt.plan([s.work for s in settlements if s.status == DeliveryStatus.UNKNOWN and s.work.id in mine])
    _give_back([s.work for s in settlements if s.work.id in mine and _may_have_a_place(s)])
    fall_back(
        [
            GaveUp(s.work.notification_id, s.work.id, s.work.channel, s.reason or "")
            for s in settlements
            if s.work.kind in _CALLS and s.work.channel and s.status and has_given_up(s.status, s.reason or "")
        ]
    )


def _may_have_a_place(s: Settlement) -> bool:
    """What a cap refused has none; critical takes none."""
    is_unsent = s.work.kind in _CALLS and s.status in _UNSENT and s.reason != Reason.FREQUENCY_CAP
    return is_unsent and s.work.lane != Category.CRITICAL


def _give_back(works: Sequence[Work]) -> None:
    """Once it is certain that they are not sent: a place that is taken away too late is only one too few."""
    if works:
        ids, tenant_ids = [work.id for work in works], {work.tenant_id for work in works}
        transaction.on_commit(partial(capping.give_back, ids, tenant_ids), robust=True)


def apply(results: Sequence[Settlement], steps: Sequence[tuple[UUID | None, Step]], account: Account) -> None:
    """Retires addresses that do not exist, suppresses those that opted out."""
    dead = {
        endpoint_id: result.outcome.dead_since if result.outcome else None
        for result, (endpoint_id, step) in zip(results, steps, strict=True)
        if step.retires_endpoint and endpoint_id
    }
    if dead:
        audience_services.retire_endpoints(dead=dead, reason=Reason.INVALID_ADDRESS, now=clock.now())
    vetoed = {
        endpoint_id: result.work.tenant_id
        for result, (endpoint_id, step) in zip(results, steps, strict=True)
        if step.suppresses and endpoint_id
    }
    if vetoed:
        preferences.suppress(
            [
                NewSuppression(
                    tenant_id=vetoed[endpoint.id],
                    channel=endpoint.channel,
                    address_hash=endpoint.address_hash,
                    masked=endpoint.masked,
                    reason=SuppressionReason.OPTED_OUT,
                    source=account.key,
                )
                for endpoint in audience.endpoints(list(vetoed)).values()
            ]
        )


def erase_sensitive(notifications: Iterable[NotificationFacts], facts: Facts) -> None:
    """Codes and the like go as soon as nothing of the notification is left to send."""
    erase_where_over(
        {
            n.id: event_type.sensitive_keys
            for n in notifications
            if (event_type := facts.event_type(n)) and event_type.sensitive_keys
        }
    )
