"""Time zones and clocks that are set (E26): a long run of the property that tests/unit/test_routing_quiet_hours.py asks of a few."""

from collections import Counter
from random import Random

import pytest

from tests.faults.conftest import SEED, SIZE, write_result
from tests.quiet_hours_cases import ZONES, cases, violation

pytestmark = pytest.mark.faults
CASES = 210_000 * SIZE


@pytest.mark.timeout(1_200)
def test_e26_clock_and_dst() -> None:
    """Every zone, fourteen months: never quiet, never in the past, never later than the first open instant."""
    chance, wrong, scanned = Random(SEED), Counter[str](), 0
    for number, given in enumerate(cases(CASES, SEED)):
        is_scanned = number % 50 == 0
        scanned += is_scanned
        if said := violation(given, chance, is_scanned=is_scanned):
            wrong[said] += 1
            print(said, given)
    figures = {"cases": CASES, "minute_by_minute": scanned, "zones": len(ZONES), "violations": sum(wrong.values())}
    write_result("clock-and-dst", not wrong, figures)
    assert not wrong, wrong
