"""Who routed the lone message of somebody who has little sends it, too, without a bell; for all others it rings."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from apps.core.enums import Channel
from apps.core.types import Work
from apps.dispatch import bells, draining
from apps.dispatch.shares import shares
from apps.ledger.models import WorkItem
from tests.integration.dispatch_cast import Carrier, endpoint, left, notify, people, person, states
from tests.integration.dispatch_cast import carrier as carrier  # a fixture

pytestmark = pytest.mark.django_db
ROUTE, EMAIL = "route.transactional", "send.transactional.email"


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was rung for: those who have few, or those who have many."""
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr(bells, "ring", lambda *queues: rung.extend(("few", queue) for queue in queues))
    monkeypatch.setattr(bells, "ring_on", lambda *queues: rung.extend(("many", queue) for queue in queues))
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)
    monkeypatch.setattr(draining, "LOOK_SECONDS", 0.0)
    return rung


def test_who_routed_it_sends_it_at_once(
    carrier: Carrier, heard: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_by_then: list[int] = []
    monkeypatch.setattr(draining, "sleep", lambda _: sent_by_then.append(len(carrier.messages)))
    notify(people(3))
    heard.clear()
    assert draining.drain(bells.beside(ROUTE)) == 6
    assert sent_by_then == [3]
    assert (len(carrier.messages), states(), left(), heard) == (3, [("email", "sent", "")] * 3, [], [])


def test_of_several_channels_it_sends_one_and_rings_for_the_others(
    carrier: Carrier, heard: list[tuple[str, str]]
) -> None:
    rosa = person()
    endpoint(rosa)
    endpoint(rosa, Channel.PUSH, "token", platform="ios")
    notify([rosa], channels=[Channel.PUSH, Channel.EMAIL, Channel.IN_APP])
    heard.clear()
    assert draining.drain(bells.beside(ROUTE)) == 2
    assert [message.channel for message in carrier.messages] == ["push"]
    assert heard == [("few", EMAIL), ("few", "send.transactional.in_app")]
    assert [queue for queue, _ in left()] == [EMAIL, "send.transactional.in_app"]


def test_what_is_withheld_rings_for_nobody(carrier: Carrier, heard: list[tuple[str, str]]) -> None:
    notify([person()])
    heard.clear()
    assert draining.drain(bells.beside(ROUTE)) == 1
    assert (carrier.messages, heard) == ([], [])


def test_nobody_waits_for_a_routing_that_is_sending(
    carrier: Carrier, heard: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is routed meanwhile finds the way free, and its message is seen by who is sending."""
    (first, second) = people(2)
    notify([first])
    send = draining.send_batch

    def then_more(works: Sequence[Work], ends: float) -> None:
        if not carrier.messages:
            notify([second])
            assert draining.drain(bells.beside(ROUTE)) == 1
        send(works, ends)

    monkeypatch.setattr(draining, "send_batch", then_more)
    heard.clear()
    assert draining.drain(bells.beside(ROUTE)) == 3
    assert (len(carrier.messages), left()) == (2, [])
    assert heard == [("many", EMAIL)]


def test_what_others_send_meanwhile_is_rung_for(carrier: Carrier, heard: list[tuple[str, str]]) -> None:
    notify(people(1))
    heard.clear()
    shares.enter(bells.beside(EMAIL), 1)
    try:
        assert draining.drain(bells.beside(ROUTE)) == 1
    finally:
        assert shares.leave(bells.beside(EMAIL))
    assert (carrier.messages, [queue for queue, _ in left()], heard) == ([], [EMAIL], [("many", EMAIL)])


def test_who_came_to_have_much_is_left_to_the_lane(carrier: Carrier, heard: list[tuple[str, str]]) -> None:
    """Ten wait to be sent: with the one that was routed it is not little any more."""
    first, *others = people(11)
    notify(others)
    assert draining.drain(ROUTE) == 10
    notify([first])
    heard.clear()
    assert draining.drain(bells.beside(ROUTE)) == 1
    assert (carrier.messages, len(left()), heard) == ([], 11, [("many", EMAIL)])


@pytest.mark.parametrize(("due", "rung_for"), [([], ["many"]), ([-0.1], ["many", "few"]), ([-60], ["few", "many"])])
def test_a_lane_rings_for_those_who_have_little_if_there_are_any(
    heard: list[tuple[str, str]], due: list[float], rung_for: list[str]
) -> None:
    notify(people(11))
    for seconds in due:
        rosa = person(slug="globex")
        endpoint(rosa, slug="globex")
        (n,) = notify([rosa], slug="globex")
        WorkItem.objects.all_tenants().filter(notification_id=n).update(due_at=Now() + timedelta(seconds=seconds))
    heard.clear()
    assert draining.drain(ROUTE) == 11 + len(due)
    assert heard == [(who, EMAIL) for who in rung_for]
