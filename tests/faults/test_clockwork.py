"""The clockwork: beat dies (E10), beats and rescuers come in pairs and one of them sleeps (E11), everything dies at once (E12)."""

import random
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from apps.channels.sandbox.record import read
from apps.core import ids
from tests.faults.conftest import IN_FLIGHT, Experiment, begin_with

pytestmark = pytest.mark.faults


def plan_sends(experiment: Experiment, count: int, within: float) -> None:
    """Planned notifications, due one after the other from 2 seconds on; one request each."""
    producer = experiment.producer
    start = datetime.now(UTC) + timedelta(seconds=2)
    for number in range(count):
        due = start + timedelta(seconds=within * number / count)
        body = producer.body(number, category="critical", channels=["push"], schedule_at=due.isoformat())
        producer.post("/v1/scheduled-notifications", body, f"{experiment.name}-{number}")


def lateness(experiment: Experiment) -> list[float]:
    """Seconds from due to the provider, sorted."""
    due = {
        ids.show(ids.DELIVERY, delivery): moment.timestamp()
        for delivery, moment in experiment.system.query(
            """SELECT d.id, n.due_at FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
            WHERE n.object_id = %(run)s""",
            {"run": experiment.name},
        )
    }
    return sorted(line.time - due[line.delivery] for line in read(experiment.system.record) if line.delivery in due)


def test_e10_kill_beat(experiment: Experiment, seed: int, size: int) -> None:
    """Each planned notification goes out once, never before its time, late by no more than beat was away."""
    system, chance = experiment.system, random.Random(seed)
    plan_sends(experiment, 40 * size, within=12 * size)
    longest = 0.0
    for _ in range(2 * size):
        time.sleep(chance.uniform(3, 5))
        system.kill("beat")
        gap = chance.uniform(0.2, 1.5)
        longest = max(longest, gap)
        time.sleep(gap)
        system.revive()
    experiment.settle()
    late = lateness(experiment)
    experiment.figures.update(latest=round(late[-1], 2), longest_gap_before_restart=round(longest, 2))
    experiment.check(channels=("push",))
    assert late[0] >= 0


@begin_with("web", "beat", "beat-2", "system", "system-2", "transactional")
def test_e11_two_beats_two_rescuers_and_a_sleeper(experiment: Experiment) -> None:
    """Nobody leads. One worker falls asleep with work in hand, is rescued from, and wakes while another one is calling."""
    system, producer = experiment.system, experiment.producer
    system.keep("web", "beat", "beat-2", "system", "system-2", "transactional")
    system.faults(email="slow")
    bodies = [producer.body(n, category="critical", channels=["email"]) for n in range(8)]
    producer.batch(bodies)
    system.start("critical", FAULT="after_send_claim:stop:1", DEADLINE="8")
    try:
        assert system.wait(lambda: _is_asleep(system.processes["critical"].pid), 40, reviving=False)
        system.start("critical-2", DEADLINE="8")
        assert system.wait(lambda: _calling(experiment) > 0, 40, reviving=False), "the other worker did not take over"
    finally:
        system.signal("critical", signal.SIGCONT)
        time.sleep(1)
        system.faults()
    plan_sends(experiment, 20, within=4)
    experiment.settle()
    balance = experiment.check(channels=())
    assert balance.taken == balance.deliveries == 28


def test_e12_power_cut(experiment: Experiment, size: int) -> None:
    """Everything of ours gets SIGKILL in one instant, PostgreSQL and Redis too; the outside world stays."""
    system, producer = experiment.system, experiment.producer
    producer.stream(200 * size, per_second=40)
    for _ in range(size):
        time.sleep(2.5)
        victims = [name for name in system.processes if name != "sandbox"]
        system.servers.postgres.kill()
        for name in victims:
            system.kill(name)
        system.servers.redis.kill()
        system.servers.redis.restart()
        system.servers.postgres.restart()
        began = time.monotonic()
        system.revive()
        system.await_ready()
        experiment.figures["up_again_after"] = round(time.monotonic() - began, 1)
    experiment.settle()
    experiment.check(unknown_at_most=IN_FLIGHT * size)


def _is_asleep(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def _calling(experiment: Experiment) -> int:
    """Calls in flight of work whose first lease ran out."""
    rows = experiment.system.query(
        """SELECT count(*) FROM ledger_work_item w JOIN ledger_notification n ON n.id = w.notification_id
        WHERE n.object_id = %(run)s AND w.phase = 2 AND w.expiries > 0""",
        {"run": experiment.name},
    )
    return int(rows[0][0])
