"""Workers that die: at every step of the way (E01), at any time (E02), by what they are given to do (E03)."""

import random
import time

import pytest

from notifier.local.processes import wait_until
from tests.faults.checker import balance
from tests.faults.conftest import IN_FLIGHT, Experiment, begin_with
from tests.faults.sabotage import POISON

BATCH = 60
# a claim of the critical lane; more would be in the hands of other threads when the first one has settled
ONE_CALL = 20
BEFORE_INTENT = ("after_claim", "before_route_commit", "after_route_commit", "after_send_claim")
AFTER_INTENT = ("after_intent", "after_call", "before_settle_commit")


@pytest.mark.faults
@pytest.mark.parametrize("point", [*BEFORE_INTENT, *AFTER_INTENT, "after_settle"])
@begin_with("web", "system", "beat")
def test_e01_kill_in_the_window(experiment: Experiment, point: str, size: int) -> None:
    """One worker is killed at the point; before the intent nothing may be in doubt, after it the calls in flight only: those go out
    once more, and the ledger says so."""
    system, producer = experiment.system, experiment.producer
    for name in ("critical", "transactional"):
        system.end(name)
    count = ONE_CALL if point == "after_settle" else BATCH * size
    producer.batch([producer.body(n, category="critical", channels=["email"]) for n in range(count)])
    began = time.monotonic()
    system.start("critical", FAULT=f"{point}:kill:1")
    system.await_death("critical")
    experiment.settle()
    experiment.figures["seconds_to_settle"] = round(time.monotonic() - began, 1)
    books = experiment.check(channels=("email",), unknown_at_most=count if point in AFTER_INTENT else 0)
    assert (books.resent > 0) == (point in AFTER_INTENT)
    assert books.statuses == {"sent": count}


@pytest.mark.faults
@pytest.mark.parametrize("after", [0.2, 8.0])
@begin_with("web", "transactional", "system", "beat")
def test_e01_a_receipt_ends_the_doubt(experiment: Experiment, after: float) -> None:
    """It comes while the call still counts as in flight, or when the delivery is in doubt already."""
    system, producer = experiment.system, experiment.producer
    system.end("critical")
    system.receipts(after)
    try:
        producer.batch([producer.body(n, category="critical", channels=["email"]) for n in range(20)])
        system.start("critical", FAULT="after_call:kill:1")
        system.await_death("critical")
        experiment.settle()
        system.wait(lambda: balance(system, producer, channels=["email"]).statuses == {"delivered": 20}, 30)
        assert experiment.check(channels=("email",)).statuses == {"delivered": 20}
    finally:
        system.receipts(None)


@pytest.mark.faults
def test_e02_kill_a_worker_at_any_time(experiment: Experiment, seed: int, size: int) -> None:
    system, producer, chance = experiment.system, experiment.producer, random.Random(seed)
    producer.stream(400 * size, per_second=40)
    kills = 0
    while not producer.is_done():
        system.wait(lambda: False, chance.uniform(0.5, 2.5))
        system.await_ready()
        system.kill(chance.choice(["critical", "transactional"]))
        kills += 1
    experiment.settle()
    experiment.figures["kills"] = kills
    experiment.check(unknown_at_most=kills * IN_FLIGHT)


@pytest.mark.faults
@begin_with("web", "transactional", "system", "beat")
def test_e03_poison_is_set_aside_and_its_neighbours_are_delivered(experiment: Experiment) -> None:
    system, producer = experiment.system, experiment.producer
    system.end("critical")
    bodies = [producer.body(n, category="critical", channels=["sms"]) for n in range(20)]
    bodies[7]["message"]["title"] = POISON
    producer.batch(bodies)
    system.start("critical")
    experiment.settle(100)
    experiment.figures["worker_deaths"] = deaths = system.processes["critical"].deaths
    books = experiment.check(channels=("sms",), failed=1)
    assert books.statuses == {"sent": 19, "failed": 1}
    assert system.query(
        """SELECT d.reason, l.reason FROM ledger_delivery d JOIN ledger_dead_letter l ON l.delivery_id = d.id
        JOIN ledger_notification n ON n.id = d.notification_id WHERE n.object_id = %(run)s""",
        {"run": experiment.name},
    ) == [("poisoned", "poisoned")]
    assert deaths <= 5


@pytest.mark.faults
def test_e03_a_bug_in_a_batch_fails_its_own_message_only(experiment: Experiment) -> None:
    system, producer = experiment.system, experiment.producer
    bodies = [producer.body(n, category="critical", channels=["sms"]) for n in range(20)]
    bodies[7]["message"]["title"] = "bug"
    producer.batch(bodies)
    experiment.settle()
    assert experiment.check(channels=("sms",), failed=1).statuses == {"sent": 19, "failed": 1}
    assert system.processes["critical"].deaths == 0


def test_e02_kill_one_worker_under_load(experiment: Experiment) -> None:
    """The short form of E02 that plain pytest runs."""
    system, producer = experiment.system, experiment.producer
    before = system.record.stat().st_size if system.record.exists() else 0
    producer.batch([producer.body(n, category="critical") for n in range(200)])
    assert wait_until(lambda: system.record.exists() and system.record.stat().st_size > before, 20)
    system.kill("critical")
    experiment.settle()
    experiment.check(unknown_at_most=600)
