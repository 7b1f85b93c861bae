"""Who gets which part: the same answer everywhere and always, and shares that come out as they were asked for."""

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns import splitting
from apps.campaigns.splitting import WHOLE, Purpose

SPRING = UUID("0194a000-0000-7000-8000-000000000001")
ROSA = UUID("0194b000-0000-7000-8000-00000000000a")
CROWD = [UUID(int=(7 << 76) | (2 << 62) | number << 80 | number) for number in range(20_000)]


def test_it_is_the_hash_that_is_written_down() -> None:
    """What PostgreSQL says of the same two (test_campaigns_splitting_sql.py)."""
    assert splitting.share(ROSA, splitting.salt_of(SPRING, Purpose.VARIANT)) == 546_203
    assert splitting.share(ROSA, splitting.salt_of(SPRING, Purpose.HOLDOUT)) == 670_860


def test_purposes_know_nothing_of_each_other() -> None:
    """Of those held out by 10 %, half would have got either variant."""
    holdout, variant = (splitting.salt_of(SPRING, purpose) for purpose in (Purpose.HOLDOUT, Purpose.VARIANT))
    held = [id_ for id_ in CROWD if splitting.is_held_out(splitting.share(id_, holdout), 10)]
    assert 1_900 < len(held) < 2_100
    counts = Counter(splitting.variant_of(splitting.share(id_, variant), (1, 1)) for id_ in held)
    assert abs(counts[0] - counts[1]) < 140


@pytest.mark.parametrize(
    ("weights", "expected"),
    [((1,), [20_000]), ((1, 1), [10_000] * 2), ((3, 1), [15_000, 5_000]), ((0, 1, 0, 1), [0, 1e4, 0, 1e4])],
)
def test_weights_come_out_as_asked(weights: tuple[int, ...], expected: list[int]) -> None:
    salt = splitting.salt_of(SPRING, Purpose.VARIANT)
    counts = Counter(splitting.variant_of(splitting.share(id_, salt), weights) for id_ in CROWD)
    assert [counts[position] for position in range(len(weights))] == pytest.approx(expected, abs=300)
    assert all(counts[position] == 0 for position, weight in enumerate(weights) if weight == 0)


def test_the_steps_of_a_ramp_meet_and_end_at_the_whole() -> None:
    assert splitting.ramp_ranges((0.1, 1, 10, 100)) == (
        (0, 1_000),
        (1_000, 10_000),
        (10_000, 100_000),
        (100_000, WHOLE),
    )
    assert splitting.ramp_ranges((1, 10)) == ((0, 10_000), (10_000, 100_000), (100_000, WHOLE))
    assert splitting.ramp_ranges(()) == ((0, WHOLE),)
    assert splitting.trial_ranges(20) == ((0, 200_000), (200_000, WHOLE))


@pytest.mark.parametrize("steps", [(10, 1), (1, 1), (50, 10, 100)])
def test_it_refuses_a_ramp_that_does_not_grow(steps: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="grow"):
        splitting.ramp_ranges(steps)


@pytest.mark.parametrize("weights", [(), (0,), (0, 0), (2, -1)])
def test_it_refuses_weights_that_leave_nobody_to_choose(weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="weights"):
        splitting.bounds_of(weights)


@given(st.integers(0, WHOLE - 1), st.lists(st.integers(0, 100), min_size=1, max_size=8).filter(any))
def test_every_share_has_one_variant_with_a_weight(share: int, weights: list[int]) -> None:
    chosen = splitting.variant_of(share, weights)
    edges = [0, *splitting.bounds_of(weights), WHOLE]
    assert edges[chosen] <= share < edges[chosen + 1]
    assert weights[chosen] > 0


@given(st.uuids(), st.uuids(), st.sampled_from(Purpose))
def test_a_share_is_below_a_million(recipient: UUID, campaign: UUID, purpose: Purpose) -> None:
    assert 0 <= splitting.share(recipient, splitting.salt_of(campaign, purpose)) < WHOLE
