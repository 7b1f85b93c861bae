"""Told once more, or for the first time: one event, a range of time, or an example. The same `webhook-id` every time."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.core import clock, ids
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.rows import fetch
from apps.webhooks.catalogue import WebhookType
from apps.webhooks.models import WebhookCall, WebhookEndpoint, WebhookEvent
from apps.webhooks.payloads import example_body

AT_ONCE = 10_000

_AGAIN = """
INSERT INTO webhooks_webhookcall AS c (id, tenant_id, endpoint_id, event_id)
SELECT uuidv7(), tenant_id, %(endpoint)s, id FROM webhooks_webhookevent WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s)
ON CONFLICT (endpoint_id, event_id) DO UPDATE SET due_at = statement_timestamp(), tries = 0 RETURNING event_id
"""
_RANGE = """
SELECT v.id FROM webhooks_webhookevent v
WHERE v.tenant_id = %(tenant)s AND v.id >= %(start)s AND v.id < %(end)s AND v.kind = ANY(%(kinds)s) AND NOT v.is_test
    AND NOT (%(only_failed)s AND EXISTS (
        SELECT FROM webhooks_webhookattempt a WHERE a.endpoint_id = %(endpoint)s AND a.event_id = v.id AND a.is_success))
ORDER BY v.id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Replayed:
    """`rest_from`: where the next request has to begin when there was more than AT_ONCE."""

    count: int
    rest_from: datetime | None = None


def replay_event(*, tenant_id: UUID, endpoint_id: UUID, event_id: UUID) -> Replayed:
    """Whether the endpoint took it before or not, and whether it asked for such events or not.

    Raises Problem: not_found, webhook_off.
    """
    with transaction.atomic():
        _events_of(tenant_id, endpoint_id)
        found = fetch(_AGAIN, {"tenant": tenant_id, "endpoint": endpoint_id, "ids": [event_id]})
    if not found:
        raise Problem(Code.NOT_FOUND, "There is no such event, or it is too old.", pointer="/event_id")
    return Replayed(1)


def replay_range(
    *, tenant_id: UUID, endpoint_id: UUID, start: datetime, end: datetime, only_failed: bool = True
) -> Replayed:
    """What happened from `start` (inclusive) to `end`, of the kinds that the endpoint asks for. `only_failed`: not what it has taken.

    Raises Problem: not_found, webhook_off.
    """
    with transaction.atomic():
        parameters = {
            "tenant": tenant_id,
            "endpoint": endpoint_id,
            "kinds": _events_of(tenant_id, endpoint_id),
            "start": ids.bound(start),
            "end": ids.bound(end),
            "only_failed": only_failed,
            "most": AT_ONCE + 1,
        }
        found = [event_id for (event_id,) in fetch(_RANGE, parameters)]
        if found:
            fetch(_AGAIN, {"tenant": tenant_id, "endpoint": endpoint_id, "ids": found[:AT_ONCE]})
    return Replayed(min(len(found), AT_ONCE), ids.time_of(found[AT_ONCE]) if len(found) > AT_ONCE else None)


def send_test(*, tenant_id: UUID, endpoint_id: UUID, kind: WebhookType) -> UUID:
    """An example of that kind, made as real ones are; the event's id. Raises Problem: not_found, webhook_off."""
    now = clock.now()
    with transaction.atomic():
        _events_of(tenant_id, endpoint_id)
        event = WebhookEvent(tenant_id=tenant_id, kind=kind, at=now, body=example_body(kind, now), is_test=True)
        event.save(force_insert=True)
        WebhookCall.objects.create(tenant_id=tenant_id, endpoint_id=endpoint_id, event_id=event.id)
    return event.id


def _events_of(tenant_id: UUID, endpoint_id: UUID) -> list[str]:
    """The endpoint is locked, so that nobody switches it off or removes it before its calls are there."""
    rows = WebhookEndpoint.objects.of(tenant_id).filter(id=endpoint_id).select_for_update(no_key=True)
    row = rows.values_list("events", "is_on").first()
    if row is None:
        raise Problem(Code.NOT_FOUND)
    if not row[1]:
        raise Problem(Code.WEBHOOK_OFF)
    return list(row[0])
