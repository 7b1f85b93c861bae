"""Frequency caps through the real gate: what counts, what is refused, what is given back, and never one too many."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.audience.models import Recipient
from apps.core import clock, redis
from apps.core.enums import Category, Channel, KeyMode, OutcomeKind
from apps.core.types import Outcome
from apps.ledger.models import Delivery, WorkItem
from apps.preferences import counting
from tests.integration import caps_cast
from tests.integration.caps_cast import cap, counted_since, sent
from tests.integration.dispatch_cast import (
    Carrier,
    endpoint,
    left,
    make_due,
    notify,
    person,
    route,
    send,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted(rung: list[str], carrier: Carrier) -> Iterator[None]:
    caps_cast.begin()
    yield
    caps_cast.end()


def rosa(*channels: Channel) -> UUID:
    """With an address on each."""
    found = person()
    for channel in channels or (Channel.EMAIL,):
        endpoint(found, channel, f"{channel.value}-of-rosa")
    return found


def test_the_one_too_many_is_skipped_and_says_why() -> None:
    cap(2, name="two an hour")
    notify([rosa()] * 3)
    route()
    send()
    assert states() == [("email", "sent", ""), ("email", "sent", ""), ("email", "skipped", "frequency_cap")]
    because = Delivery.objects.all_tenants().get(status="skipped").because
    assert because.items() >= {"cap": "two an hour", "limit": 2, "period": "rolling", "rule": "capped"}.items()
    assert left() == []


def test_channels_count_together_where_the_cap_names_none_and_the_feed_does_not() -> None:
    cap(2)
    who = rosa(Channel.EMAIL, Channel.SMS)
    notify([who], channels=[Channel.SMS, Channel.EMAIL, Channel.IN_APP])
    notify([who], channels=[Channel.SMS, Channel.IN_APP])
    route()
    for channel in ("email", "sms", "in_app"):
        send(f"send.transactional.{channel}")
    assert sorted(states()) == [
        ("email", "sent", ""),
        ("in_app", "delivered", ""),
        ("in_app", "delivered", ""),
        ("sms", "sent", ""),
        ("sms", "skipped", "frequency_cap"),
    ]


def test_all_caps_or_none() -> None:
    """What one cap refuses takes no place under the others."""
    cap(1, name="mails", channel="email")
    cap(2, name="all")
    who = rosa(Channel.EMAIL, Channel.SMS)
    notify([who] * 3)
    route()
    send()
    notify([who], channels=[Channel.SMS])
    route()
    send("send.transactional.sms")
    assert sent() == {"email": 1, "sms": 1}


def test_the_devices_of_a_person_are_one_and_another_person_another() -> None:
    cap(1, channel="push")
    who, otto = rosa(), person("otto")
    for device in ("a", "b", "c"):
        endpoint(who, Channel.PUSH, device, platform="android")
    endpoint(otto, Channel.PUSH, "d", platform="android")
    notify([who, otto], channels=[Channel.PUSH])
    route()
    send("send.transactional.push")
    assert sent() == {"push": 4}
    notify([who], channels=[Channel.PUSH])
    route()
    send("send.transactional.push")
    assert sent() == {"push": 4} and states().count(("push", "skipped", "frequency_cap")) == 3


def test_critical_is_neither_counted_nor_refused_and_test_keys_count_by_themselves() -> None:
    cap(1)
    who = rosa()
    notify([who] * 3, category=Category.CRITICAL)
    route("critical")
    send("send.critical.email")
    notify([who], mode=KeyMode.TEST)
    route()
    send()
    assert sent() == {"email": 4}
    assert redis.quick().keys("cap:r:*") == [] and len(redis.quick().keys("cap:t:*")) == 1


def test_a_retry_does_not_count_twice_and_what_gave_up_gives_back(
    carrier: Carrier, django_capture_on_commit_callbacks: Any
) -> None:
    cap(1)
    who = rosa()
    carrier.says = [
        Outcome(OutcomeKind.TRANSIENT, "500"),
        Outcome(OutcomeKind.REJECTED, "no"),
        Outcome(OutcomeKind.ACCEPTED),
    ]
    notify([who])
    route()
    send()
    make_due()
    with django_capture_on_commit_callbacks(execute=True):
        send()
    assert states() == [("email", "failed", "rejected")]
    notify([who])
    route()
    send()
    assert sent() == {"email": 1}


def test_a_device_that_is_gone_gives_nothing_back_while_another_was_reached(
    carrier: Carrier, django_capture_on_commit_callbacks: Any
) -> None:
    cap(1)
    who = person()
    for device in ("a", "b"):
        endpoint(who, Channel.PUSH, device, platform="android")
    dead = {"a": Outcome(OutcomeKind.INVALID_ADDRESS, "gone")}
    carrier.send = lambda account, messages, **_: [dead.get(m.address, Outcome(OutcomeKind.ACCEPTED)) for m in messages]  # type: ignore[method-assign]
    with django_capture_on_commit_callbacks(execute=True):
        notify([who], channels=[Channel.PUSH])
        route()
        send("send.transactional.push")
        notify([who], channels=[Channel.PUSH])
        route()
        send("send.transactional.push")
    assert sorted(states()) == [
        ("push", "failed", "invalid_address"),
        ("push", "sent", ""),
        ("push", "skipped", "frequency_cap"),
    ]


@pytest.mark.parametrize(("period", "later"), [("day", timedelta(days=1)), ("week", timedelta(days=7))])
def test_a_calendar_day_is_the_recipients_own(period: str, later: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    cap(1, period=period)
    Recipient.objects.filter(id=(who := rosa())).update(timezone="Asia/Kathmandu")
    # Sunday, a minute before midnight in Kathmandu
    moment = datetime(2026, 11, 22, 18, 14, tzinfo=UTC)
    for number, at in enumerate((moment, moment, moment + timedelta(minutes=1), moment + timedelta(minutes=2)), 1):
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        counted_since(at - timedelta(days=30))
        notify([who])
        WorkItem.objects.all_tenants().update(due_at=datetime(2026, 1, 1, tzinfo=UTC))
        route()
        send()
        assert Delivery.objects.all_tenants().count() == number
    statuses = Delivery.objects.all_tenants().order_by("id").values_list("status", flat=True)
    assert Counter(statuses) == {"sent": 2, "skipped": 2}


def test_without_caps_redis_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(counting, "reserve", asked)
    notify([rosa()])
    route()
    send()
    assert sent() == {"email": 1}


def test_a_batch_takes_one_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    cap(5), cap(6, period="day"), cap(7, channel="email")
    real, trips = counting.reserve, []
    monkeypatch.setattr(counting, "reserve", lambda units, **rest: trips.append(len(units)) or real(units, **rest))
    notify([rosa()] * 9)
    route()
    send()
    assert (trips, sent()) == ([9], {"email": 5})


def test_what_is_cancelled_while_it_waits_for_another_try_gives_its_place_back(carrier: Carrier) -> None:
    from apps.dispatch import capping
    from apps.ledger.services import cancel_notification

    cap(1)
    who = rosa()
    carrier.says = [Outcome(OutcomeKind.TRANSIENT, "500"), Outcome(OutcomeKind.ACCEPTED)]
    (n,) = notify([who])
    route()
    send()
    assert cancel_notification(tenant_id=tenant(), notification_id=n, by="test")
    capping.give_back((), [tenant()], [n])
    notify([who])
    route()
    send()
    assert sent() == {"email": 1}
