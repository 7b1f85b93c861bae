"""How fast a run goes and when it ends, from samples."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns.pacing import STALE, Left, duration, ends_at, rate, sparkline
from apps.core.spreadsheets import lines

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T = NOW.timestamp()


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_the_rate_is_that_of_the_last_minute() -> None:
    samples = [[T - 120, 0, 0], [T - 60, 900, 600], [T - 30, 1_000, 900], [T, 2_000, 1_200]]
    assert rate(samples, NOW) == 10.0
    assert rate(samples[-1:], NOW) == 0.0
    assert rate([], NOW) == 0.0
    assert rate([[T - 500, 0, 0], [T, 100, 100]], NOW) == 0.2
    assert rate(samples, at(STALE + 1)) == 0.0
    assert rate([[T, 0, 0], [T, 5, 5]], NOW) == 0.0
    assert rate([[T - 10, 9, 9], [T, 5, 5]], NOW) == 0.0


def test_what_is_due_goes_one_after_another_and_a_wave_waits_for_its_time() -> None:
    assert ends_at([], 0, 0.0, NOW) == NOW
    assert ends_at([], 100, 10.0, NOW) == at(10)
    assert ends_at([Left(50, at(-60)), Left(0, None)], 100, 10.0, NOW) == at(15)
    assert ends_at([Left(50, at(3_600))], 100, 10.0, NOW) == at(3_605)
    assert ends_at([Left(72_000, at(3_600)), Left(10, at(3_700))], 0, 10.0, NOW) == at(3_600 + 7_200 + 1)


def test_nobody_knows_the_end_without_a_rate_or_before_the_winner() -> None:
    assert ends_at([Left(50, NOW)], 0, 0.0, NOW) is None
    assert ends_at([], 1, 0.0, NOW) is None
    assert ends_at([Left(50, None)], 0, 10.0, NOW) is None


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(-100, 10_000)), max_size=5),
    st.integers(0, 10_000),
    st.floats(0.1, 1_000),
)
def test_it_ends_neither_before_its_last_wave_nor_sooner_than_all_its_people_take(
    waves: list[tuple[int, int]], waiting: int, speed: float
) -> None:
    left = [Left(people, at(seconds)) for people, seconds in waves]
    found = ends_at(left, waiting, speed, NOW)
    assert found is not None
    everybody = waiting + sum(people for people, _ in waves)
    assert found >= at(everybody / speed - 0.001)
    assert all(found >= at(seconds) for people, seconds in waves if people)


def test_the_sparkline_is_as_high_as_the_fastest() -> None:
    assert sparkline([[0, 0, 0], [2, 0, 10], [4, 0, 30], [6, 0, 30]]) == [50.0, 100.0, 0.0]
    assert sparkline([[0, 0, 5], [2, 0, 5]]) == []
    assert sparkline([]) == []
    assert len(sparkline([[n, 0, n * n] for n in range(100)])) == 30


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (40, "40 s"),
        (89, "89 s"),
        (180, "3 min"),
        (5_820, "1 h 37 min"),
        (3_600, "1 h"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_duration_is_said_shortly(seconds: int, said: str) -> None:
    assert duration(timedelta(seconds=seconds)) == said


def test_nothing_in_a_line_is_a_formula() -> None:
    bad = ["=1+1", "+49170", "-2", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"]
    assert lines([bad]).decode() == "'=1+1,'+49170,'-2,'@SUM(A1),'\t=1,\"'\r=1\",'\uff1d1\r\n"
    assert (
        lines([["plain", 'with "quotes", and commas', "a-b=c"], ["x"]])
        == b'plain,"with ""quotes"", and commas",a-b=c\r\nx\r\n'
    )
