"""Schedules under two beats and two workers, kill -9 in the middle of a fire, and a Redis that forgets: each time once, none missing."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.faults.conftest import Experiment, begin_with
from tests.faults.producer import PEOPLE
from tests.faults.system import System

pytestmark = pytest.mark.faults
PROCESSES = ("web", "beat", "beat-2", "system", "system-2", "critical", "transactional")
MANY, TIMES, EVERY, AT_ONCE = 30, 5, 2, 5


def plan(experiment: Experiment, start: datetime) -> list[str]:
    """MANY schedules, each for AT_ONCE people, firing TIMES times, EVERY so many seconds; due together. Their ids."""
    walls = [f"{start + timedelta(seconds=EVERY * n):%Y-%m-%dT%H:%M:%S}" for n in range(TIMES)]
    made = []
    for number in range(MANY):
        people = [{"user_id": f"person_{(number + more) % PEOPLE}"} for more in range(AT_ONCE)]
        body = experiment.producer.body(number, category="critical", channels=["push"])
        body = {name: value for name, value in body.items() if name != "user_id"} | {"recipients": people}
        schedule = {"start": walls[0], "rdates": walls[1:], "zone": "UTC", "missed": "all", "missed_limit": 100}
        answer = requests.post(
            f"{experiment.system.url}/v1/scheduled-notifications",
            json=body | {"schedule": schedule},
            headers={"Authorization": f"Bearer {experiment.system.token}"},
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
    return made


def begun(experiment: Experiment) -> tuple[list[str], datetime]:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15)
    made = plan(experiment, start)
    assert datetime.now(UTC) < start, "this machine is too slow to make them in time"
    return made, start


def is_over(system: System, made: list[str]) -> bool:
    """Every schedule has fired for the last time, and every notification has ended."""
    rows = system.query(
        """SELECT count(*) FROM schedules_schedule WHERE status = 'active'
        UNION ALL SELECT count(*) FROM ledger_work_item WHERE lane = 'critical'"""
    )
    return all(count == 0 for (count,) in rows)


def judged(experiment: Experiment, made: list[str]) -> dict[str, Any]:
    """Of each time and person exactly one notification, and one run of each time."""
    system, run = experiment.system, {"run": experiment.name}
    seen = system.query(
        """SELECT event_id, recipient_id, count(*) FROM ledger_notification WHERE object_id = %(run)s GROUP BY 1, 2""",
        run,
    )
    runs = system.query(
        """SELECT schedule_id, wall, outcome, count, extract(epoch FROM at - due_at) FROM schedules_schedulerun r
        WHERE schedule_id IN (SELECT id FROM schedules_schedule)"""
    )
    sent = system.query(
        """SELECT d.status, count(*) FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
        WHERE n.object_id = %(run)s GROUP BY 1""",
        run,
    )
    late = sorted(float(row[4]) for row in runs)
    figures = {
        "times": MANY * TIMES,
        "runs": len(runs),
        "notifications": sum(row[2] for row in seen),
        "doubled": sum(row[2] > 1 for row in seen),
        "missed": MANY * TIMES * AT_ONCE - len(seen),
        "deliveries": dict(sent),
        "late_p50": round(late[len(late) // 2], 3),
        "latest": round(late[-1], 3),
        "earliest": round(late[0], 3),
    }
    is_pass = not figures["doubled"] and not figures["missed"] and len(runs) == MANY * TIMES and late[0] >= 0
    experiment.write(is_pass, figures)
    assert is_pass, figures
    assert {(row[2], row[3]) for row in runs} == {("fired", AT_ONCE)}
    return figures


@pytest.fixture(autouse=True)
def _no_others(system: System) -> None:
    system.query("DELETE FROM schedules_schedulerun")
    system.query("DELETE FROM schedules_schedulerecipient")
    system.query("DELETE FROM schedules_schedule")


@begin_with(*PROCESSES)
def test_schedules_under_two_beats_and_two_workers(experiment: Experiment) -> None:
    """In time, too: MANY are due at the same moment."""
    made, _ = begun(experiment)
    assert experiment.system.wait(lambda: is_over(experiment.system, made), 90)
    figures = judged(experiment, made)
    assert figures["late_p50"] < 1


@begin_with(*PROCESSES)
def test_schedules_killed_in_the_middle_of_a_fire(experiment: Experiment) -> None:
    """Before and after the commit; Redis is emptied meanwhile, and beat dies."""
    system = experiment.system
    system.start("system", FAULT="before_fire_commit:kill:7")
    system.start("system-2", FAULT="after_fire_commit:kill:9")
    system.await_ready()
    made, start = begun(experiment)
    time.sleep(max(0.0, (start - datetime.now(UTC)).total_seconds()))
    for _ in range(4):
        with system.redis() as client:
            client.flushall()
        system.kill("beat")
        system.wait(lambda: False, 1.5)
    assert system.wait(lambda: is_over(system, made), 90)
    deaths = {name: system.processes[name].deaths for name in ("system", "system-2")}
    experiment.figures.update(deaths=deaths)
    judged(experiment, made)
    assert all(deaths.values()), "nobody was killed"
