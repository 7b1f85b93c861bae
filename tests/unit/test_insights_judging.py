"""Silence is told from chance."""

from math import log

import pytest

from apps.insights.judging import has_recovered, is_silent, surprise


@pytest.mark.parametrize(
    ("judged", "missing", "expected", "verdict"),
    [
        (17, 7, 0.01, False),  # too few to judge
        (20, 8, 0.01, True),
        (100, 40, 0.02, True),
        (100, 8, 0.01, False),  # less than a tenth more than usual
        (100, 13, 0.01, True),
        (1_000, 250, 0.2, False),  # half of the margin
        (100, 40, 0.2, False),  # not surprising enough
        (200, 80, 0.2, True),
        (10_000, 9_990, 0.99, False),
        (50, 50, 1.0, False),  # an account that never reports
        (50, 0, 0.01, False),
        (0, 0, 0.01, False),
    ],
)
def test_silence(judged: int, missing: int, expected: float, verdict: bool) -> None:
    assert is_silent(judged=judged, missing=missing, expected=expected) is verdict


@pytest.mark.parametrize(
    ("judged", "missing", "verdict"), [(19, 0, False), (20, 0, True), (100, 10, True), (100, 40, False), (0, 0, False)]
)
def test_recovery(judged: int, missing: int, verdict: bool) -> None:
    assert has_recovered(judged=judged, missing=missing, expected=0.02) is verdict


def test_surprise_is_chernoffs_bound() -> None:
    assert surprise(100, 40, 0.1) == pytest.approx(100 * (0.4 * log(4) + 0.6 * log(0.6 / 0.9)))
    assert surprise(10, 10, 0.5) == pytest.approx(10 * log(2))
    assert surprise(100, 10, 0.1) == 0.0
    assert surprise(100, 1, 0.0) == 0.0


def test_a_thousand_clean_hours_raise_no_alarm() -> None:
    """60 judgements an hour of 600 messages each, at a usual share of 3 %."""
    from random import Random

    chance = Random(7)
    alarms = 0
    for _ in range(60_000 // 20):
        missing = sum(chance.random() < 0.03 for _ in range(600))
        alarms += is_silent(judged=600, missing=missing, expected=0.03)
    assert alarms == 0
