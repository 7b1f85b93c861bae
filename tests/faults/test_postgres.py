"""PostgreSQL that dies (E07): nobody was told 202 for what is not there afterwards, and nothing goes out twice."""

import os
import signal
import time
from contextlib import suppress

import psycopg
import pytest

from tests.faults.conftest import IN_FLIGHT, Experiment

pytestmark = pytest.mark.faults


def test_e07_postgres_dies(experiment: Experiment, size: int) -> None:
    system, producer = experiment.system, experiment.producer
    producer.stream(300 * size, per_second=30)
    time.sleep(3)
    system.servers.postgres.kill()
    time.sleep(2)
    system.servers.postgres.restart()
    came_back = time.monotonic()
    at_return = len(producer.book.accepted)
    system.wait(lambda: len(producer.book.accepted) > at_return, 30)
    experiment.figures["first_202_after"] = round(time.monotonic() - came_back, 2)
    experiment.settle()
    experiment.figures["answers"] = {str(status): n for status, n in producer.book.statuses.items()}
    experiment.check(unknown_at_most=IN_FLIGHT)


def test_e07_one_backend_dies(experiment: Experiment, size: int) -> None:
    """kill -9 of one backend makes PostgreSQL drop every connection and recover."""
    system, producer = experiment.system, experiment.producer
    producer.stream(200 * size, per_second=30)
    for _ in range(2):
        time.sleep(2)
        with suppress(psycopg.OperationalError):
            rows = system.query(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"
            )
            os.kill(rows[0][0], signal.SIGKILL)
    experiment.settle()
    experiment.figures["answers"] = {str(status): n for status, n in producer.book.statuses.items()}
    experiment.check(unknown_at_most=IN_FLIGHT)
