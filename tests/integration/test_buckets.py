"""Rate limits: exact counts, several buckets at once, and a Redis that is gone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from uuid import uuid4

import pytest
from redis import Redis

from apps.core import buckets, redis
from apps.core.buckets import Bucket, take

SLOW = 0.001


@pytest.fixture(params=["redis", "here"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of counting must count alike."""
    monkeypatch.setattr(buckets, "_rest_until", 0.0 if request.param == "redis" else float("inf"))
    monkeypatch.setattr(buckets, "log", None if request.param == "redis" else buckets.log)
    return str(request.param)


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    gone = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    monkeypatch.setattr(redis, "quick", lambda: gone)
    monkeypatch.setattr(buckets, "_rest_until", 0.0)
    buckets._script.cache_clear()
    yield
    buckets._script.cache_clear()


def bucket(rate: float = SLOW, burst: int = 100) -> Bucket:
    return Bucket(f"test:{uuid4()}", rate, burst)


@pytest.mark.usefixtures("where")
def test_twenty_threads_get_exactly_the_burst() -> None:
    key = bucket(burst=100)
    with ThreadPoolExecutor(20) as pool:
        verdicts = list(pool.map(lambda _: take([key]), range(400)))
    assert sum(verdict.is_allowed for verdict in verdicts) == 100
    assert sorted(v.levels[0].remaining for v in verdicts if v.is_allowed) == list(range(100))
    assert {v.levels[0].remaining for v in verdicts if not v.is_allowed} == {0}


@pytest.mark.usefixtures("where")
def test_a_bucket_does_not_know_of_another() -> None:
    acme, globex = bucket(burst=3), bucket(burst=3)
    assert [take([acme]).is_allowed for _ in range(4)] == [True, True, True, False]
    assert [take([globex]).is_allowed for _ in range(4)] == [True, True, True, False]


@pytest.mark.usefixtures("where")
def test_all_give_or_none_does() -> None:
    key, tenant = bucket(burst=10), bucket(burst=4)
    assert [take([key, tenant]).is_allowed for _ in range(6)] == [True] * 4 + [False] * 2
    refused = take([key, tenant])
    assert [level.remaining for level in refused.levels] == [6, 0]
    assert take([key], 6).is_allowed
    assert not take([key]).is_allowed


@pytest.mark.usefixtures("where")
def test_a_batch_costs_what_it_carries() -> None:
    key = bucket(rate=10, burst=100)
    first = take([key], 60)
    assert (first.is_allowed, first.retry_after, first.levels[0].remaining) == (True, 0.0, 40)
    assert first.levels[0].reset == pytest.approx(6.0, abs=0.01)
    second = take([key], 60)
    assert (second.is_allowed, second.levels[0].remaining) == (False, 40)
    assert second.retry_after == pytest.approx(2.0, abs=0.1)
    assert take([key], 40).is_allowed


@pytest.mark.usefixtures("where")
def test_a_cost_above_the_burst_waits_for_a_full_bucket_and_is_charged_in_full() -> None:
    key = bucket(rate=10, burst=10)
    assert take([key], 30).is_allowed
    refused = take([key])
    assert not refused.is_allowed
    assert refused.retry_after == pytest.approx(2.1, abs=0.1)
    assert refused.levels[0] == buckets.Level(0, pytest.approx(3.0, abs=0.1))


@pytest.mark.usefixtures("where")
def test_it_refills_evenly() -> None:
    key = bucket(rate=50, burst=5)
    assert take([key], 5).is_allowed
    refused = take([key])
    assert 0.0 < refused.retry_after <= 0.02
    sleep(refused.retry_after + 0.002)
    assert take([key]).is_allowed
    sleep(0.3)
    assert take([key]).levels[0].remaining == 4


def test_it_leaves_nothing_behind_in_redis() -> None:
    key = bucket(rate=1000, burst=5)
    take([key])
    assert 0 < redis.quick().pttl(key.key) <= 1100


def test_it_survives_a_redis_that_lost_its_scripts() -> None:
    key = bucket(burst=5)
    take([key])
    redis.quick().script_flush()
    assert take([key]).levels[0].remaining == 3


@pytest.mark.usefixtures("no_redis")
def test_without_redis_every_process_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    key = bucket(burst=3)
    assert [take([key]).is_allowed for _ in range(4)] == [True, True, True, False]
    assert [record.message for record in caplog.records] == ["redis is away: rate limits hold per process"]


@pytest.mark.usefixtures("no_redis")
def test_it_asks_redis_again_after_a_rest(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    key = bucket(burst=3)
    take([key])
    later = buckets.monotonic() + buckets.REST_SECONDS
    monkeypatch.setattr(buckets, "monotonic", lambda: later)
    take([key])
    assert len(caplog.records) == 2


@pytest.mark.usefixtures("no_redis")
def test_the_buckets_of_a_process_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "MOST_LOCAL", 5)
    often = bucket(burst=2)
    for _ in range(20):
        take([often])
        take([bucket()])
    assert len(buckets._local) == 5
    assert not take([often]).is_allowed
