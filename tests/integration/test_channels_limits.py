"""How much an account lets through: by account, sender, domain and warm-up, exact over threads, with Redis and without."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.channels import health, limits
from apps.channels.breaking import Record
from apps.channels.limits import Asked
from apps.core import buckets, redis
from apps.core.enums import Category, Channel
from apps.core.types import Account

CRITICAL, BULK, MARKETING = Category.CRITICAL, Category.TRANSACTIONAL, Category.MARKETING


@pytest.fixture(autouse=True)
def fresh() -> None:
    redis.quick().flushdb()
    buckets._rest_until = 0.0


def account(rate: float = 0.0, **settings: Any) -> Account:
    return Account(
        UUID(int=7),
        f"acme-{uuid4().hex[:8]}",
        "twilio",
        Channel.SMS,
        "",
        "+15005550006",
        {},
        settings=settings,
        rate=rate,
    )


def admitted(one: Account, asked: list[Asked], record: Record | None = None) -> int:
    return limits.admit(one, record or Record(), asked).count(0.0)


def test_without_any_limit_all_may_go() -> None:
    assert limits.admit(account(), Record(), [Asked(BULK, "a")] * 3) == [0.0, 0.0, 0.0]


def test_what_does_not_fit_waits_its_turn() -> None:
    waits = limits.admit(account(10, burst=5), Record(), [Asked(CRITICAL, "a")] * 8)
    assert waits[:5] == [0.0] * 5
    assert [round(later - waits[5], 2) for later in waits[5:]] == [0.0, 0.1, 0.2]
    assert 0.0 < waits[5] <= 0.1


def test_who_waits_for_an_account_that_was_slowed_down_comes_when_it_is_faster_again() -> None:
    """Two a second at first, a tenth more each second: the last waits 3.8 s longer than the first, not 4.5."""
    record = Record(cap=2, base=4, cap_at=health.now())
    waits = limits.admit(account(), record, [Asked(CRITICAL, "a")] * 12)
    assert waits[:2] == [0.0] * 2
    assert waits[11] - waits[2] == pytest.approx(3.84, abs=0.02)
    assert waits[3] - waits[2] > waits[11] - waits[10]


def test_bulk_leaves_a_fifth_to_urgent_messages() -> None:
    one = account(0.001, burst=10)
    assert admitted(one, [Asked(BULK, "a")] * 20) == 8
    assert admitted(one, [Asked(CRITICAL, "a")] * 20) == 2


def test_each_sender_has_its_own_rate() -> None:
    one = account(sender_rate=3)
    asked = [Asked(BULK, "+1")] * 5 + [Asked(BULK, "+2")] * 5
    waits = limits.admit(one, Record(), asked)
    assert [place for place, wait in enumerate(waits) if not wait] == [0, 1, 2, 5, 6, 7]


def test_each_domain_has_its_own_rate_and_the_others_share_one_each() -> None:
    one = account(domain_rates={"gmail.com": 2, "*": 4})
    asked = [Asked(BULK, "", "gmail.com")] * 5 + [Asked(BULK, "", "example.com")] * 5 + [Asked(BULK, "", "b.test")] * 3
    waits = limits.admit(one, Record(), asked)
    assert [place for place, wait in enumerate(waits) if not wait] == [0, 1, 5, 6, 7, 8, 10, 11, 12]


def test_a_young_sender_may_send_little_marketing_and_everything_else() -> None:
    one = account(warm_up={"from": date.today().isoformat(), "start": 48, "factor": 2})  # noqa: DTZ011
    assert admitted(one, [Asked(MARKETING, "")] * 10) == 2
    assert admitted(one, [Asked(BULK, "")] * 10) == 10


@pytest.mark.parametrize(("day", "most"), [(1, 50.0), (2, 75.0), (4, 168.75), (-3, 50.0)])
def test_the_limit_of_a_day_grows(day: int, most: float) -> None:
    plan = {"warm_up": {"from": "2027-03-01", "start": 50}}
    assert limits.day_limit(plan, date.fromordinal(date(2027, 3, 1).toordinal() + day - 1)) == most
    assert limits.day_limit({}, date(2027, 3, 1)) is None


def test_the_providers_own_word_counts_when_it_is_less() -> None:
    assert limits.rate_of(account(50), Record(reported=14), 0.0) == 14
    assert limits.rate_of(account(10), Record(reported=14), 0.0) == 10
    assert limits.rate_of(account(), Record(), 0.0) == 0


def test_twenty_threads_draw_exactly_what_there_is() -> None:
    one = account(0.001, burst=100)
    with ThreadPoolExecutor(20) as pool:
        taken = sum(pool.map(lambda _: admitted(one, [Asked(CRITICAL, "")] * 7), range(60)))
    assert taken == 100


def test_without_redis_each_process_takes_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_rest_until", float("inf"))
    monkeypatch.setattr("apps.channels.health.processes", lambda: 4)
    assert admitted(account(0.001, burst=100), [Asked(CRITICAL, "")] * 100) == 25


def test_before_a_call_it_is_known_what_another_process_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    one, moment = account(), [1000.0]
    monkeypatch.setattr(health, "monotonic", lambda: moment[0])
    assert health.may_call(one)
    here = health._here
    health.forget_cached()
    health.told_to_wait(one, 30.0)
    health._here = here
    assert health.may_call(one)
    moment[0] += health.FRESH_SECONDS * 1.01
    assert not health.may_call(one)
