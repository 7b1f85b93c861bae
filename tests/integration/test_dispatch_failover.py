"""A channel with two accounts, one of which is in trouble: who is called, who is not, and that nothing is burned or sent twice."""

from datetime import timedelta

import pytest

from apps.channels import health
from apps.channels.alerts import compare_with_health
from apps.channels.models import Alert, ProviderAccount
from apps.channels.selectors import forget_cached
from apps.channels.services import create_account, switch_on
from apps.core import clock
from apps.core.enums import Category, Channel, KeyMode, OutcomeKind
from apps.core.types import Outcome
from apps.ledger.models import WorkItem
from tests.integration.dispatch_cast import (
    attempts,
    counts,
    dead,
    endpoint,
    item,
    left,
    notify,
    person,
    route,
    send,
    states,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.failover_cast import DOWN, OK, Two, ask_for, break_down, make_due, rest_is_over, set_account
from tests.integration.failover_cast import two as two

pytestmark = pytest.mark.django_db


def test_the_first_account_takes_all_while_it_is_well(two: Two) -> None:
    ask_for(25)
    send()
    assert two.taken() == {"first": 25}
    assert states() == [("email", "sent", "")] * 25


def test_what_the_first_cannot_take_the_second_takes_at_once_and_no_try_is_burned(two: Two) -> None:
    two.words["first"] = DOWN
    ask_for()
    send()
    assert (item().tries, item().calls, item().due_at <= clock.now()) == (0, 1, True)
    send()
    assert two.taken() == {"first": 1, "second": 1}
    assert attempts() == [(1, "first", "provider_down", "503"), (2, "second", "accepted", "")]
    assert (states(), left()) == ([("email", "sent", "")], [])


def test_where_both_are_down_they_take_turns_with_growing_pauses(two: Two) -> None:
    two.words = {"first": DOWN, "second": DOWN}
    ask_for()
    for _ in range(4):
        send()
        make_due()
    assert [account for _, account, _, _ in attempts()] == ["first", "second", "first", "second"]
    assert (item().tries, item().calls, dead()) == (0, 4, [])


def test_a_dead_account_is_left_alone_within_one_batch_and_its_work_goes_on(two: Two) -> None:
    two.words["first"] = DOWN
    ask_for(200)
    send()
    taken = two.taken()
    assert taken == {"first": 20}
    assert left() == [("send.transactional.email", 0)] * 200
    assert WorkItem.objects.all_tenants().filter(calls=0, expiries=0).count() == 180
    send()
    assert two.taken() == {"second": 200}
    assert states() == [("email", "sent", "")] * 200
    assert set(WorkItem.objects.all_tenants().values_list("tries", flat=True)) == set()


def test_one_message_probes_and_three_good_ones_bring_the_account_back(two: Two) -> None:
    break_down("first")
    for _ in range(3):
        rest_is_over("first")
        ask_for(10)
        send()
        assert two.taken() == {"first": 1, "second": 9}
    ask_for(10)
    send()
    at_once = two.taken()["first"]  # it is not given everything at once: 10 a second, and a fifth is for critical work
    assert 8 <= at_once < 10
    health._set("first", cap=0.0)
    make_due()
    send()
    assert two.taken() == {"first": 10 - at_once}


def test_a_probe_that_fails_costs_its_message_nothing(two: Two) -> None:
    break_down("first")
    rest_is_over("first")
    two.words["first"] = DOWN
    ask_for()
    send()
    assert two.taken() == {"first": 1}
    send()
    assert two.taken() == {"second": 1}
    assert states() == [("email", "sent", "")]
    assert health.records(["first"])["first"].phase(health.now()) == "open"


DOUBT = Outcome(OutcomeKind.AMBIGUOUS, "read_timeout")


def test_what_is_in_doubt_is_not_given_to_another_account(two: Two) -> None:
    two.words["first"] = DOUBT
    ask_for()
    send()
    make_due()
    send()
    assert two.taken() == {"first": 1}
    assert states() == [("email", "unknown", "in_doubt")]


def test_with_every_breaker_open_work_waits_unburned_and_without_intents(two: Two) -> None:
    break_down("first")
    break_down("second")
    ask_for(10)
    send()
    assert two.taken() == {}
    assert counts()["Attempt"] == 0
    rows = list(WorkItem.objects.all_tenants().values_list("phase", "tries", "calls", "expiries"))
    assert rows == [(0, 0, 0, 0)] * 10
    due = sorted(row - clock.now() for row in WorkItem.objects.all_tenants().values_list("due_at", flat=True))
    assert timedelta(seconds=1) < due[0] and due[-1] < timedelta(seconds=30)
    WorkItem.objects.all_tenants().update(order_at=clock.now() - timedelta(hours=25))
    make_due()
    send()
    assert states() == [("email", "failed", "retries_exhausted")] * 10


def test_critical_work_probes_what_nothing_else_can_carry_and_leaves_it_alone_otherwise(two: Two) -> None:
    break_down("first")
    rest_is_over("first")
    health._set("first", till=health.now() - 2)
    ask_for(lane=Category.CRITICAL)
    send("send.critical.email")
    assert two.taken() == {"second": 1}
    break_down("second")
    ask_for(lane=Category.CRITICAL)
    send("send.critical.email")
    assert two.taken() == {"first": 1}


def test_refused_credentials_switch_one_account_off_with_one_alert_and_the_other_carries_on(two: Two) -> None:
    two.words["first"] = Outcome(OutcomeKind.MISCONFIGURED, "401", exchange={"status": 401})
    ask_for(25)
    send()
    assert two.taken() == {"first": 25}
    assert list(ProviderAccount.objects.order_by("key").values_list("key", "is_on")) == [
        ("first", False),
        ("second", True),
    ]
    assert list(Alert.objects.all_tenants().values_list("kind", "subject", "ended_at")) == [
        ("account_off", "first", None)
    ]
    send()
    assert two.taken() == {"second": 25}
    assert states() == [("email", "sent", "")] * 25
    assert health.records(["first"])["first"].state == 0
    switch_on(ProviderAccount.objects.get(key="first").id)
    assert Alert.objects.all_tenants().get().ended_at is not None


def test_what_one_country_is_refused_goes_to_the_next_account_and_the_first_stays_on(two: Two) -> None:
    two.words["first"] = Outcome(OutcomeKind.MISCONFIGURED, "21408", exchange={"status": 400})
    ask_for()
    send()
    send()
    assert two.taken() == {"first": 1, "second": 1}
    assert states() == [("email", "sent", "")]
    assert ProviderAccount.objects.filter(is_on=True).count() == 2
    two.words["second"] = two.words["first"]
    ask_for()
    send()
    send()
    assert ("email", "failed", "misconfigured") in states()
    assert [reason for reason, _ in dead()] == ["misconfigured"]
    assert not Alert.objects.all_tenants().exists()


def test_an_opened_breaker_is_one_alert_that_ends_when_it_closes(two: Two) -> None:
    two.words["first"] = DOWN
    ask_for(40)
    send()
    alert = Alert.objects.all_tenants().get()
    assert (alert.kind, alert.subject, alert.ended_at) == ("breaker_open", "first", None)
    assert alert.text == "first (sandbox, email) is in trouble and rests: 503 20x."
    compare_with_health()
    two.words["first"] = OK
    send()
    for _ in range(3):
        rest_is_over("first")
        ask_for()
        send()
    alert.refresh_from_db()
    assert alert.ended_at is not None and Alert.objects.all_tenants().count() == 1


def test_an_alert_that_was_not_written_is_made_up_for_and_one_of_an_emptied_redis_ends(two: Two) -> None:
    break_down("first")
    compare_with_health()
    compare_with_health()
    assert Alert.objects.all_tenants().get().ended_at is None
    health.reset("first")
    compare_with_health()
    assert Alert.objects.all_tenants().get().ended_at is not None


def test_a_device_that_no_account_reaches_is_said_so_and_one_whose_account_is_off_waits(two: Two) -> None:
    create_account(key="push", provider="sandbox", channel=Channel.PUSH, settings={"platforms": ["ios"]})
    rosa = person()
    endpoint(rosa, Channel.PUSH, "token-1", platform="android")
    notify([rosa], mode=KeyMode.LIVE, channels=[Channel.PUSH])
    route()
    send("send.transactional.push")
    assert (two.taken(), states()) == ({}, [("push", "skipped", "no_provider")])
    set_account("push", settings={"platforms": ["android"]})
    ProviderAccount.objects.filter(key="push").update(is_on=False)
    forget_cached()
    notify([rosa], mode=KeyMode.LIVE, channels=[Channel.PUSH], content={"body": "second"})
    route()
    send("send.transactional.push")
    assert (two.taken(), left()) == ({}, [("send.transactional.push", 0)])


def test_healthy_accounts_cost_one_trip_to_redis_and_one_before_each_call_at_most(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[str] = []
    real_ask, real_read = health._ask, health._read
    monkeypatch.setattr(health, "_ask", lambda *a: trips.append(a[1]) or real_ask(*a))
    monkeypatch.setattr(health, "_read", lambda keys: trips.append("read") or real_read(keys))
    ask_for(100)
    send()
    assert two.taken() == {"first": 100}
    assert trips[:1] == ["read"] and trips.count("note") == 1
    assert trips.count("read") <= 1 + len(two.calls)
    trips.clear()
    ask_for()
    send()
    assert trips in ([], ["read"])


def test_what_both_accounts_say_is_recorded_with_its_account(two: Two) -> None:
    two.words["first"] = DOWN
    ask_for(3)
    send()
    send()
    assert sorted((number, account) for number, account, _, _ in attempts()) == [(1, "first")] * 3 + [(2, "second")] * 3
