"""Messages that are summed up: a worker dies in the middle of a flush, two flush at once, Redis is emptied meanwhile.

Every message ends in exactly one summary, or goes out by itself; every summary goes out once.
"""

import time
from collections import Counter
from typing import Any

import pytest
import requests

from apps.channels.sandbox.record import read
from apps.core import ids
from tests.faults.conftest import Experiment
from tests.faults.system import System

EACH = 3
LIKED = "fault.liked"
_OPEN = """SELECT count(*) FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
    WHERE (n.object_id = %(run)s OR n.source = 'summary') AND d.status IN ('queued', 'held', 'sending')"""
_UNROUTED = "SELECT count(*) FROM ledger_work_item WHERE lane = 'social'"
_ITEMS = """SELECT d.notification_id, d.status, d.merged_into FROM ledger_delivery d
    JOIN ledger_notification n ON n.id = d.notification_id WHERE n.object_id = %(run)s"""
_SUMMARIES = """SELECT n.id, d.id, d.status FROM ledger_notification n LEFT JOIN ledger_delivery d ON d.notification_id = n.id
    WHERE n.id IN (SELECT merged_into FROM ledger_delivery m JOIN ledger_notification o ON o.id = m.notification_id
        WHERE o.object_id = %(run)s)"""


def define(experiment: Experiment, **grouping: Any) -> None:
    body = {
        "name": "Likes",
        "category": "social",
        "grouping": {"by": "object", "window_seconds": 2, "most": 100} | grouping,
    }
    system = experiment.system
    headers = {"Authorization": f"Bearer {system.token}"}
    answer = requests.put(f"{system.url}/v1/event-types/{LIKED}", json=body, headers=headers, timeout=20)
    assert answer.status_code in {200, 201}, answer.text
    time.sleep(1.1)


def ask(experiment: Experiment, people: int, each: int = EACH) -> int:
    """So many for each of the people."""
    producer = experiment.producer
    said = {"category": "social", "event_type": LIKED, "channels": ["email"]}
    bodies = [
        producer.body(person, actor_id=f"a{n}", **said)
        for n in range(each)
        for person in range(people)
    ]  # fmt: skip
    producer.batch(bodies)
    return len(bodies)


def is_over(system: System, run: str) -> bool:
    return system.query(_OPEN, {"run": run}) == [(0,)] and system.query(_UNROUTED) == [(0,)]


def settle(experiment: Experiment) -> None:
    """What died comes back, and finds everything as it was; a lease must run out first."""
    system = experiment.system
    assert system.wait(lambda: is_over(system, experiment.name), 90), system.query(
        "SELECT kind, phase, due_at > now() FROM ledger_work_item WHERE lane = 'social'"
    )


def check(experiment: Experiment, asked: int) -> Counter[str]:
    """The statuses of what was asked for."""
    system = experiment.system
    run = {"run": experiment.name}
    items = system.query(_ITEMS, run)
    assert len(items) == len({id_ for id_, *_ in items}) == asked
    statuses = Counter(status for _, status, _ in items)
    assert set(statuses) <= {"merged", "sent"}
    assert all((into is not None) == (status == "merged") for _, status, into in items)
    summaries = system.query(_SUMMARIES, run)
    assert {id_ for id_, *_ in summaries} == {into for *_, into in items if into}
    assert all(status == "sent" for *_, status in summaries), summaries
    assert len(summaries) == len({id_ for id_, *_ in summaries})
    taken = Counter(line.delivery for line in read(system.record) if line.taken)
    assert all(taken[ids.show(ids.DELIVERY, delivery)] == 1 for _, delivery, _ in summaries)
    figures = {"asked": asked, "summaries": len(summaries), **statuses}
    experiment.write(True, figures)
    return statuses


@pytest.mark.faults
@pytest.mark.parametrize("point", ["after_flush_locks", "before_flush_commit", "after_flush_commit"])
def test_e31_kill_in_a_flush(experiment: Experiment, point: str, size: int) -> None:
    system = experiment.system
    define(experiment)
    asked = ask(experiment, 20, EACH * size)
    system.start("social", FAULT=f"{point}:kill:1")
    system.await_death("social")
    settle(experiment)
    assert check(experiment, asked) == {"merged": asked}


@pytest.mark.faults
def test_e31_two_workers_and_an_emptied_redis(experiment: Experiment, size: int) -> None:
    """While messages come, bundles fill up and are flushed at once, by two workers whose bells are lost again and again."""
    system = experiment.system
    define(experiment, most=4, window_seconds=3)
    system.start("social", BELLS="5")
    system.start("social-2", BELLS="5")
    asked = 0
    for _ in range(6 * size):
        asked += ask(experiment, 10, 2)
        system.redis().flushall()
        time.sleep(0.3)
    settle(experiment)
    statuses = check(experiment, asked)
    assert statuses["merged"] >= asked * 0.8
