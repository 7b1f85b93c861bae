"""Redis that dies, forgets, freezes or is full: work is in PostgreSQL, so all that may suffer is speed (E04, E05, E06)."""

import signal
import time

import pytest

from tests.faults.conftest import Experiment

pytestmark = pytest.mark.faults


def test_e04_redis_forgets_everything(experiment: Experiment, size: int) -> None:
    system, producer = experiment.system, experiment.producer
    producer.stream(150 * size, per_second=50)
    while not producer.is_done():
        time.sleep(0.5)
        with system.redis() as client:
            client.flushall()
    experiment.settle()
    experiment.check()


def test_e04_redis_dies_and_comes_back_empty(experiment: Experiment, size: int) -> None:
    """Without Redis for some seconds the API accepts and the workers deliver; both do so again with bells afterwards."""
    system, producer = experiment.system, experiment.producer
    producer.stream(240 * size, per_second=30)
    time.sleep(2)
    system.servers.redis.kill()
    time.sleep(1.5)
    before, accepted_before = len(system.record.read_bytes()), len(producer.book.accepted)
    time.sleep(3)
    during, accepted_during = len(system.record.read_bytes()), len(producer.book.accepted)
    system.servers.redis.restart()
    experiment.settle()
    experiment.figures.update(
        accepted_without_redis=accepted_during - accepted_before,
        slowest_post=round(max(producer.book.seconds), 2),
        worker_deaths=sum(system.processes[name].deaths for name in ("critical", "transactional")),
    )
    experiment.check()
    assert accepted_during > accepted_before, "nothing was accepted while Redis was away"
    assert during > before, "nothing was delivered while Redis was away"


def test_e05_redis_freezes(experiment: Experiment, size: int) -> None:
    """A Redis that takes connections and answers nothing costs a process half a second now and then, and no 202."""
    system, producer = experiment.system, experiment.producer
    producer.stream(300 * size, per_second=30)
    time.sleep(2)
    seen = len(producer.book.seconds)
    system_pid = system.servers.redis.pid
    import os

    os.kill(system_pid, signal.SIGSTOP)
    try:
        time.sleep(5)
        frozen = sorted(producer.book.seconds[seen:])
    finally:
        os.kill(system_pid, signal.SIGCONT)
    experiment.settle()
    experiment.figures.update(
        posts_while_frozen=len(frozen),
        median=round(frozen[len(frozen) // 2], 3),
        slowest=round(frozen[-1], 3),
        refused={str(status): n for status, n in producer.book.statuses.items() if status != 202},
    )
    experiment.check()
    assert len(frozen) > 30
    assert frozen[-1] < 3
    assert set(producer.book.statuses) == {202}


def test_e06_redis_is_full(experiment: Experiment, size: int) -> None:
    """Above maxmemory Redis refuses every write, bells included; what is accepted then is delivered then, without bells."""
    system, producer = experiment.system, experiment.producer
    producer.stream(150 * size, per_second=30)
    time.sleep(1)
    with system.redis() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")
    try:
        experiment.settle(30)
        balance_without = len(producer.book.accepted)
        settled = system.query(
            """SELECT count(*) FROM ledger_work_item w JOIN ledger_notification n ON n.id = w.notification_id
            WHERE n.object_id = %(run)s""",
            {"run": experiment.name},
        )[0][0]
    finally:
        with system.redis() as client:
            client.config_set("maxmemory", "0")
    experiment.settle()
    experiment.figures.update(
        accepted=balance_without,
        left_while_full=settled,
        worker_deaths={name: process.deaths for name, process in system.processes.items() if process.deaths},
    )
    experiment.check()
    assert settled == 0, "work stood still while Redis was full"
