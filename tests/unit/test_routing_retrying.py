"""What follows an outcome, and when."""

from datetime import timedelta
from random import Random

import pytest

from apps.core.enums import Category, Channel, DeliveryStatus, OutcomeKind, Reason
from apps.core.types import Outcome
from apps.routing.retrying import GIVE_UP_AFTER, JITTER, Progress, Step, delays, next_step, retry_budget

MIDDLE = 0.5


def progress(tries: int = 0, calls: int | None = None, lane: Category = Category.SOCIAL, age: float = 0) -> Progress:
    return Progress(lane, Channel.EMAIL, tries, tries if calls is None else calls, timedelta(seconds=age))


def test_accepted_is_sent_and_no_more() -> None:
    assert next_step(Outcome(OutcomeKind.ACCEPTED), progress(), MIDDLE) == Step(DeliveryStatus.SENT)


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (OutcomeKind.INVALID_ADDRESS, Step(DeliveryStatus.FAILED, Reason.INVALID_ADDRESS, retires_endpoint=True)),
        (OutcomeKind.OPTED_OUT, Step(DeliveryStatus.FAILED, Reason.OPTED_OUT, suppresses=True)),
        (OutcomeKind.REJECTED, Step(DeliveryStatus.FAILED, Reason.REJECTED, is_dead=True)),
        (OutcomeKind.AMBIGUOUS, Step(DeliveryStatus.UNKNOWN, Reason.IN_DOUBT)),
    ],
)
def test_what_ends_it_at_once(kind: OutcomeKind, step: Step) -> None:
    assert next_step(Outcome(kind), progress(), MIDDLE) == step


def test_transient_follows_the_schedule_and_then_gives_up() -> None:
    planned = []
    for tries in range(6):
        step = next_step(Outcome(OutcomeKind.TRANSIENT), progress(tries), MIDDLE)
        planned.append(step)
    assert [s.again_in for s in planned[:5]] == [timedelta(seconds=s) for s in (5, 25, 120, 350, 700)]
    assert all(s.is_burned and s.status is None for s in planned[:5])
    assert planned[5] == Step(DeliveryStatus.FAILED, Reason.RETRIES_EXHAUSTED, is_dead=True)


def test_six_attempts_take_about_twenty_minutes() -> None:
    assert sum(delays(Category.SOCIAL, Channel.PUSH)) == 1200
    assert len(delays(Category.SOCIAL, Channel.PUSH)) == 5


def test_the_most_specific_schedule_counts() -> None:
    assert delays(Category.CRITICAL, Channel.SMS) == (1, 3, 10, 30, 90)
    assert delays(Category.CRITICAL, Channel.EMAIL) == (2, 10, 60, 240, 600)
    assert delays(Category.MARKETING, Channel.EMAIL) == (30, 300, 1200)


def test_throttling_burns_nothing_and_waits_at_least_as_long_as_asked() -> None:
    step = next_step(Outcome(OutcomeKind.THROTTLED, retry_after=60.0), progress(), 0.0)
    assert step == Step(None, again_in=timedelta(seconds=60))
    assert next_step(Outcome(OutcomeKind.THROTTLED), progress(calls=3), 0.0).again_in == timedelta(seconds=8)


def test_a_dead_provider_for_half_an_hour_gets_a_bounded_number_of_calls() -> None:
    calls, elapsed = 0, 0.0
    while elapsed < 1800:
        step = next_step(Outcome(OutcomeKind.PROVIDER_DOWN), progress(calls=calls), 0.0)
        assert step.again_in is not None
        assert not step.is_burned
        elapsed += step.again_in.total_seconds()
        calls += 1
    assert calls == 35


def test_wrong_credentials_switch_the_account_off_and_touch_no_address() -> None:
    step = next_step(Outcome(OutcomeKind.MISCONFIGURED), progress(), 0.0)
    assert step == Step(None, again_in=timedelta(seconds=60), switches_account_off=True)


def test_waiting_ends_after_a_day() -> None:
    old = GIVE_UP_AFTER.total_seconds()
    step = next_step(Outcome(OutcomeKind.PROVIDER_DOWN), progress(age=old), MIDDLE)
    assert step == Step(DeliveryStatus.FAILED, Reason.RETRIES_EXHAUSTED, is_dead=True)


def test_ten_thousand_retries_do_not_come_back_together() -> None:
    chance = Random(7)
    due = [
        next_step(Outcome(OutcomeKind.TRANSIENT), progress(2), chance.random()).again_in or timedelta()
        for _ in range(10_000)
    ]
    seconds = [d.total_seconds() for d in due]
    assert min(seconds) >= 120 * (1 - JITTER)
    assert max(seconds) <= 120 * (1 + JITTER)
    fullest = max(sum(1 for s in seconds if int(s) == second) for second in range(96, 145))
    assert fullest < 10_000 / 48 * 1.5


def test_the_retry_budget_is_the_longest_wait() -> None:
    assert retry_budget() == timedelta(hours=24)
