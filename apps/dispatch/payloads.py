"""Who uses a template, and with what, as the ledger knows it: for the gate that new versions pass, and for who asks."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from apps.audience import selectors as audience
from apps.core import clock, ids
from apps.core.types import EventType, NotificationFacts, Recipient, Tenant
from apps.events import selectors as events
from apps.ledger import selectors as ledger
from apps.ledger.latest_payloads import Sender, latest_of, senders_of
from apps.ledger.sensitive import ERASED
from apps.templates.payloads import Payload
from apps.templates.usage import Use
from apps.tenants import selectors as tenants

AT_ONCE = 100
LATELY = timedelta(days=30)


def payloads(tenant: Tenant, key: str) -> Iterator[Payload]:
    """Of live messages, newest first; of test keys' where there are no others."""
    kinds = {kind.key: kind for kind in events.using_template(tenant.id, key) if kind.template_key == key}
    is_found = False
    for is_test in (False, True):
        for found in latest_of(tenant.id, key, kinds, is_test=is_test):
            for start in range(0, len(found), AT_ONCE):
                gone = dict(found[start : start + AT_ONCE])
                some = ledger.notifications(list(gone))
                people = audience.recipients({n.recipient_id for n in some.values()})
                for n in sorted(some.values(), key=lambda n: n.id, reverse=True):
                    if (recipient := people.get(n.recipient_id)) is not None:
                        is_found = True
                        yield _payload(n, recipient, kinds.get(n.event_type), is_gone=gone[n.id])
        if is_found:
            return


def _payload(n: NotificationFacts, recipient: Recipient, kind: EventType | None, *, is_gone: bool) -> Payload:
    shown = ids.show(ids.NOTIFICATION, n.id)
    return Payload(
        user=f"event {n.event_type}"
        if n.event_type
        else "a campaign"
        if n.broadcast_id
        else f"{n.source} requests by template",
        what=f"{shown} of {ids.time_of(n.id):%d %b %H:%M} UTC",
        recipient=recipient,
        data=n.data,
        event_type=n.event_type,
        object_id=n.object_id,
        channels=n.channels,
        erased=frozenset(name for name, value in n.data.items() if value == ERASED),
        sensitive=frozenset(kind.sensitive_keys if kind else ()),
        is_gone=is_gone,
    )


def uses(tenant: Tenant, key: str) -> Iterator[Use]:
    """Event types, and who sent it in the last 30 days, as far back as two seconds of reading go."""
    kinds = events.using_template(tenant.id, key)
    for kind in kinds:
        said = "its messages" if kind.template_key == key else "its summaries"
        yield Use("event_type", kind.key, f"{kind.name}: {said}")
    types = [kind.key for kind in kinds if kind.template_key == key]
    found = senders_of(tenant.id, key, types, since=ids.bound(clock.now() - LATELY))
    names = tenants.key_names(tenant, [one.api_key_id for one in found if one.api_key_id])
    for one in found:
        what = f"event {one.event_type}" if one.event_type else "by template"
        yield Use("caller", _name(one, names), what, count=one.count, last_at=one.last_at)


def _name(one: Sender, names: dict[UUID, str]) -> str:
    return names.get(one.api_key_id, "a key that is gone") if one.api_key_id else one.source
