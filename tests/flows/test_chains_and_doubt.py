"""Channels that give up, fall silent or do not answer: who reaches the person then, and how often."""

import pytest

from notifier.local.processes import wait_until
from tests.flows.world import PATIENCE, World


@pytest.fixture(scope="module")
def sent(world: World) -> dict[str, str]:
    """All at once, then followed."""
    chain = {"category": "transactional", "channels": ["push"], "fallback": ["push", "email"]}
    world.call("PUT", "/v1/event-types/flow.chain", {"name": "Chain", **chain}, 201)
    silence = {"category": "transactional", "channels": ["sms"], "fallback": ["sms", "email"]}
    world.call("PUT", "/v1/event-types/flow.silence", {"name": "Silence", "fallback_after_seconds": 3, **silence}, 201)
    # not approved by anybody: the key may send critical messages of it anyway
    reason = {"owner": "Flow", "critical_reason": "Somebody waits for it."}
    alert = {"category": "critical", **reason, "channels": ["push"], "fallback": ["push", "sms"]}
    world.call("PUT", "/v1/event-types/flow.alert", {"name": "Alert", **alert}, 201)
    return {
        "gives_up": told(world, "flow_gone", "flow.chain", devices=[{"token": "sim:invalid+chain", "platform": "ios"}]),
        "falls_silent": told(world, "flow_silent", "flow.silence", phone="+15005550010"),
        "answers": told(world, "flow_answers", "flow.silence", phone="+4915112345678"),
        "no_answer": told(
            world,
            "flow_alert",
            "flow.alert",
            category="critical",
            devices=[{"token": "sim:timeout+chain", "platform": "ios"}],
            phone="+4915112345679",
        ),
        "code": told(world, "flow_code", "", category="critical", channels=["sms"], phone="+15005550012"),
    }


def told(world: World, user: str, event_type: str, **fields: object) -> str:
    addresses = {name: fields.pop(name) for name in ("phone", "devices") if name in fields}
    body = {
        "recipient": {"user_id": user, "email": f"{user.replace('_', '.')}@simulator.test", **addresses},
        "message": {"title": "Hello", "body": "How are you?"},
        **({"event_type": event_type} if event_type else {}),
        **fields,
    }
    return str(world.call("POST", "/v1/notifications", body, 202)["notification_id"])


def channels(world: World, shown: str) -> dict[str, str]:
    return {one["channel"]: one["status"] for one in world.call("GET", f"/v1/notifications/{shown}")["channels"]}


def wait(world: World, shown: str, expected: dict[str, str]) -> None:
    assert wait_until(lambda: channels(world, shown) == expected, PATIENCE, every=0.1), world.timeline(shown)


def said(world: World, shown: str, kind: str) -> list[str]:
    return [entry["text"] for entry in world.timeline(shown) if entry["kind"] == kind]


def test_a_channel_that_gives_up_hands_over(world: World, sent: dict[str, str]) -> None:
    wait(world, sent["gives_up"], {"push": "failed", "email": "delivered"})
    assert said(world, sent["gives_up"], "fell_back") == [
        "Push gave up: The provider says that this address does not exist. Trying Email."
    ]
    assert world.kept_for("flow.gone@simulator.test") == 1


def test_a_channel_that_proves_nothing_hands_over_and_one_that_does_keeps_it(
    world: World, sent: dict[str, str]
) -> None:
    wait(world, sent["falls_silent"], {"sms": channels(world, sent["falls_silent"])["sms"], "email": "delivered"})
    assert said(world, sent["falls_silent"], "fell_back") == [
        "SMS gave up: No proof of arrival came in time. Trying Email."
    ]
    assert channels(world, sent["answers"]) == {"sms": "delivered"}
    assert world.kept_for("flow.answers@simulator.test") == 0


def test_an_alert_without_an_answer_takes_the_next_channel_and_the_first_stays_a_doubt(
    world: World, sent: dict[str, str]
) -> None:
    wait(world, sent["no_answer"], {"push": "unknown", "sms": "delivered"})
    assert world.taken(sent["no_answer"]) <= 2


def test_a_code_without_an_answer_is_sent_once_more_and_no_third_time(world: World, sent: dict[str, str]) -> None:
    world.wait_for_entry(sent["code"], "resent")
    assert wait_until(lambda: len(said(world, sent["code"], "ambiguous")) == 2, PATIENCE, every=0.1)
    assert world.kept_for("+15005550012") == 2
    (code,) = world.call("GET", f"/v1/notifications/{sent['code']}")["channels"]
    assert (code["status"], code["duplicate_possible"]) == ("unknown", True)
    (listed,) = [
        one for one in world.call("GET", "/v1/deliveries/in-doubt")["data"] if one["delivery_id"] == code["delivery_id"]
    ]
    assert (listed["next"], listed["next_text"]) == (None, "Nothing more is planned; a receipt may still settle it.")
