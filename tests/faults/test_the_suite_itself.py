"""A suite that never fails proves nothing: one fence of the product is taken out at a time, and an experiment must notice."""

import random
from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import Experiment, made_whole
from tests.faults.mutants import MUTANTS
from tests.faults.outside import Outside
from tests.faults.system import System
from tests.faults.test_bells import test_e28_every_bell_ten_times_and_routing_twice as e28
from tests.faults.test_campaign_halts import PROCESSES as CAMPAIGNS
from tests.faults.test_campaign_halts import killed_before_a_page_is_committed, on_everybodys_clock, pause_and_cancel
from tests.faults.test_clockwork import test_e11_two_beats_two_rescuers_and_a_sleeper as e11
from tests.faults.test_crashes import test_e01_kill_in_the_window as e01
from tests.faults.test_crashes import test_e03_poison_is_set_aside_and_its_neighbours_are_delivered as e03
from tests.faults.test_doors import test_e09_kill_the_whole_web_server_at_any_time as e09
from tests.faults.test_doors import test_e27_one_key_and_fifty_threads as e27
from tests.faults.test_stop import run_campaign, slowed
from tests.faults.test_webhooks import test_e25_webhooks_among_a_hundred_bad_endpoints as e25

pytestmark = pytest.mark.faults


def e30(experiment: Experiment) -> None:
    with slowed(experiment):
        run_campaign(experiment, random.Random(1), 2_000, 2)


def e30_of_a_campaign(experiment: Experiment) -> None:
    experiment.system.keep(*CAMPAIGNS)
    pause_and_cancel(experiment, 20_000)


def e29_on_everybodys_clock(experiment: Experiment) -> None:
    experiment.system.keep(*CAMPAIGNS)
    on_everybodys_clock(experiment, 200)


NOTICES: dict[str, tuple[str, Callable[[Experiment], None]]] = {
    "intents_without_fence": ("doubled", e11),
    "rescue_takes_calling": ("doubled", lambda experiment: e01(experiment, "after_call", 1)),
    "no_idempotency_key": ("", e27),
    "random_delivery_id": ("uninvited", lambda experiment: e28(experiment, 1)),
    "answer_before_commit": ("lost", lambda experiment: e09(experiment, 1)),
    "expiries_not_counted": ("left", e03),
    "webhooks_to_anywhere": ("called_inside", lambda experiment: e25(experiment, experiment.system)),
    "gate_believes_routing": ("too_late", e30),
    "cursor_ahead_of_page": ("missing", lambda experiment: killed_before_a_page_is_committed(experiment, 300)),
    "random_notification_id": ("doubled", e29_on_everybodys_clock),
    "pause_not_looked_at": ("sent_after_pause", e30_of_a_campaign),
}
OUTSIDE = {"gate_believes_routing"}


def test_every_mutant_has_its_experiment() -> None:
    assert set(NOTICES) == set(MUTANTS)


@pytest.fixture
def mutated(whole_system: System, request: pytest.FixtureRequest) -> Iterator[Experiment]:
    """Every process runs with the mutant of this test, and none afterwards; the unfinished work of the run is removed."""
    system = whole_system
    system.mutate(request.getfixturevalue("mutant"))
    made_whole(system)
    outside: Outside | None = None
    if request.getfixturevalue("mutant") in OUTSIDE:
        outside = request.getfixturevalue("outside_world")
        outside.reset()
    experiment = Experiment(system, request.node.name.removeprefix("test_"), outside)
    experiment.patience = 30
    experiment.is_rehearsal = True
    try:
        yield experiment
    finally:
        experiment.producer.close()
        system.mutate("")
        system.query(
            """DELETE FROM ledger_work_item WHERE notification_id IN (
                SELECT id FROM ledger_notification WHERE object_id = %(run)s)""",
            {"run": experiment.name},
        )


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_mutant_is_noticed(mutant: str, mutated: Experiment) -> None:
    mistake, run = NOTICES[mutant]
    with pytest.raises(AssertionError) as noticed:
        run(mutated)
    text = str(noticed.value)
    mutated.is_rehearsal = False
    mutated.figures = {"noticed": text.splitlines()[0][:200]}
    mutated.write(mistake in text, {})
    assert mistake in text
