"""Messages planned, taken back, and not wanted; with two beats and two workers."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.world import World

AFTER = 4.0


@pytest.fixture(scope="module")
def due() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=AFTER)


@pytest.fixture(scope="module")
def planned(world: World, due: datetime) -> list[str]:
    world.call("PUT", "/v1/users/flow_rosa", {"email": "rosa+flow@simulator.test"}, 201)
    return [world.send("flow_rosa", "email", schedule_at=due.isoformat()) for _ in range(3)]


@pytest.fixture(scope="module")
def cancelled(world: World, planned: list[str], due: datetime) -> str:
    shown = world.send("flow_rosa", "email", schedule_at=due.isoformat())
    view = world.call("DELETE", f"/v1/notifications/{shown}")
    assert (view["status"], view["channels"]) == ("cancelled", [])
    return shown


def test_a_planned_message_leaves_within_a_second_of_its_time_and_once(
    world: World, planned: list[str], cancelled: str, due: datetime
) -> None:
    assert world.call("GET", f"/v1/notifications/{planned[0]}")["status"] == "scheduled"
    late = []
    for shown in planned:
        world.wait(shown, "delivered")
        [began] = [entry["at"] for entry in world.timeline(shown) if entry["kind"] == "attempt"]
        late.append((datetime.fromisoformat(began) - due).total_seconds())
        assert world.taken(shown) == 1
    assert 0 <= min(late) <= max(late) <= 1.0


def test_what_is_cancelled_before_its_time_is_never_sent(world: World, cancelled: str, due: datetime) -> None:
    time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds() + 2))
    view = world.call("GET", f"/v1/notifications/{cancelled}")
    assert (view["status"], view["channels"]) == ("cancelled", [])
    assert [entry["kind"] for entry in world.timeline(cancelled)] == ["accepted", "scheduled", "cancelled"]
    assert world.kept_for("rosa+flow@simulator.test") == 3
    assert world.call("DELETE", f"/v1/notifications/{cancelled}", status=409)["code"] == "already_final"


def test_who_switched_a_category_off_gets_none_of_it(world: World) -> None:
    world.call("PUT", "/v1/users/flow_otto", {"email": "otto+flow@simulator.test"}, 201)
    choice = {"preferences": [{"topic": "category:social", "on": False}]}
    world.call("PUT", "/v1/users/flow_otto/preferences", choice)
    withheld = world.wait(world.send("flow_otto", "email", "social"))
    assert (withheld["status"], withheld["reason"]) == ("skipped", "topic_off")
    assert withheld["reason_text"] == "The recipient switched this kind of message off."
    wanted = world.send("flow_otto", "email", "transactional")
    assert world.wait(wanted)["status"] == "delivered"
    assert world.kept_for("otto+flow@simulator.test") == 1
