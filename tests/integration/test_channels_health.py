"""The health of accounts: a breaker that all processes share, budgets for retries, pauses; with Redis, emptied, and without it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from redis import Redis

from apps.channels import breaking, health
from apps.channels.breaking import Record, Tally
from apps.core import clock, redis
from apps.core.enums import Channel
from apps.core.types import Account

GOOD = Tally(calls=1, messages=1, firsts=1)
BAD = Tally(calls=1, errors=1, messages=1, firsts=1, codes={"503": 1})
START = 1_800_000_000.0
Ask = Callable[..., tuple[int, str, Record]]


def account(**settings: Any) -> Account:
    return Account(UUID(int=1), f"acc-{uuid4().hex[:8]}", "smtp", Channel.EMAIL, "", "", {}, settings=settings)


@pytest.fixture(params=["redis", "here"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """One question to one record at a given time: the script and the pure functions must answer alike."""
    key, mine, rules = f"health:{uuid4()}", Record(), breaking.rules({})

    def script(verb: str, at: float, **arguments: Any) -> tuple[int, str, Record]:
        asked = {"now": START + at} | arguments | asdict(rules)
        granted, changed, kept, *_ = health._script()(keys=[key, f"{key}:all"], args=[verb, json.dumps(asked)])
        return granted, changed.decode(), msgspec.json.decode(kept, type=Record)

    def here(verb: str, at: float, **arguments: Any) -> tuple[int, str, Record]:
        now = START + at
        match verb:
            case "note":
                is_probe = arguments.pop("probe")
                arguments.pop("process")
                return 0, breaking.note(mine, rules, Tally(**arguments), now, is_probe=is_probe), mine
            case "permit":
                return int(breaking.permit(mine, now, late=arguments["late"])), "", mine
            case _:
                return breaking.retry(mine, rules, arguments["wanted"], now), "", mine

    return script if request.param == "redis" else here


def noted(ask: Ask, at: float, what: Tally, times: int = 1, *, probe: bool = False) -> tuple[str, Record]:
    for _ in range(times):
        _, changed, found = ask("note", at, **asdict(what), probe=probe, process="p")
    return changed, msgspec.json.decode(msgspec.json.encode(found), type=Record)


def opened(ask: Ask, at: float = 0.0) -> Record:
    changed, found = noted(ask, at, BAD, 20)
    assert changed == "opened"
    return found


def test_it_opens_at_thirty_percent_of_at_least_twenty_calls(ask: Ask) -> None:
    assert noted(ask, 0, BAD, 5)[0] == ""
    assert noted(ask, 1, GOOD, 12)[1].state == 0
    changed, found = noted(ask, 2, BAD, 3)
    assert (changed, found.state, found.since, found.till) == ("opened", 1, START + 2, START + 7)
    assert found.codes == {"503": 8}


def test_it_stays_closed_below_its_share(ask: Ask) -> None:
    assert noted(ask, 0, GOOD, 71)[1].state == 0
    changed, found = noted(ask, 1, BAD, 29)
    assert (changed, found.state, found.calls, found.errors) == ("", 0, 100, 29)


def test_what_is_older_than_the_window_is_forgotten(ask: Ask) -> None:
    noted(ask, 0, BAD, 19)
    _, found = noted(ask, 30, BAD)
    assert (found.state, found.calls, found.errors) == (0, 1, 1)


def test_only_probes_count_while_it_is_open_and_it_closes_after_three(ask: Ask) -> None:
    opened(ask)
    assert noted(ask, 1, GOOD, 50)[1].state == 1
    assert ask("permit", 4.9, late=0)[0] == 0
    for number, at in enumerate((5.0, 6.0, 7.0)):
        assert ask("permit", at, late=0)[0] == 1
        assert ask("permit", at + 0.5, late=0)[0] == 0
        changed, found = noted(ask, at + 0.1, GOOD, probe=True)
        assert (changed, found.state) == (("", 1) if number < 2 else ("closed", 0))
    assert (found.since, found.calls, found.codes) == (START + 7.1, 0, {})
    ceilings = [found.ceiling(START + at) for at in (7.1, 27.1, 77.0, 77.2)]
    assert ceilings == pytest.approx([10, 30, 79.9, 0], abs=0.01)


def test_a_probe_that_fails_lets_it_rest_twice_as_long(ask: Ask) -> None:
    rests, at = [], 0.0
    found = opened(ask)
    for _ in range(6):
        rests.append(found.till - START - at)
        at = found.till - START
        assert ask("permit", at, late=0)[0] == 1
        changed, found = noted(ask, at, BAD, probe=True)
        assert (changed, found.since) == ("", START)
    assert rests == [5, 10, 20, 40, 60, 60]


def test_it_rests_longer_when_it_opens_again_within_a_minute_and_not_after_a_calm_one(ask: Ask) -> None:
    def recovered(at: float) -> None:
        for second in range(3):
            assert ask("permit", at + second, late=0)[0] == 1
            noted(ask, at + second, GOOD, probe=True)

    opened(ask)
    recovered(5)
    assert opened(ask, 10).till == START + 20
    recovered(20)
    noted(ask, 90, GOOD)
    assert opened(ask, 125).till == START + 130


def test_a_prober_that_died_holds_the_others_up_for_fifteen_seconds(ask: Ask) -> None:
    opened(ask)
    assert [ask("permit", at, late=0)[0] for at in (5, 6, 19.9, 20.1, 21)] == [1, 0, 0, 1, 0]


def test_others_may_go_first(ask: Ask) -> None:
    opened(ask)
    assert [ask("permit", at, late=late)[0] for at, late in ((5.5, 1), (5.5, 0), (6.5, 1))] == [0, 1, 0]


def test_a_pause_is_kept_and_what_follows_it_grows(ask: Ask) -> None:
    noted(ask, 0, Tally(calls=1, messages=100, firsts=100), 10)
    _, found = noted(ask, 10, Tally(throttled=30.0))
    assert (found.pause, found.state) == (START + 40, 0)
    assert found.rest(START + 10) == 30 and found.rest(START + 40) == 0
    assert found.ceiling(START + 40) == pytest.approx(10, rel=0.2)
    assert found.ceiling(START + 50) == pytest.approx(10 + 50, rel=0.2)
    assert found.ceiling(START + 200) == 0
    again = noted(ask, 11, Tally(throttled=5.0), 20)[1]
    assert (again.pause, again.cap) == (found.pause, found.cap)


def test_where_nothing_is_known_it_begins_with_little_and_doubles(ask: Ask) -> None:
    _, found = noted(ask, 10, Tally(throttled=30.0))
    paces = [found.ceiling(START + at) for at in (40, 43, 46, 50, 120)]
    assert paces == pytest.approx([5, 10, 20, 32.6, 0], abs=0.1)
    _, found = noted(ask, 46, Tally(throttled=1.0))
    assert (found.cap, found.base, found.cut_at) == (pytest.approx(10), 25, START + 46)
    _, found = noted(ask, 46.5, Tally(throttled=1.0))
    assert (found.cap, found.pause) == (pytest.approx(10), START + 47.5)


def test_throttling_without_a_long_pause_halves(ask: Ask) -> None:
    noted(ask, 0, Tally(calls=1, messages=50, firsts=50), 10)
    _, found = noted(ask, 5, Tally(throttled=1.0))
    assert found.ceiling(START + 6) == pytest.approx(50, rel=0.2)
    _, found = noted(ask, 8, Tally(throttled=1.0))
    assert found.ceiling(START + 9) == pytest.approx(30, rel=0.3)


def test_retries_are_a_tenth_of_first_tries_and_one_a_second(ask: Ask) -> None:
    assert ask("retry", 0, wanted=100)[0] == 30
    assert ask("retry", 1, wanted=100)[0] == 0
    noted(ask, 2, Tally(calls=1, messages=200, firsts=200))
    assert [ask("retry", at, wanted=15)[0] for at in (2, 3)] == [15, 5]
    assert ask("retry", 34, wanted=100)[0] == 30


def test_a_dead_provider_gets_a_bounded_number_of_calls_in_half_an_hour(ask: Ask) -> None:
    opened(ask)
    calls, at = 20, 0.0
    while at < 1800:
        at += 0.5
        if ask("permit", at, late=0)[0]:
            calls += 1
            noted(ask, at + 0.1, BAD, probe=True)
    assert calls <= 20 + 35


def test_all_processes_share_one_breaker() -> None:
    one = account(breaker_rest=60.0)
    for _ in range(20):
        health.note(one, BAD)
    assert health.record(one).state == 1
    program = (
        "import django; django.setup()\n"
        "from apps.channels import health\n"
        f"record = health.records(['{one.key}'])['{one.key}']\n"
        "print(record.phase(health.now()), record.codes['503'])"
    )
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert seen.stdout.split() == ["open", "20.0"]


def test_exactly_one_of_twenty_threads_hears_that_it_opened_and_one_may_probe() -> None:
    one = account(breaker_rest=1.0)
    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(lambda _: health.note(one, BAD), range(20))) == [""] * 19 + ["opened"]
        script = health._script()
        asked = json.dumps({"late": 0, "now": health.now() + 2})
        granted = pool.map(
            lambda _: script(keys=[f"health:{one.key}", "health-processes"], args=["permit", asked])[0], range(20)
        )
        assert sum(granted) == 1


def test_twenty_threads_share_one_budget_of_retries() -> None:
    one = account()
    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(lambda _: health.retries(one, 3), range(40))) == 30


def test_an_emptied_redis_closes_the_breaker_and_it_opens_again() -> None:
    one = account()
    for _ in range(20):
        health.note(one, BAD)
    redis.quick().delete(f"health:{one.key}")
    redis.quick().script_flush()
    health._here.seen.clear()
    assert health.record(one).state == 0
    assert [health.note(one, BAD) for _ in range(20)] == [""] * 19 + ["opened"]


def test_good_news_is_told_together_and_bad_news_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, moment = account(), [1000.0]
    monkeypatch.setattr(health, "monotonic", lambda: moment[0])
    trips = []
    real = health._script()
    monkeypatch.setattr(health, "_script", lambda: lambda **asked: trips.append(asked["args"][0]) or real(**asked))
    for _ in range(100):
        health.note(one, GOOD)
    assert len(trips) == 1
    moment[0] += health.NOTE_SECONDS
    health.note(one, GOOD)
    assert len(trips) == 2
    assert health._here.seen[one.key][1].calls == 101
    health.note(one, BAD)
    assert len(trips) == 3


def test_records_are_read_once_in_half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = health._read
    monkeypatch.setattr(health, "_read", lambda keys: asked.append(list(keys)) or real(keys))
    keys = [account().key, account().key]
    for _ in range(10):
        assert set(health.records([*keys, "sandbox-email"])) == {*keys, "sandbox-email"}
    assert asked == [keys]


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    gone = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    monkeypatch.setattr(redis, "quick", lambda: gone)
    health._script.cache_clear()
    yield
    health._script.cache_clear()


def test_without_redis_a_process_judges_by_what_it_sees(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    one = account(breaker_rest=1.0)
    for _ in range(10):
        health.note(one, BAD)
    request.getfixturevalue("no_redis")
    assert [health.note(one, BAD) for _ in range(10)] == [""] * 9 + ["opened"]
    assert not health.is_shared() and not health.may_call(one) and not health.permit(one, late=0)
    monkeypatch.setattr(health, "now", lambda base=health.now: base() + 2)
    assert [health.permit(one, late=0) for _ in range(3)] == [True, False, False]
    assert [record.message for record in caplog.records] == ["redis is away: health of accounts is judged per process"]


def test_what_is_distrusted_is_so_until_then() -> None:
    one = account()
    health.distrust(one.key, 0.4, clock.now() + timedelta(seconds=60))
    assert health.record(one).doubted - health.now() == pytest.approx(60, abs=0.5)
    health.trust(one.key)
    assert health.record(one).doubted == 0
    health.set_reported_rate(one.key, 14.0)
    assert health.record(one).reported == 14
    health.reset(one.key)
    assert health.record(one) == Record()


def test_the_sandbox_is_always_healthy() -> None:
    sandbox = Account(UUID(int=2), "sandbox-email", "sandbox", Channel.EMAIL, "", "", {})
    for _ in range(30):
        assert health.note(sandbox, BAD) == ""
    assert health.may_call(sandbox) and not redis.quick().exists("health:sandbox-email")
