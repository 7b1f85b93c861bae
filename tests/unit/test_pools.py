"""The worker pools: complete, separate, resizable by the environment."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from notifier import env
from notifier.pools import BESIDE, LANES, POOLS, QUEUES, SHARES, lane_queues, resized


def test_every_queue_has_exactly_one_pool() -> None:
    assert sorted(QUEUES) == sorted(
        {
            *(q for lane in LANES for q in lane_queues(lane)),
            *(f"few.{q}" for lane in LANES for q in lane_queues(lane)),
            "receipts",
            "webhooks",
            "schedules",
            "campaigns",
            "bulk",
            "system",
        }
    )


def test_critical_work_shares_no_worker_with_other_work() -> None:
    critical = next(pool for pool in POOLS if pool.name == "critical")
    assert critical.queues == (*lane_queues("critical"), *(f"few.{queue}" for queue in lane_queues("critical")))


def test_those_who_have_little_share_no_process_with_the_batches_of_others_but_in_critical_work() -> None:
    (few,) = (pool for pool in POOLS if pool.name == "few")
    assert set(few.queues) == {queue for queue in BESIDE if "critical" not in queue}
    assert {SHARES[queue] for queue in BESIDE} == {1}
    assert {BESIDE[queue] for queue in few.queues} == {q for lane in LANES[1:] for q in lane_queues(lane)}


def test_no_queue_can_take_all_threads_of_its_pool() -> None:
    for pool in POOLS:
        assert sum(SHARES[queue] for queue in pool.queues) <= pool.concurrency


def test_the_environment_resizes_a_pool_and_leaves_the_others() -> None:
    changed = {pool.name: pool for pool in resized(POOLS, ["marketing=30:6", "critical=40", "system=5x3"])}
    assert (changed["marketing"].concurrency, changed["marketing"].share) == (30, 6)
    assert (changed["critical"].concurrency, changed["critical"].share) == (40, 2)
    assert (changed["system"].concurrency, changed["system"].share, changed["system"].processes) == (5, 2, 3)
    assert changed["social"] == next(pool for pool in POOLS if pool.name == "social")


@pytest.mark.parametrize(
    "change", ["nobody=3", "social", "social=0", "social=x", "social=3:0", "social=3x0", "social=3:x2"]
)
def test_a_wrong_size_is_reported_at_the_start(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "_problems", [])
    assert resized(POOLS, [change]) == POOLS
    with pytest.raises(ImproperlyConfigured, match="NOTIFIER_POOLS"):
        env.check()
