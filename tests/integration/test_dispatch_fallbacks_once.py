"""A channel of a chain gives up once, whoever notices it and when: several devices, threads, late bounces, operators, doubts."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

import pytest
from django.db import connection

from apps.core.enums import Category, Channel, EventKind
from apps.core.rows import atomic
from apps.dispatch.fallback import fall_back
from apps.ledger import services
from apps.ledger.models import Delivery, WorkItem
from tests.integration.dispatch_cast import ACCEPTED, Carrier, endpoint, left, person, soon, states, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import SILENT, drained, later, planned, reached, told
from tests.integration.doubts_cast import quiet as quiet
from tests.integration.fallbacks_cast import gave_up, receipts_say, refuses, run, sent_by, shipped

pytestmark = pytest.mark.django_db
PUSH, EMAIL, SMS, IN_APP = Channel
T = Category.TRANSACTIONAL


def test_push_gives_up_when_its_last_device_does(carrier: Carrier) -> None:
    rosa = reached(PUSH, SMS)
    endpoint(rosa, PUSH, "token-2")
    shipped(who=rosa)
    first = Delivery.objects.of(tenant()).order_by("id").first()
    assert first is not None
    with atomic():
        Delivery.objects.of(tenant()).filter(id=first.id).update(status="failed", reason="invalid_address")
        assert fall_back([gave_up(first)]) == set()
    refuses(carrier, PUSH)
    run()
    assert (sent_by(carrier), told()) == (["push", "sms"], ["fell_back"])


@pytest.mark.django_db(transaction=True)
def test_eight_threads_that_see_it_give_up_make_one_turn(carrier: Carrier) -> None:
    """Late receipts, a failing retry, a rescuer: whoever notices, and although Rosa gets a new number meanwhile."""
    n = shipped(PUSH, SMS)
    push = Delivery.objects.of(tenant()).get()
    Delivery.objects.of(tenant()).filter(id=push.id).update(status="failed", reason="invalid_address")
    WorkItem.objects.all_tenants().delete()

    def notice(_: int) -> None:
        try:
            for _ in range(5):
                with atomic():
                    fall_back([gave_up(push)])
                drained(T)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(notice, range(8)))
    run()
    endpoint(person(), SMS, "+4915112345679")
    with atomic():
        fall_back([gave_up(push)])
    run()
    assert (sent_by(carrier), told()) == (["sms"], ["fell_back"])
    assert Delivery.objects.of(tenant()).filter(notification_id=n, channel="sms").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_devices_that_give_up_at_the_same_time_are_not_both_overlooked(carrier: Carrier) -> None:
    """Neither transaction sees the other's failure, but the second waits for the first."""
    rosa = reached(PUSH, SMS)
    endpoint(rosa, PUSH, "token-2")
    shipped(who=rosa)
    first, second = Delivery.objects.of(tenant()).filter(channel="push").order_by("id")
    has_looked = Event()

    def fails(one: Delivery, after: Event | None) -> None:
        try:
            if after:
                after.wait(10)
            with atomic():
                Delivery.objects.of(tenant()).filter(id=one.id).update(status="failed", reason="invalid_address")
                fall_back([gave_up(one)])
                if not after:
                    has_looked.set()
                    sleep(0.5)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(fails, (first, second), (None, has_looked)))
    assert told() == ["fell_back"]
    assert [queue for queue, _ in left() if queue.startswith("route.")] == ["route.transactional"]


def test_a_late_bounce_does_not_bring_a_third_channel(carrier: Carrier) -> None:
    """Push was waited for no longer, the SMS is on its way, then push bounces: the mail is not sent."""
    shipped(PUSH, SMS, EMAIL, fallback_after_seconds=60)
    run()
    Delivery.objects.of(tenant()).update(sent_at=soon(-61))
    later(100)
    run()
    assert sent_by(carrier) == ["push", "sms"]
    receipts_say(EventKind.FAILED, PUSH)
    receipts_say(EventKind.DELIVERED, SMS)
    later(3600)
    run()
    assert (sent_by(carrier), left()) == (["push", "sms"], [])


def test_an_operators_second_try_does_not_repeat_the_chain(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS)
    refuses(carrier, PUSH)
    run()
    services.retry_notification(tenant_id=tenant(), notification_id=n, by="mira")
    from apps.audience.models import Endpoint

    Endpoint.objects.of(tenant()).filter(channel="push").update(retired_at=None)
    endpoint(person(), SMS, "+4915112345679")
    later(1)
    run()
    assert (sent_by(carrier), told()) == (["push", "sms", "push"], ["fell_back", "retried"])


def test_a_critical_doubt_moves_on_to_the_next_channel_and_the_first_stays_a_doubt(carrier: Carrier) -> None:
    shipped(PUSH, SMS, category=Category.CRITICAL)
    carrier.says = [SILENT, ACCEPTED]
    drained(Category.CRITICAL, PUSH)
    assert planned() == [("doubt", "next_channel", 10)]
    later(10)
    drained(Category.CRITICAL, PUSH)
    run(Category.CRITICAL)
    assert states() == [("push", "unknown", "in_doubt"), ("sms", "sent", "")]
    assert (sent_by(carrier), told(), left()) == (["push", "sms"], ["fell_back"], [])


def test_the_last_channel_of_a_chain_is_sent_once_more_instead(carrier: Carrier) -> None:
    shipped(SMS, category=Category.CRITICAL, chain=["push", "sms"])
    carrier.says = [SILENT, ACCEPTED]
    drained(Category.CRITICAL, SMS)
    assert planned() == [("doubt", "resend", 3)]
    later(3)
    drained(Category.CRITICAL, SMS)
    assert (sent_by(carrier), told()) == (["sms", "sms"], ["resent"])


def test_a_device_in_doubt_beside_one_that_was_reached_is_sent_once_more(carrier: Carrier) -> None:
    """Push as a whole has not given up, so there is no next channel."""
    rosa = reached(PUSH, SMS)
    endpoint(rosa, PUSH, "token-2")
    shipped(who=rosa, category=Category.CRITICAL)
    carrier.max_batch = 1  # type: ignore[misc]
    carrier.says = [SILENT, ACCEPTED]
    drained(Category.CRITICAL, PUSH)
    later(10)
    drained(Category.CRITICAL, PUSH)
    run(Category.CRITICAL)
    assert (sent_by(carrier), told()) == (["push"] * 3, ["resent"])
