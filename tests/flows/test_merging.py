"""Two messages about one thing become one, and the service says so."""

from typing import Any

import pytest

from tests.flows.world import World


@pytest.fixture(scope="module")
def catalogue(world: World) -> None:
    base = {"name": "Flow", "category": "transactional"}
    waits = {"waits_for": ["flow.transaction_alert"], "waits_seconds": 3}
    doors = {"dedup_window_seconds": 60, "dedup_by": "object"}
    world.call("PUT", "/v1/event-types/flow.payment_received", base | waits, 201)
    world.call("PUT", "/v1/event-types/flow.transaction_alert", base, 201)
    world.call("PUT", "/v1/event-types/flow.door", base | doors, 201)


def told(world: World, user: str, event_type: str, object_id: str, **fields: Any) -> str:
    """By email, to an address of their own."""
    body = {
        "recipient": {"user_id": user, "email": f"{user}@simulator.test"},
        "event_type": event_type,
        "object_id": object_id,
        "channels": ["email"],
        "message": {"title": event_type, "body": "How are you?"},
        **fields,
    }
    return str(world.call("POST", "/v1/notifications", body, 202)["notification_id"])


@pytest.mark.usefixtures("catalogue")
def test_a_payment_and_then_its_alert_are_one_message_the_richer(world: World) -> None:
    poorer = told(world, "flow_payer", "flow.payment_received", "tx-1")
    fuller = told(world, "flow_payer", "flow.transaction_alert", "tx-1")
    alone = told(world, "flow_payer", "flow.payment_received", "tx-2")
    withheld = world.wait(poorer)
    assert (withheld["status"], withheld["reason"], withheld["merged_into"]) == ("skipped", "superseded", fuller)
    assert world.wait(fuller)["status"] == world.wait(alone)["status"] == "delivered"
    assert world.kept_for("flow_payer@simulator.test") == 2
    assert [e["text"] for e in world.timeline(fuller) if e["kind"] == "speaks_for"] == [
        f"It speaks for 1 other message: {poorer}."
    ]


@pytest.mark.usefixtures("catalogue")
def test_two_events_that_are_nearly_the_same_are_one_message(world: World) -> None:
    first = told(world, "flow_door", "flow.door", "front", data={"at": "12:00:01"})
    assert world.wait(first)["status"] == "delivered"
    second = world.wait(told(world, "flow_door", "flow.door", "front", data={"at": "12:00:02"}))
    assert (second["status"], second["reason"], second["merged_into"]) == ("skipped", "duplicate", first)
    assert world.kept_for("flow_door@simulator.test") == 1


@pytest.mark.usefixtures("catalogue")
def test_it_is_explained_what_stands_in_the_way(world: World) -> None:
    world.call("PUT", "/v1/users/flow_asked", {"email": "flow_asked@simulator.test"}, 201)
    where = "/v1/explain?user_id=flow_asked&event_type=flow.door&channels=email,sms&object_id=back"
    before = {one["channel"]: one for one in world.call("GET", where)["channels"]}
    assert (before["email"]["decision"], before["email"]["rule"]) == ("send", None)
    assert (before["sms"]["decision"], before["sms"]["rule"]) == ("skip", "no_endpoint")
    assert [change["code"] for change in before["sms"]["changes"]] == ["add_address"]
    assert world.wait(told(world, "flow_asked", "flow.door", "back"))["status"] == "delivered"
    after = {one["channel"]: one for one in world.call("GET", where)["channels"]}
    assert (after["email"]["rule"], after["email"]["text"]) == (
        "duplicate",
        "Email would be withheld: The same content was sent to this recipient a moment ago.",
    )
