"""Dropped connections and silent servers on real sockets: how many requests a provider sees for one message of each category."""

from typing import Any

import msgspec
import pytest

from apps.channels import health, selectors
from apps.channels.sandbox.wire import SandboxAnswer, SandboxBatch, SandboxResult, encode
from apps.channels.services import create_account
from apps.core.enums import Category, Channel, KeyMode
from apps.dispatch import draining
from tests.contract.scripted import Script, Scripted, Seen, answer, drop, hang, reset, scripted
from tests.integration.dispatch_cast import delivery, left, state
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.doubts_cast import drained, later, routed

pytestmark = pytest.mark.django_db
CRITICAL, TRANSACTIONAL, SOCIAL, MARKETING = Category
PUSH, EMAIL, SMS, _ = Channel
REQUESTS = {CRITICAL: 2, TRANSACTIONAL: 1, SOCIAL: 1, MARKETING: 1}


@pytest.fixture(autouse=True)
def quiet(rung: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)
    selectors.forget_cached()


def account(server: Scripted, key: str = "far", order: int = 1) -> None:
    create_account(
        key=key,
        provider="sandbox",
        channel=SMS,
        base_url=server.url,
        credentials={"secret": "s"},
        settings={"read_timeout": 0.3},
        order=order,
    )
    selectors.forget_cached()
    health.reset(key)


def days(category: Category) -> None:
    for seconds in (*[61] * 16, *[3600] * 12):
        later(seconds)
        drained(category, SMS)


def batches(server: Scripted) -> list[SandboxBatch]:
    return [msgspec.json.decode(seen.body, type=SandboxBatch) for seen in server.requests]


def accepts(seen: Seen, peer: Any) -> bool:
    batch = msgspec.json.decode(seen.body, type=SandboxBatch)
    results = [SandboxResult(m.reference, f"sbx{place}") for place, m in enumerate(batch.messages)]
    return answer(200, encode(SandboxAnswer(results)))(seen, peer)


@pytest.mark.parametrize("script", [drop, reset, hang()], ids=["dropped", "reset", "silent"])
@pytest.mark.parametrize("category", list(Category))
def test_a_server_that_reads_and_never_answers(category: Category, script: Script) -> None:
    with scripted(script) as server:
        account(server)
        id_ = routed(category, SMS, mode=KeyMode.LIVE)
        drained(category, SMS)
        days(category)
        assert (len(server.requests), state(id_), left()) == (REQUESTS[category], ("unknown", "in_doubt"), [])
        assert len({(b.messages[0].delivery, *b.messages[0].content.items()) for b in batches(server)}) == 1
        assert len({b.messages[0].reference for b in batches(server)}) == REQUESTS[category]


def test_the_second_goes_to_the_other_account_and_arrives() -> None:
    with scripted(drop) as deaf, scripted(accepts) as good:
        account(deaf, "a", 1)
        account(good, "b", 2)
        id_ = routed(CRITICAL, SMS, mode=KeyMode.LIVE)
        drained(CRITICAL, SMS)
        assert (len(deaf.requests), len(good.requests)) == (1, 0)
        later(3)
        drained(CRITICAL, SMS)
        assert (len(deaf.requests), len(good.requests)) == (1, 1)
        assert (state(id_), delivery().account, delivery().duplicate_possible) == (("sent", ""), "b", True)
        assert batches(deaf)[0].messages[0].content == batches(good)[0].messages[0].content
        assert batches(deaf)[0].messages[0].delivery == batches(good)[0].messages[0].delivery
