"""Which variant is better: against a brute force, and against common sense."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.campaigns import choosing_winner
from apps.campaigns.choosing_winner import Metric, Seen, best_of, enough_for, judge


def brute(counts: list[tuple[int, int]], rounds: int = 20_000) -> list[float]:
    """Rates drawn at random, and who is first how often."""
    dice, wins = Random(1), [0] * len(counts)
    for _ in range(rounds):
        drawn = [dice.betavariate(hits + 1, of - hits + 1) for hits, of in counts]
        wins[drawn.index(max(drawn))] += 1
    return [won / rounds for won in wins]


@pytest.mark.parametrize(
    "counts",
    [
        [(0, 0), (0, 0)],
        [(12, 100), (18, 100)],
        [(0, 50), (1, 50), (0, 10)],
        [(50, 50), (49, 50)],
        [(300, 10_000), (330, 10_000), (290, 9_000), (10, 400)],
        [(2_000, 2_000_000), (2_150, 2_000_000)],
        [(5, 10), (5_000, 10_000)],
    ],
)
def test_it_agrees_with_a_brute_force(counts: list[tuple[int, int]]) -> None:
    assert best_of(counts) == pytest.approx(brute(counts), abs=0.015)


COUNTS = st.integers(0, 5_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@settings(max_examples=40, deadline=None)
@given(st.lists(COUNTS, min_size=2, max_size=5))
def test_the_chances_add_up_and_know_no_order(counts: list[tuple[int, int]]) -> None:
    found = best_of(counts)
    assert sum(found) == pytest.approx(1.0)
    assert all(-1e-12 <= chance <= 1 + 1e-12 for chance in found)
    assert best_of(counts[::-1]) == pytest.approx(found[::-1])
    assert best_of(counts) == found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 2_000).flatmap(lambda of: st.tuples(st.just(of), st.integers(0, of - 1), st.integers(0, of))))
def test_one_more_success_never_makes_it_worse(drawn: tuple[int, int, int]) -> None:
    of, hits, others = drawn
    assert best_of([(hits + 1, of), (others, of)])[0] >= best_of([(hits, of), (others, of)])[0] - 1e-9


def test_equals_are_equally_likely_to_be_the_best() -> None:
    assert best_of([(20, 200)] * 4) == pytest.approx([0.25] * 4)
    assert best_of([(20, 200)]) == (1.0,)


def seen(*counts: tuple[int, int]) -> list[Seen]:
    return [Seen(place, of, of, clicked=hits) for place, (hits, of) in enumerate(counts)]


def test_it_chooses_only_what_is_sure() -> None:
    verdict = judge(seen((100, 1_000), (140, 1_000)), Metric.CLICKED)
    assert verdict.winner == 1
    assert verdict.sentence == "B wins: 14.0 % clicked, and with a probability of 99.7 % no other is better."
    assert verdict.standings[1].interval == pytest.approx((0.1199, 0.1629), abs=1e-4)


def test_it_does_not_choose_what_is_not() -> None:
    verdict = judge(seen((10, 100), (14, 100)), Metric.CLICKED, names=("Short", "Long"))
    assert verdict.winner is None
    assert verdict.sentence == (
        "No clear winner: Long is ahead with 14.0 % clicked, and that is more than chance only with a probability of 80.3 %;"
        " 95 % are asked for."
    )


def test_nobody_wins_before_anybody_got_it() -> None:
    assert judge(seen((0, 0), (0, 0)), Metric.CLICKED).winner is None
    assert judge([], Metric.CLICKED).sentence == "Nobody has got it yet."


def test_whoever_opts_out_does_not_count_as_reached() -> None:
    """And machines' opens are not in what was seen at all."""
    pair = [
        Seen(0, 1_000, delivered=990, opened=900, unsubscribed=200),
        Seen(1, 1_000, delivered=950, opened=100, unsubscribed=0),
    ]
    assert judge(pair, Metric.DELIVERED).winner == 1
    assert judge(pair, Metric.OPENED).winner == 0
    assert [one.successes for one in judge(pair, Metric.DELIVERED).standings] == [790, 950]


def test_more_opt_outs_than_deliveries_are_no_success_and_no_crash() -> None:
    assert judge([Seen(0, 10, delivered=1, unsubscribed=5)], Metric.DELIVERED).standings[0].successes == 0


def test_the_hint_is_the_usual_sample_size() -> None:
    """As in textbooks: 20 % against 22 %, 80 % power, 5 % of false alarms, is about 6,500 for each."""
    assert enough_for(0.2, lift=0.1) == 6_507
    assert enough_for(0.02, lift=0.1) > enough_for(0.02, lift=0.5) > enough_for(0.2, lift=0.5) > 0
    assert choosing_winner.enough_for(0.5, share=0.5) == pytest.approx(2 * enough_for(0.5), abs=1)
