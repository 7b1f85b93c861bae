"""Stop means stop (E30): people say no in the middle of a campaign, while a worker dies and Redis forgets."""

import random
import time
from collections.abc import Callable
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
import requests

from apps.channels.sandbox.record import read
from apps.core import ids
from tests.faults.conftest import IN_FLIGHT, Experiment

PEOPLE = 40
_DELIVERIES = """SELECT d.id FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
    WHERE n.object_id = %(run)s"""
GRACE = 5.0


class Crowd:
    """People of one run, who stop one after another. `stopped`: by address, when the answer to their no was there."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.stopped: dict[str, float] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {experiment.system.token}"
        for number in range(PEOPLE):
            self._ask("PUT", f"/v1/users/{self.user(number)}", {"email": self.address(number)})

    def user(self, number: int) -> str:
        return f"stopping_{self.experiment.name}_{number}"

    def address(self, number: int) -> str:
        return f"stopping{number}@example.com"

    def offer(self, each: int) -> None:
        """So many offers to everybody."""
        offers = [
            self.experiment.producer.body(n, user_id=self.user(n), category="marketing", channels=["email"])
            for _ in range(each)
            for n in range(PEOPLE)
        ]
        self.experiment.producer.batch(offers)

    def stop(self, number: int, way: int) -> None:
        own = f"/v1/users/{self.user(number)}/preferences"
        offers = {"topic": "category:marketing", "on": False}
        ways: list[Callable[[], None]] = [
            lambda: self._ask("PATCH", own, {"preferences": [offers | {"channel": "email"}]}),
            lambda: self._ask("PUT", own, {"preferences": [offers]}),
            lambda: self._ask("PATCH", own, {"mutes": [{"topic": "*", "until": "2035-01-01T00:00:00Z"}]}),
            lambda: self._ask("POST", "/v1/suppressions", {"channel": "email", "address": self.address(number)}),
        ]
        ways[way % len(ways)]()
        self.stopped[self.address(number)] = time.time()

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> None:
        headers = {"Idempotency-Key": str(uuid4())}
        answer = self._session.request(
            method, self.experiment.system.url + path, json=body, headers=headers, timeout=20
        )
        assert answer.status_code in {200, 201}, answer.text


@pytest.mark.faults
def test_e30_stop_means_stop(experiment: Experiment, size: int, seed: int) -> None:
    system, chance = experiment.system, random.Random(seed)
    system.start("marketing")
    system.await_ready()
    crowd = Crowd(experiment)
    rounds = 60 * size
    campaign = Thread(target=lambda: [_pause(crowd.offer(3), 0.2) for _ in range(rounds)])
    campaign.start()
    order = chance.sample(range(PEOPLE), PEOPLE - 5)
    for place, number in enumerate(order):
        time.sleep(chance.uniform(0.1, 0.5) * size)
        crowd.stop(number, place)
        if place == len(order) // 3:
            system.redis().flushall()
        if place == len(order) // 2:
            system.kill("marketing")
        system.revive()
    campaign.join()
    experiment.settle()
    late = _late(experiment, crowd)
    experiment.figures.update(
        stopped=len(crowd.stopped),
        sent_after_a_no=len(late),
        latest_seconds=round(max(late, default=0.0), 2),
    )
    found = experiment.check(channels=("email",), unknown_at_most=IN_FLIGHT)
    assert [seconds for seconds in late if seconds > GRACE] == []
    assert found.statuses["sent"] > 0
    assert found.statuses["skipped"] > 0


def _pause(_: None, seconds: float) -> None:
    time.sleep(seconds)


def _late(experiment: Experiment, crowd: Crowd) -> list[float]:
    """By how many seconds messages came after the no of their recipient."""
    system = experiment.system
    ours = {ids.show(ids.DELIVERY, id_) for (id_,) in system.query(_DELIVERIES, {"run": experiment.name})}
    lines = [line for line in read(system.record) if line.delivery in ours and line.address in crowd.stopped]
    return [line.time - crowd.stopped[line.address] for line in lines if line.time > crowd.stopped[line.address]]
