"""Deliveries in doubt, and chains, on top of the dispatch cast."""

from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.core import clock, ids
from apps.core.enums import Category, Channel, EventKind, OutcomeKind
from apps.core.types import Outcome, Receipt
from apps.dispatch import draining
from apps.events.models import EventType
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger.models import Attempt, Delivery, DeliveryEvent, WorkItem
from tests.integration.dispatch_cast import Carrier, endpoint, notify, person, route, tenant

SILENT = Outcome(OutcomeKind.AMBIGUOUS, "read_timeout")
ADDRESS = {Channel.EMAIL: "rosa@acme.test", Channel.SMS: "+4915112345678", Channel.PUSH: "token-1"}


@pytest.fixture(autouse=True)
def quiet(rung: list[str], carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever imports it: no bell is published, the carrier takes all, and the connection stays the test's own."""
    forget_event_types()
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)


def event_type(key: str = "login.code", **fields: Any) -> None:
    EventType.objects.create(tenant_id=tenant(), key=key, name=key, **{"category": "critical"} | fields)


def reached(*channels: Channel) -> UUID:
    """Rosa, with an address on each."""
    rosa = person()
    for channel in channels:
        endpoint(rosa, channel, ADDRESS[channel])
    return rosa


def routed(category: Category, channel: Channel, **wish: Any) -> UUID:
    """One delivery to Rosa, decided and waiting to be sent."""
    rosa = reached(channel)
    notify([rosa], category=category, channels=[channel], **wish)
    route(category)
    return Delivery.objects.of(tenant()).get(channel=channel).id


def in_doubt(carrier: Carrier, category: Category, channel: Channel, *then: Outcome, **wish: Any) -> UUID:
    """One delivery to Rosa of which nobody knows what became: the provider does not answer, and says `then` the next times."""
    id_ = routed(category, channel, **wish)
    carrier.says = [SILENT, *then]
    drained(category, channel)
    return id_


def drained(category: Category, channel: Channel | None = None) -> int:
    """What is due: of the channel, or the lane's routing."""
    return draining.drain(f"send.{category}.{channel}" if channel else f"route.{category}")


def later(seconds: float) -> None:
    """As if so much time had passed for all open work."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_work_item SET due_at = due_at - %s, order_at = order_at - %s",
            [timedelta(seconds=seconds), timedelta(seconds=seconds)],
        )


def every_hour(category: Category, channel: Channel) -> None:
    """A quarter of an hour by minutes, a day by hours, and whatever falls due in them."""
    for seconds in (*[61] * 16, *[3600] * 24):
        later(seconds)
        drained(category, channel)
        drained(category)


def planned() -> list[tuple[str, str, int]]:
    """(kind, move, seconds from now) of all open work; those over five in steps of five, up, for the time the test itself takes."""
    rows = WorkItem.objects.all_tenants().order_by("due_at")
    return [(w.kind, w.move, _steps((w.due_at - clock.now()).total_seconds())) for w in rows]


def _steps(seconds: float) -> int:
    return -int(-seconds // 5) * 5 if seconds > 5 else round(seconds)


def told() -> list[str]:
    """The kinds of all events, in order."""
    return list(DeliveryEvent.objects.all_tenants().order_by("id").values_list("kind", flat=True))


def receipt(kind: EventKind = EventKind.DELIVERED, number: int = 1) -> Receipt:
    """Of the attempt of that number."""
    attempt = Attempt.objects.all_tenants().get(number=number)
    return Receipt(f"{kind}-{number}", kind, clock.now(), reference=ids.show(ids.ATTEMPT, attempt.id))


def until(seconds: float) -> float:
    return monotonic() + seconds
