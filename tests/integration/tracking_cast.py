"""Deliveries that are tracked, what apps report of them, and what is kept of it."""

from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from django.test import Client

from apps.core import clock
from apps.dispatch import bells
from apps.dispatch import tracking as tokens
from apps.ledger.models import Delivery, DeliveryEvent
from apps.receipts import api, links, tracking
from tests.integration.receipts_cast import Sent, sent

SAFARI = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"}
APPLE = {"User-Agent": "Mozilla/5.0"}
TARGET = "https://acme.test/sale?a=1&b=2"
# what is kept of it: a query may say who somebody is
PLAIN = TARGET.partition("?")[0]


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(bells, "ring", lambda *queues: None)
    for door in (links, api):
        monkeypatch.setattr(door.ringer, "ask", lambda *queues: found.extend(queues))
    return found


def mailed(user: str = "bea", *, ago: float = 60) -> Sent:
    """A mail that was sent so many seconds ago."""
    one = sent(user)
    Delivery.objects.of(one.tenant).filter(id=one.delivery).update(sent_at=clock.now() - timedelta(seconds=ago))
    return one


def pushed(user: str = "bea") -> Sent:
    one = mailed(user, ago=1)
    Delivery.objects.of(one.tenant).filter(id=one.delivery).update(channel="push")
    return one


def apply() -> None:
    assert tracking.apply_tracked(ends=monotonic() + 10)


def row(one: Sent) -> Delivery:
    return Delivery.objects.of(one.tenant).get(id=one.delivery)


def events(one: Sent) -> list[tuple[str, str, str, str]]:
    rows = DeliveryEvent.objects.of(one.tenant).filter(delivery_id=one.delivery).order_by("kind", "code", "detail")
    return list(rows.values_list("kind", "code", "detail", "source"))


def report(client: Client, *said: dict[str, Any], **headers: str) -> Any:
    return client.post("/v1/engagements", {"events": list(said)}, content_type="application/json", headers=headers)


def token_of(one: Sent) -> str:
    return tokens.engagement_token(one.delivery)
