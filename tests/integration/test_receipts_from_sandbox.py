"""The whole way round: a message to the sandbox, its receipt at our door, the delivery's status."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from django.conf import settings

from apps.channels import selectors as channels
from apps.channels.registry import provider
from apps.channels.selectors import sandbox_account
from apps.core import ids
from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import OutboundMessage
from apps.preferences.models import Suppression
from apps.receipts import services, views
from apps.receipts.models import ReceiptCall
from tests.integration.receipts_cast import Sent, sent
from tests.integration.sandbox_process import sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(views.ringer, "ask", lambda *queues: None)
    channels.forget_cached()
    yield
    channels.forget_cached()


def message(one: Sent, address: str) -> OutboundMessage:
    delivery = ids.show(ids.DELIVERY, one.delivery)
    content = {"subject": "Your order", "text": "It is on its way."}
    return OutboundMessage(
        one.reference, delivery, "acme", Channel.EMAIL, Category.TRANSACTIONAL, address, "", "", content
    )


def wait_for_calls() -> None:
    ends = monotonic() + 10
    while not ReceiptCall.objects.exists() and monotonic() < ends:
        sleep(0.05)
    sleep(0.2)


def test_what_the_sandbox_does_ends_in_the_ledger(live_server: Any, tmp_path: Path) -> None:
    words = {"rosa": "delivered", "bea": "bounce", "otto": "complaint", "mira": "ambiguous", "carl": "timeout"}
    people = {user: sent(user) for user in words}
    messages = [message(one, f"{words[user]}@simulator.test") for user, one in people.items()]
    with sandbox(tmp_path, receipts_after=0.1, door=live_server.url, secret=settings.SANDBOX_SECRET) as url:
        account = replace(sandbox_account(Channel.EMAIL), base_url=url)
        calls = provider("sandbox").split(account, messages)
        outcomes = {
            m.address.partition("@")[0]: outcome.kind
            for call in calls
            for m, outcome in zip(call, provider("sandbox").send(account, call, deadline=5), strict=True)
        }
        wait_for_calls()
        services.apply_due(ends=monotonic() + 5)
        sleep(0.3)
        services.apply_due(ends=monotonic() + 5)
    assert outcomes == {
        "delivered": OutcomeKind.ACCEPTED,
        "bounce": OutcomeKind.ACCEPTED,
        "complaint": OutcomeKind.ACCEPTED,
        "ambiguous": OutcomeKind.AMBIGUOUS,
        "timeout": OutcomeKind.AMBIGUOUS,
    }
    assert {user: one.status for user, one in people.items()} == {
        "rosa": "delivered",
        "bea": "bounced",
        "otto": "delivered",
        "mira": "delivered",
        "carl": "sent",
    }
    acme = people["bea"].tenant
    assert {(bytes(row.address_hash), row.reason) for row in Suppression.objects.of(acme)} == {
        (people["bea"].address_hash, "hard_bounce"),
        (people["otto"].address_hash, "complaint"),
    }
    assert ReceiptCall.objects.filter(applied_at=None).count() == 0
