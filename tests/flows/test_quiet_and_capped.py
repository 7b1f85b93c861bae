"""A person who sleeps, and one who has had enough: the running system holds and withholds, and says why."""

from datetime import UTC, datetime, timedelta
from time import sleep

from tests.flows.world import World

CAPS = "/v1/frequency-caps"
# seconds, until every process knows of a rule (docs/preferences.md)
IN_FORCE = 1.1


def test_a_sleeper_is_left_alone_but_for_what_is_critical(world: World) -> None:
    world.call(
        "PUT", "/v1/users/flow_sleeper", {"email": "sleeper+flow@simulator.test", "timezone": "Asia/Kathmandu"}, 201
    )
    wall = datetime.now(UTC) + timedelta(hours=5, minutes=45)
    night = [{"start": f"{wall - timedelta(hours=1):%H:%M}", "end": f"{wall + timedelta(hours=2):%H:%M}"}]
    world.call("PATCH", "/v1/users/flow_sleeper/preferences", {"quiet_hours": night})

    held = world.wait(world.send("flow_sleeper", "email"), "held")
    assert (held["status"], held["reason"]) == ("held", "quiet_hours")
    urgent = world.send("flow_sleeper", "email", "critical")
    assert world.wait(urgent, "delivered")["status"] == "delivered"
    assert world.kept_for("sleeper+flow@simulator.test") == 1


def test_what_is_over_a_cap_is_withheld_and_says_which(world: World) -> None:
    world.call("PUT", "/v1/users/flow_tired", {"email": "tired+flow@simulator.test"}, 201)
    cap = {"limit": 2, "period": "rolling", "window_seconds": 3600, "topic": "category:marketing", "channel": "email"}
    world.call("PUT", f"{CAPS}/flow-two-an-hour", cap, 201)
    sleep(IN_FORCE)
    ended = [world.wait(world.send("flow_tired", "email", "marketing")) for _ in range(3)]
    assert sorted((view["status"], view["reason"] or "") for view in ended) == [
        ("delivered", ""),
        ("delivered", ""),
        ("skipped", "frequency_cap"),
    ]
    assert world.kept_for("tired+flow@simulator.test") == 2
    world.call("DELETE", f"{CAPS}/flow-two-an-hour", status=204)
