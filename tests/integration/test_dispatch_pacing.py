"""How fast accounts are called, and which of equals: pauses that a 429 asks for, budgets for retries, rates, weights, distrust."""

from datetime import timedelta
from uuid import UUID

import pytest

from apps.channels import health
from apps.channels.models import ProviderAccount
from apps.core import clock
from apps.core.enums import Category, Channel, KeyMode, OutcomeKind
from apps.core.types import Account, Outcome
from apps.dispatch.accounts import in_order
from apps.ledger.models import WorkItem
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import counts, endpoint, notify, person, route, send
from tests.integration.dispatch_cast import rung as rung
from tests.integration.failover_cast import Two, ask_for, make_due, set_account
from tests.integration.failover_cast import two as two

pytestmark = pytest.mark.django_db
FIRST = Account(UUID(int=1), "first", "sandbox", Channel.EMAIL, "", "", {})


def test_nothing_is_sent_before_the_time_that_a_429_asks_for(two: Two) -> None:
    ProviderAccount.objects.filter(key="second").delete()
    two.words["first"] = Outcome(OutcomeKind.THROTTLED, "429", retry_after=30.0, exchange={"status": 429})
    ask_for(50)
    send()
    assert two.taken() == {"first": 10}
    for _ in range(3):
        make_due()
        send()
    assert two.taken() == {}
    due = [row - clock.now() for row in WorkItem.objects.all_tenants().values_list("due_at", flat=True)]
    assert min(due) > timedelta(seconds=28)
    assert set(WorkItem.objects.all_tenants().values_list("tries", flat=True)) == {0}
    assert sorted(WorkItem.objects.all_tenants().values_list("calls", flat=True)) == [0] * 40 + [1] * 10
    assert counts()["Attempt"] == 10


def test_each_request_asks_whether_others_were_told_to_wait_meanwhile(two: Two) -> None:
    ask_for()
    send()
    assert two.taken() == {"first": 1}
    assert two.asked_wait() == 0.0
    health.told_to_wait(FIRST, 30.0)
    assert 29 < two.asked_wait() <= 30


def test_a_long_pause_of_the_first_is_not_waited_for_where_there_is_a_second(two: Two) -> None:
    two.words["first"] = Outcome(OutcomeKind.THROTTLED, "429", retry_after=30.0, exchange={"status": 429})
    ask_for(30)
    send()
    assert two.taken() == {"first": 10}
    send()
    assert two.taken() == {"second": 30}


def test_a_short_pause_is_waited_for_except_by_critical_work(two: Two) -> None:
    two.words["first"] = Outcome(OutcomeKind.THROTTLED, "429", retry_after=2.0, exchange={"status": 429})
    ask_for()
    send()
    make_due()
    send()
    assert two.taken() == {"first": 1}
    ask_for(lane=Category.CRITICAL)
    send("send.critical.email")
    assert two.taken() == {"second": 1}


def test_retries_keep_to_their_budget_and_critical_ones_need_none(two: Two) -> None:
    ProviderAccount.objects.filter(key="second").delete()
    set_account(
        "first", settings={"breaker_share": 1.0, "breaker_calls": 100000, "retry_rate": 0.1, "retry_share": 0.1}
    )
    two.words["first"] = Outcome(OutcomeKind.TRANSIENT, "500", exchange={"status": 500})
    ask_for(100)
    send()
    assert two.taken() == {"first": 100}
    for _ in range(4):
        make_due()
        send()
    assert two.taken() == {"first": 13}
    assert sorted(WorkItem.objects.all_tenants().values_list("tries", flat=True))[-14:] == [1] + [2] * 13
    ask_for(lane=Category.CRITICAL)
    for _ in range(3):
        send("send.critical.email")
        make_due()
    assert two.taken() == {"first": 3}


def test_a_rate_lets_a_part_go_and_gives_the_rest_its_turn(two: Two) -> None:
    set_account("first", settings={"rate": 20})
    ask_for(50)
    send()
    assert two.taken() == {"first": 16}
    assert counts()["Attempt"] == 16
    due = sorted(WorkItem.objects.all_tenants().values_list("due_at", flat=True))
    assert len(due) == 34 and (due[-1] - due[0]).total_seconds() == pytest.approx(33 / 16, abs=0.01)
    ask_for(lane=Category.CRITICAL)
    send("send.critical.email")
    assert two.taken() == {"first": 1}


def test_mail_to_a_domain_keeps_to_its_rate(two: Two) -> None:
    set_account("first", settings={"domain_rates": {"acme.test": 5}})
    ask_for(20)
    send()
    assert two.taken() == {"first": 5}
    rosa = person("otto")
    endpoint(rosa, address="otto@elsewhere.test")
    notify([rosa], mode=KeyMode.LIVE)
    route()
    send()
    assert two.taken() == {"first": 1}


def test_accounts_of_the_same_order_share_by_weight_always_the_same_way(two: Two) -> None:
    set_account("second", order=1, settings={"weight": 3})
    ask_for(200)
    send()
    taken = two.taken()
    assert sum(taken.values()) == 200 and 15 <= taken["first"] <= 85
    rows = [Account(UUID(int=n), f"a{n}", "smtp", Channel.EMAIL, "", "", {}, order=n // 3) for n in range(5)]
    one = UUID(int=7)
    assert in_order(rows, one) == in_order(list(rows), one)
    assert {a.key for a in in_order(rows, one)[:3]} == {"a0", "a1", "a2"}
    without = [a for a in rows if a.key != "a1"]
    assert [a for a in in_order(rows, one) if a.key != "a1"] == in_order(without, one)


def test_a_distrusted_account_keeps_a_tenth(two: Two) -> None:
    health.distrust("first", 0.4, clock.now() + timedelta(minutes=10))
    ask_for(200)
    send()
    taken = two.taken()
    assert sum(taken.values()) == 200 and 1 <= taken["first"] <= 50
