"""An act of the drill holds (tests/drill): receipts in a flood, five times each, shuffled, some forged (E22, E23)."""

import pytest

from tests.drill.acts import flood
from tests.drill.stage import staged
from tests.faults.conftest import Experiment


@pytest.mark.faults
def test_e22_a_flood_of_doubled_shuffled_and_forged_receipts(trial: Experiment) -> None:
    assert trial.outside
    with staged(trial.system, trial.outside, "flood", 1) as stage:
        flood(stage)
    trial.write(all(holds for holds, _ in stage.claims), {"claims": [words for _, words in stage.claims]})
    assert [words for holds, words in stage.claims if not holds] == []
