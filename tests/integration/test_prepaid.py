"""Tokens taken ahead: never more given out than were taken, nothing ahead for those who come rarely."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from apps.core import buckets, prepaid
from apps.core.buckets import Bucket


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    told = Clock()
    monkeypatch.setattr(prepaid, "monotonic", told)
    prepaid._kept.clear()
    buckets._rest_until = 0.0
    yield told
    prepaid._kept.clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The costs that Redis was asked for."""
    costs: list[int] = []
    real = buckets.take

    def take(wanted: list[Bucket], cost: int = 1) -> buckets.Verdict:
        costs.append(cost)
        return real(wanted, cost)

    monkeypatch.setattr(buckets, "take", take)
    return costs


def bucket(burst: int, rate: float = 0.001) -> Bucket:
    return Bucket(f"rate:{uuid4()}", rate, burst)


def test_a_busy_caller_is_served_from_what_was_taken_ahead(clock: Clock, asked: list[int]) -> None:
    one = bucket(2_000)
    left = [prepaid.take([one], 1).levels[0].remaining for _ in range(13)]
    assert asked == [1, 11, 11]
    assert left == [1999, *range(1998, 1986, -1)]


def test_a_rare_caller_is_charged_what_it_takes(clock: Clock, asked: list[int]) -> None:
    one = bucket(2_000)
    for _ in range(3):
        prepaid.take([one], 1)
        clock.now += prepaid.BUSY_SECONDS + 0.01
    assert asked == [1, 1, 1]


def test_what_was_taken_ahead_is_kept_for_a_moment_only(clock: Clock, asked: list[int]) -> None:
    one = bucket(2_000)
    prepaid.take([one], 1)
    prepaid.take([one], 1)
    clock.now += prepaid.KEPT_SECONDS
    prepaid.take([one], 1)
    assert asked == [1, 11, 1]


def test_a_small_burst_is_never_taken_ahead(clock: Clock, asked: list[int]) -> None:
    one = bucket(199)
    for _ in range(5):
        prepaid.take([one], 1)
    assert asked == [1] * 5


def test_the_last_tokens_are_given_out_too(clock: Clock, asked: list[int]) -> None:
    one = bucket(400)
    assert buckets.take([one], 397).is_allowed
    asked.clear()
    assert [prepaid.take([one], 1).is_allowed for _ in range(5)] == [True, True, True, False, False]
    assert asked == [1, 3, 1, 3, 1, 3, 1, 3, 1]


def test_twenty_threads_get_no_more_than_the_bucket_holds(clock: Clock) -> None:
    one = bucket(1_000)
    with ThreadPoolExecutor(20) as pool:
        given = sum(pool.map(lambda _: prepaid.take([one], 1).is_allowed, range(1_500)))
    assert 1_000 - 20 * 5 <= given <= 1_000
