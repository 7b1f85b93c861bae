"""Two accounts of one channel, each of which says what it is told to."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from apps.channels import health, registry
from apps.channels.models import ProviderAccount
from apps.channels.services import create_account, update_account
from apps.core import clock, redis
from apps.core.enums import Category, Channel, KeyMode, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome
from apps.dispatch import send_batch as module
from apps.ledger.models import WorkItem
from tests.integration.dispatch_cast import Carrier, endpoint, notify, person, route

DOWN = Outcome(OutcomeKind.PROVIDER_DOWN, "503", exchange={"status": 503, "ms": 5})
OK = Outcome(OutcomeKind.ACCEPTED, provider_message_id="m", exchange={"status": 200, "ms": 5})


class Two(Carrier):
    """Each account says what it is told to, one message a request."""

    max_batch = 1
    fan_out = 10
    soft_config = frozenset({"21408"})

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[str, Outcome] = {}
        self.seen: list[tuple[str, int]] = []
        self.asked_wait: Callable[[], float] = lambda: 0.0

    def send(
        self, account: Account, messages: Sequence[OutboundMessage], *, deadline: float, **told: Any
    ) -> list[Outcome]:
        self.during(messages)
        self.asked_wait = told["asked_wait"]
        self.calls.append(list(messages))
        self.seen.append((account.key, len(messages)))
        return [self.words.get(account.key, OK)] * len(messages)

    def taken(self) -> dict[str, int]:
        """Messages by account since the last look."""
        found: dict[str, int] = {}
        for key, number in self.seen:
            found[key] = found.get(key, 0) + number
        self.seen = []
        return found


@pytest.fixture
def two(carrier: Carrier, rung: list[str], monkeypatch: pytest.MonkeyPatch) -> Two:
    taken = Two()
    monkeypatch.setitem(registry._made, "sandbox", taken)
    redis.quick().flushdb()
    for order, key in enumerate(("first", "second"), start=1):
        create_account(key=key, provider="sandbox", channel=Channel.EMAIL, order=order)
    return taken


_numbers = count(1)


def ask_for(number: int = 1, *, lane: Category = Category.TRANSACTIONAL, **wish: Any) -> None:
    """Live mails to people who got none before, decided and waiting to be sent."""
    found = [person(f"p{next(_numbers)}") for _ in range(number)]
    for one in found:
        endpoint(one)
    notify(found, mode=KeyMode.LIVE, category=lane, **wish)
    route(lane)


def make_due() -> None:
    """Well before the test's transaction began, whose time is the database's `now()`."""
    WorkItem.objects.all_tenants().update(due_at=clock.now() - timedelta(hours=1))


def set_account(key: str, **fields: Any) -> None:
    update_account(ProviderAccount.objects.get(key=key).id, **fields)


def rest_is_over(key: str) -> None:
    """As if its breaker had rested."""
    health._set(key, till=0.0, turn=0.0)


def break_down(key: str) -> None:
    account = Account(UUID(int=1), key, "sandbox", Channel.EMAIL, "", "", {})
    for _ in range(20):
        health.note(account, module.tally([DOWN], firsts=1, batch=1, slow_seconds=5))
    assert health.record(account).phase(health.now()) == "open"
