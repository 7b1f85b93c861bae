"""The story that `make run` tells: one call, two people, four channels."""

import sys
import uuid
from typing import cast

from notifier.local.console import console_for
from notifier.local.story import Demo, Story, Verdict
from tests.flows.world import World


def test_a_booked_ride_reaches_two_people_on_four_channels(world: World) -> None:
    body = {
        "event_type": "ride.booked",
        "event_id": f"ride-{uuid.uuid4()}",
        "recipients": [
            {"user_id": world.demo["rider"], "channels": ["push", "email", "in_app"]},
            {"user_id": world.demo["contact"], "channels": ["sms"]},
        ],
        "data": {
            "ride": {"id": "R-1", "driver": "Mara", "car": "white Skoda", "pickup": "Main St 1", "eta_minutes": 4}
        },
    }
    made = world.call("POST", "/v1/notifications", body, 202)["notifications"]
    again = world.call("POST", "/v1/notifications", body, 202)["notifications"]
    assert [(one["notification_id"], one["duplicate"]) for one in again] == [
        (one["notification_id"], True) for one in made
    ]
    rider, contact = (one["notification_id"] for one in made)
    assert world.settled(rider) == {"push": "delivered", "email": "delivered", "in_app": "delivered"}
    assert world.settled(contact) == {"sms": "delivered"}
    assert (world.taken(rider), world.taken(contact)) == (2, 1)
    kinds = [entry["kind"] for entry in world.timeline(contact)]
    assert kinds == ["accepted", "decided", "rendered", "attempt", "sent", "delivered"]
    token = world.call("POST", f"/v1/users/{world.demo['rider']}/inbox-tokens", {}, 201)["token"]
    assert token


def test_the_printed_story_is_told_to_its_end(world: World) -> None:
    story = Story(world.web, cast("Demo", world.demo), console_for(sys.stdout, {"NO_COLOR": "1"}), patience=30)
    assert story.play() == Verdict(delivered=True)
