"""A batch of many calls to a slow provider: what was judged a while ago is given back and judged again."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from apps.audience.addresses import address_hash
from apps.core.enums import Channel
from apps.core.types import OutboundMessage
from apps.dispatch import send_batch as module
from apps.ledger import work
from apps.ledger.models import WorkItem
from apps.preferences.models import Suppression
from tests.integration.dispatch_cast import Carrier, left, notify, people, route, send, states, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
QUEUE = "send.transactional.email"


@pytest.fixture
def six(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Messages to six people are routed, of which one call takes two."""
    monkeypatch.setattr(Carrier, "max_batch", 2)
    everybody = people(6)
    notify(everybody)
    route()
    return everybody


def say_no(messages: Sequence[OutboundMessage]) -> None:
    """Everybody who is not reached by this call."""
    reached = {message.address for message in messages}
    for address in {f"u{n}@acme.test" for n in range(6)} - reached:
        hashed = address_hash(tenant(), Channel.EMAIL, address)
        Suppression.objects.create(tenant_id=tenant(), channel=Channel.EMAIL, address_hash=hashed, reason="manual")


def test_who_says_no_during_the_first_call_is_in_none_of_the_later_ones(
    carrier: Carrier, six: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", -1.0)
    carrier.during = say_no
    assert send() == 6
    assert [len(call) for call in carrier.calls] == [2]
    assert left() == [(QUEUE, work.READY)] * 4
    harm = WorkItem.objects.all_tenants().values_list("expiries", "tries", "calls", "lease_until")
    assert set(harm) == {(0, 0, 0, None)}
    send()
    assert len(carrier.messages) == 2
    assert sorted(states()) == [("email", "sent", "")] * 2 + [("email", "skipped", "suppressed")] * 4


def test_a_quick_provider_gets_the_whole_batch(carrier: Carrier, six: list[UUID]) -> None:
    assert send() == len(six)
    assert [len(call) for call in carrier.calls] == [2, 2, 2]
    assert states() == [("email", "sent", "")] * 6


def test_where_judging_is_slow_there_is_a_call_all_the_same(
    carrier: Carrier, six: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", -1.0)
    turns = [send() for _ in range(3)]
    assert turns == [6, 4, 2]
    assert states() == [("email", "sent", "")] * len(six)
