"""What the world outside can do to a message, one person each; all are sent at once and then followed."""

from typing import Any

import pytest

from tests.flows.world import World

# user, channel, category: critical tries again after 1 and 3 seconds, the others take longer
FIRST = {
    "bounce": ("u_bounce", "email", "transactional"),
    "optout": ("u_optout", "sms", "transactional"),
    "invalid": ("u_invalid", "push", "transactional"),
    "flaky": ("u_flaky", "email", "critical"),
    "throttled": ("u_throttled", "sms", "transactional"),
    "ambiguous": ("u_ambiguous", "email", "transactional"),
    "timeout": ("u_timeout", "email", "transactional"),
    "complaint": ("u_complaint", "email", "social"),
}


@pytest.fixture(scope="module")
def sent(world: World) -> dict[str, str]:
    return {word: world.send(*where) for word, where in FIRST.items()}


def why(delivery: dict[str, Any]) -> tuple[str, str | None]:
    return delivery["status"], delivery["reason"]


def outcomes(world: World, shown: str) -> list[tuple[str, str]]:
    """What happened in the calls, with the number of each attempt."""
    kinds = {"attempt", "sent", "transient", "throttled", "ambiguous", "invalid_address", "opted_out", "delivered"}
    return [
        (entry["kind"], str(entry["detail"].get("number", "")))
        for entry in world.timeline(shown)
        if entry["kind"] in kinds
    ]


def test_a_bounced_address_is_not_used_again(world: World, sent: dict[str, str]) -> None:
    assert why(world.wait(sent["bounce"], "bounced")) == ("bounced", "hard_bounce")
    second = world.send("u_bounce", "email")
    assert why(world.wait(second)) == ("skipped", "suppressed")
    assert world.kept_for("bounce@simulator.test") == 1
    [_, withheld] = world.timeline(second)
    assert "The address is suppressed after a bounce, a complaint or an opt-out (" in withheld["text"]


def test_who_opted_out_at_the_provider_is_left_alone(world: World, sent: dict[str, str]) -> None:
    assert why(world.wait(sent["optout"], "failed")) == ("failed", "opted_out")
    assert why(world.wait(world.send("u_optout", "sms"))) == ("skipped", "suppressed")
    assert world.kept_for("+15005550004") == 1
    assert world.taken(sent["optout"]) == 0


def test_an_address_that_does_not_exist_is_retired(world: World, sent: dict[str, str]) -> None:
    assert why(world.wait(sent["invalid"], "failed")) == ("failed", "invalid_address")
    endpoints = world.call("GET", "/v1/users/u_invalid")["endpoints"]
    [device] = [each for each in endpoints if each["channel"] == "push"]
    assert device["retired_reason"] == "invalid_address"
    assert why(world.wait(world.send("u_invalid", "push"))) == ("skipped", "endpoint_retired")
    assert world.kept_for("sim:invalid") == 1


def test_a_passing_fault_is_tried_again_until_it_passes(world: World, sent: dict[str, str]) -> None:
    assert why(world.wait(sent["flaky"], "delivered")) == ("delivered", None)
    assert outcomes(world, sent["flaky"]) == [
        ("attempt", "1"), ("transient", ""), ("attempt", "2"), ("transient", ""), ("attempt", "3"), ("sent", ""),
        ("delivered", ""),
    ]  # fmt: skip
    assert world.taken(sent["flaky"]) == 1


def test_a_provider_that_asks_to_wait_is_given_its_time(world: World, sent: dict[str, str]) -> None:
    assert why(world.wait(sent["throttled"], "delivered")) == ("delivered", None)
    assert [kind for kind, _ in outcomes(world, sent["throttled"])] == [
        "attempt", "throttled", "attempt", "sent", "delivered",
    ]  # fmt: skip
    assert world.taken(sent["throttled"]) == 1


def test_a_doubt_is_settled_by_the_receipt_and_nothing_is_sent_twice(world: World, sent: dict[str, str]) -> None:
    assert why(world.wait(sent["ambiguous"], "delivered")) == ("delivered", None)
    assert [kind for kind, _ in outcomes(world, sent["ambiguous"])] == ["attempt", "ambiguous", "delivered"]
    assert world.kept_for("ambiguous@simulator.test") == 1


def test_a_doubt_that_nobody_settles_stays_one_and_is_not_sent_again(world: World, sent: dict[str, str]) -> None:
    assert why(world.wait(sent["timeout"], "unknown")) == ("unknown", "in_doubt")
    assert world.kept_for("timeout@simulator.test") == 1


def test_who_complains_is_left_alone(world: World, sent: dict[str, str]) -> None:
    world.wait(sent["complaint"], "delivered")
    world.wait_for_entry(sent["complaint"], "complained")
    assert why(world.wait(world.send("u_complaint", "email", "social"))) == ("skipped", "suppressed")
    assert world.kept_for("complaint@simulator.test") == 1
