"""Workers that die over an import, at every step of the way and again: each person once, none missing, nothing of the file left."""

import json
import time
from typing import Any

import pytest
import requests

from apps.audience.imports.claiming import MOST_DEATHS
from tests.faults.conftest import Experiment, begin_with
from tests.faults.system import System

PROCESSES = ("web", "beat", "bulk")
ROWS = 60_000
POINTS = (
    "after_import_copy:kill:2",
    "before_import_commit:kill:1",
    "before_import_commit:kill:2",
    "after_import_page:kill:1",
)


def upload(system: System, run: str, rows: int) -> str:
    lines = (f"{run}_{n},{run}_{n}@example.com,{n}\n" for n in range(rows))
    mapping = {"user_id": "user_id", "email": "email", "n": "attributes.n:number"}
    answer = requests.post(
        f"{system.url}/v1/imports",
        params={"mapping": json.dumps(mapping), "start": "true"},
        data=("user_id,email,n\n" + "".join(lines)).encode(),
        headers={"Authorization": f"Bearer {system.token}", "Content-Type": "text/csv"},
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def seen(system: System, import_id: str) -> dict[str, Any]:
    url = f"{system.url}/v1/imports/{import_id}"
    answer = requests.get(url, headers={"Authorization": f"Bearer {system.token}"}, timeout=30)
    found: dict[str, Any] = answer.json()
    return found


def _progress(found: dict[str, Any]) -> tuple[bool, int, bool]:
    """A check that is not over is begun anew."""
    return found["state"] != "checking", found["written"], found["state"] == "finished"


def _await_progress(system: System, import_id: str) -> None:
    before = _progress(seen(system, import_id))
    system.wait(lambda: _progress(seen(system, import_id)) > before, 60)


def judged(experiment: Experiment, import_id: str, rows: int) -> None:
    system, mine = experiment.system, {"run": f"{experiment.name}\\_%"}
    people = system.query(
        """SELECT count(*), count(DISTINCT user_id), count(DISTINCT (attributes ->> 'n')::int) FROM audience_recipient
        WHERE user_id LIKE %(run)s""",
        mine,
    )
    addresses = system.query(
        """SELECT count(*), count(DISTINCT e.recipient_id), count(DISTINCT e.address_hash) FROM audience_endpoint e
        JOIN audience_recipient r ON r.id = e.recipient_id WHERE r.user_id LIKE %(run)s""",
        mine,
    )
    left = system.query(
        r"""SELECT (SELECT count(*) FROM audience_importchunk) + (SELECT count(*) FROM audience_importlane)
        + (SELECT count(*) FROM pg_class WHERE relname LIKE 'audience\_staged\_%%')"""
    )
    said = seen(system, import_id)
    figures = {
        "people": people[0],
        "addresses": addresses[0],
        "left": left[0][0],
        "created": said["created"],
        "state": said["state"],
    }
    is_pass = people == [(rows,) * 3] and addresses == [(rows,) * 3] and left == [(0,)] and said["created"] == rows
    experiment.write(is_pass, figures)
    assert is_pass, figures


@begin_with(*PROCESSES)
def test_an_import_survives_a_killed_worker(experiment: Experiment) -> None:
    """The short form that plain pytest runs: people are inserted, their page is not committed."""
    system = experiment.system
    system.end("bulk")
    import_id = upload(system, experiment.name, 2_000)
    system.start("bulk", FAULT="before_import_commit:kill:1")
    system.await_death("bulk")
    assert system.query("SELECT count(*) FROM audience_recipient WHERE user_id LIKE 'an\\_import%%'") == [(0,)]
    assert system.wait(lambda: seen(system, import_id)["state"] == "finished", 60)
    judged(experiment, import_id, 2_000)


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
@begin_with(*PROCESSES)
def test_import_killed_at(experiment: Experiment, point: str) -> None:
    system = experiment.system
    system.end("bulk")
    run = experiment.name = experiment.name.replace("[", "_").replace(":", "_").rstrip("]")
    import_id = upload(system, run, ROWS)
    for _ in range(2):
        system.start("bulk", FAULT=point)
        system.await_death("bulk")
    assert system.wait(lambda: seen(system, import_id)["state"] == "finished", 90)
    judged(experiment, import_id, ROWS)


@pytest.mark.faults
@begin_with(*PROCESSES)
def test_import_with_two_workers_killed_at_any_time(experiment: Experiment, seed: int) -> None:
    """One of the two is always alive; Redis forgets; nobody's rows are written by both. An import is set aside that ended MOST_DEATHS
    workers in a row, so they are left alone before it comes to that until they got on with it."""
    import random

    system, chance = experiment.system, random.Random(seed)
    system.keep(*PROCESSES, "bulk-2")
    import_id = upload(system, experiment.name, ROWS * 3)
    ends, deaths = time.monotonic() + 60, 0
    while (before := seen(system, import_id))["state"] != "finished" and time.monotonic() < ends:
        system.wait(lambda: False, chance.uniform(0.5, 2.5))
        deaths = 0 if _progress(seen(system, import_id)) > _progress(before) else deaths + 1
        if deaths >= MOST_DEATHS - 1:
            _await_progress(system, import_id)
            deaths = 0
        system.kill(chance.choice(["bulk", "bulk-2"]))
        with system.redis() as client:
            client.flushall()
    assert system.wait(lambda: seen(system, import_id)["state"] == "finished", 120), seen(system, import_id)
    judged(experiment, import_id, ROWS * 3)
