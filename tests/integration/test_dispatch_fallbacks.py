"""Fallback chains: the first channel alone at the start, the next one exactly once, through the brain, and never too late."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.enums import Category, Channel, DeliveryStatus, EventKind, OutcomeKind, Reason
from apps.core.rows import atomic
from apps.core.types import Engagement, OutboundMessage, Outcome
from apps.dispatch import draining
from apps.dispatch.engagement import note_engagement
from apps.dispatch.fallback import GaveUp, after_receipts, fall_back
from apps.dispatch.rescue import rescue
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger import services
from apps.ledger.models import Attempt, Delivery, DeliveryEvent, Notification, SeenKey, WorkItem
from apps.ledger.receipts import record
from apps.ledger.selectors import notifications, summary
from apps.ledger.timeline import timeline
from apps.preferences.models import Preference, Suppression
from tests.integration.dispatch_cast import (
    ACCEPTED,
    Carrier,
    claimed,
    counts,
    endpoint,
    lapse_leases,
    left,
    notify,
    person,
    soon,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import ADDRESS, SILENT, drained, event_type, later, planned, reached, told

pytestmark = pytest.mark.django_db
PUSH, EMAIL, SMS, IN_APP = Channel
T = Category.TRANSACTIONAL
CHAIN = ["push", "sms", "email"]
GONE = Outcome(OutcomeKind.INVALID_ADDRESS, "unregistered")


@pytest.fixture(autouse=True)
def quiet(rung: list[str], carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_event_types()
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)


def shipped(
    *channels: Channel, who: UUID | None = None, category: Category = T, chain: Any = CHAIN, **wish: Any
) -> UUID:
    """Rosa's notification of an event type with a chain, routed. She has an address on each of `channels`."""
    fields = {name: wish.pop(name) for name in ("fallback_after_seconds", "sensitive_keys") if name in wish}
    event_type("order.shipped", category=category, fallback=chain, **fields)
    rosa = who or reached(*channels)
    content = {"title": "a", "body": "b"}
    (n,) = notify([rosa], category=category, event_type="order.shipped", content=content, **{"channels": [PUSH]} | wish)
    drained(category)
    return n


def run(category: Category = T) -> None:
    """Whatever is due, until nothing is."""
    for _ in range(5):
        drained(category)
        for channel in (PUSH, SMS, EMAIL, IN_APP):
            drained(category, channel)


def refuses(carrier: Carrier, *channels: Channel, outcome: Outcome = GONE) -> None:
    """These channels refuse, the others accept."""

    def send(
        account: Any, messages: Sequence[OutboundMessage], *, deadline: float, on_wait: object = None
    ) -> list[Outcome]:
        carrier.calls.append(list(messages))
        return [outcome if m.channel in channels else ACCEPTED for m in messages]

    carrier.send = send  # type: ignore[method-assign]


def sent_by(carrier: Carrier) -> list[str]:
    return [message.channel.value for message in carrier.messages]


def test_only_the_first_channel_of_a_chain_is_sent_at_the_start(carrier: Carrier) -> None:
    shipped(PUSH, SMS, EMAIL, channels=[PUSH, SMS, EMAIL, IN_APP])
    assert states() == [("in_app", "queued", ""), ("push", "queued", "")]
    run()
    assert (sent_by(carrier), left(), told()) == (["push"], [], [])


def test_a_channel_that_gives_up_hands_over_to_the_next(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS, EMAIL)
    refuses(carrier, PUSH, SMS)
    run()
    assert sent_by(carrier) == ["push", "sms", "email"]
    assert states() == [
        ("email", "sent", ""),
        ("push", "failed", "invalid_address"),
        ("sms", "failed", "invalid_address"),
    ]
    said = [e.text for e in timeline(tenant_id=tenant(), notification_id=n) if e.kind == "fell_back"]
    assert said == [
        "Push gave up: The provider says that this address does not exist. Trying SMS.",
        "SMS gave up: The provider says that this address does not exist. Trying Email.",
    ]
    events = DeliveryEvent.objects.all_tenants().order_by("id").values_list("kind", "code", "detail", "source")
    assert list(events) == [
        ("fell_back", "sms", "invalid_address", "policy"),
        ("fell_back", "email", "invalid_address", "policy"),
    ]
    assert left() == []


def status(n: UUID) -> str:
    found = summary(tenant_id=tenant(), notification_id=n, now=clock.now())
    assert found is not None
    return found.status.value


def test_it_has_not_failed_while_a_channel_waits_for_its_turn(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS, chain=["push", "sms"])
    refuses(carrier, PUSH, SMS)
    drained(T, PUSH)
    assert (states(), status(n)) == ([("push", "failed", "invalid_address")], "queued")
    drained(T)
    assert status(n) == "queued"
    drained(T, SMS)
    assert status(n) == "failed"


def test_at_the_end_of_the_chain_nothing_more_is_tried(carrier: Carrier) -> None:
    shipped(PUSH, SMS, EMAIL)
    refuses(carrier, PUSH, SMS, EMAIL)
    run()
    assert (sent_by(carrier), left()) == (["push", "sms", "email"], [])
    assert {status for _, status, _ in states()} == {"failed"}


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(OutcomeKind.OPTED_OUT, "stop"),
        Outcome(OutcomeKind.REJECTED, "too_long"),
        Outcome(OutcomeKind.TRANSIENT, "500"),
    ],
)
def test_every_way_to_give_up_hands_over(carrier: Carrier, outcome: Outcome) -> None:
    shipped(PUSH, SMS)
    refuses(carrier, PUSH, outcome=outcome)
    for _ in range(7):
        run()
        later(900)
    calls = 6 if outcome.kind == OutcomeKind.TRANSIENT else 1
    assert (sent_by(carrier), told()) == (["push"] * calls + ["sms"], ["fell_back"])


def test_what_cannot_be_reached_is_passed_over_when_it_is_decided(carrier: Carrier) -> None:
    """No device, a suppressed number: both withheld with their reasons, and the mail goes at once."""
    rosa = reached(SMS, EMAIL)
    from apps.audience.models import Endpoint

    number = Endpoint.objects.of(tenant()).get(channel="sms")
    Suppression.objects.create(tenant_id=tenant(), channel="sms", address_hash=number.address_hash, reason="manual")
    shipped(who=rosa)
    assert states() == [("email", "queued", ""), ("push", "skipped", "no_endpoint"), ("sms", "skipped", "suppressed")]
    run()
    assert sent_by(carrier) == ["email"]


def test_a_no_to_one_channel_is_not_a_no_to_the_next_but_each_is_asked(carrier: Carrier) -> None:
    rosa = reached(PUSH, SMS, EMAIL)
    for channel in ("push", "sms"):
        Preference.objects.create(tenant_id=tenant(), recipient_id=rosa, topic="*", channel=channel, is_on=False)
    shipped(who=rosa)
    run()
    assert sent_by(carrier) == ["email"]
    Preference.objects.create(tenant_id=tenant(), recipient_id=rosa, topic="*", channel="email", is_on=False)
    content = {"title": "a", "body": "b"}
    notify([rosa], event_type="order.shipped", content=content, channels=[PUSH])
    later(1)
    run()
    assert sent_by(carrier) == ["email"]


def test_what_no_channel_would_change_ends_the_chain(carrier: Carrier) -> None:
    shipped(PUSH, SMS, EMAIL, expires_at=soon(-1))
    assert states() == [("push", "expired", "expired")]
    run()
    assert (sent_by(carrier), left(), told()) == ([], [], [])


def test_what_is_withheld_at_the_last_moment_hands_over_too(carrier: Carrier) -> None:
    from apps.audience.models import Endpoint

    shipped(PUSH, SMS)
    Endpoint.objects.of(tenant()).filter(channel="push").update(retired_at=clock.now())
    run()
    assert (sent_by(carrier), told()) == (["sms"], ["fell_back"])


def test_content_that_cannot_be_rendered_for_one_channel_hands_over(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.dispatch import preparing
    from apps.templates.rendering import RenderError

    real = preparing.render

    def render(n: Any, facts: Any, person: Any, channel: Channel, *rest: Any) -> Any:
        if channel == PUSH:
            raise RenderError("missing", "`data.x` is missing.")
        return real(n, facts, person, channel, *rest)

    monkeypatch.setattr(preparing, "render", render)
    shipped(PUSH, SMS)
    run()
    assert (sent_by(carrier), states()) == (["sms"], [("push", "failed", "template_error"), ("sms", "sent", "")])


def test_what_kills_workers_is_not_handed_over(carrier: Carrier) -> None:
    shipped(PUSH, SMS)
    WorkItem.objects.all_tenants().update(expiries=3)
    from apps.ledger import work

    assert len(work.claim_lone(queue="send.transactional.push", lease=work.timedelta(seconds=30))) == 1
    lapse_leases()
    rescue()
    run()
    assert (states(), sent_by(carrier)) == ([("push", "failed", "poisoned")], [])


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


def gave_up(d: Delivery) -> GaveUp:
    return GaveUp(d.notification_id, d.id, Channel(d.channel), Reason.INVALID_ADDRESS)


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


def receipts_say(carrier: Carrier, kind: EventKind, channel: Channel) -> None:
    from apps.core import ids
    from apps.core.types import Receipt

    delivery = Delivery.objects.of(tenant()).get(channel=channel)
    attempt = Attempt.objects.all_tenants().get(delivery_id=delivery.id)
    said = Receipt(f"{kind}-{channel}", kind, clock.now(), reference=ids.show(ids.ATTEMPT, attempt.id))
    for _ in range(2):
        after_receipts(record([(f"sandbox-{channel}", said)]).applied)


@pytest.mark.parametrize("kind", [EventKind.BOUNCED, EventKind.FAILED])
def test_a_receipt_that_says_no_hands_over(carrier: Carrier, kind: EventKind) -> None:
    shipped(EMAIL, SMS, chain=["email", "sms"], channels=[EMAIL])
    run()
    assert states() == [("email", "sent", "")]
    receipts_say(carrier, kind, EMAIL)
    run()
    assert (sent_by(carrier), told()) == (["email", "sms"], [kind.value, "fell_back"])


def test_a_late_bounce_does_not_bring_a_third_channel(carrier: Carrier) -> None:
    """Push was waited for no longer, the SMS is on its way, then push bounces: the mail is not sent."""
    shipped(PUSH, SMS, EMAIL, fallback_after_seconds=60)
    run()
    Delivery.objects.of(tenant()).update(sent_at=soon(-61))
    later(100)
    run()
    assert sent_by(carrier) == ["push", "sms"]
    receipts_say(carrier, EventKind.FAILED, PUSH)
    receipts_say(carrier, EventKind.DELIVERED, SMS)
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


def test_nothing_is_handed_over_after_the_expiry(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS, expires_at=soon(600))
    refuses(carrier, PUSH)
    drained(T, PUSH)
    assert [(kind, when) for kind, _, when in planned()] == [("fallback", 0)]
    assert WorkItem.objects.all_tenants().get().expires_at == Notification.objects.of(tenant()).get(id=n).expires_at
    WorkItem.objects.all_tenants().delete()
    SeenKey.objects.all().delete()
    Notification.objects.of(tenant()).update(expires_at=soon(-1000))
    with atomic():
        assert fall_back([gave_up(Delivery.objects.of(tenant()).get())]) == set()
    assert (left(), sent_by(carrier)) == ([], ["push"])


def test_cancelling_takes_the_next_turn_back(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS)
    refuses(carrier, PUSH)
    drained(T, PUSH)
    services.cancel_notification(tenant_id=tenant(), notification_id=n, by="mira")
    run()
    assert (left(), sent_by(carrier), told()) == ([], ["push"], ["fell_back", "cancelled"])


def test_codes_live_as_long_as_a_channel_waits_for_its_turn(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS, sensitive_keys=["code"], data={"code": "4711"})
    refuses(carrier, PUSH)
    drained(T, PUSH)
    assert notifications([n])[n].data == {"code": "4711"}
    run()
    assert (sent_by(carrier), notifications([n])[n].data) == (["push", "sms"], {"code": "[erased]"})


def test_what_was_erased_is_not_sent_by_a_channel_whose_turn_comes_late(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS, sensitive_keys=["code"], data={"code": "4711"})
    run()
    assert notifications([n])[n].data == {"code": "[erased]"}
    receipts_say(carrier, EventKind.FAILED, PUSH)
    run()
    assert (sent_by(carrier), states()) == (["push"], [("push", "failed", "rejected"), ("sms", "skipped", "erased")])


# without proof of arrival


def test_silence_hands_over_after_the_event_types_time(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS, EMAIL, fallback_after_seconds=300)
    run()
    assert planned() == [("proof", "", 300)]
    last = timeline(tenant_id=tenant(), notification_id=n)[-1]
    assert (last.kind, last.text) == (
        "fallback_planned",
        f"Unless Push has proved its arrival by {WorkItem.objects.all_tenants().get().due_at:%H:%M:%S} UTC, the next channel is tried.",
    )
    Delivery.objects.of(tenant()).update(sent_at=soon(-301))
    later(400)
    run()
    assert (sent_by(carrier), planned()) == (["push", "sms"], [("proof", "", 300)])
    Delivery.objects.of(tenant()).update(sent_at=soon(-301))
    later(400)
    run()
    assert (sent_by(carrier), planned(), told()) == (["push", "sms", "email"], [], ["fell_back", "fell_back"])
    said = [e.text for e in timeline(tenant_id=tenant(), notification_id=n) if e.kind == "fell_back"]
    assert said == [
        "Push gave up: No proof of arrival came in time. Trying SMS.",
        "SMS gave up: No proof of arrival came in time. Trying Email.",
    ]


@pytest.mark.parametrize("kind", [EventKind.DELIVERED, EventKind.OPENED])
def test_a_receipt_ends_the_wait(carrier: Carrier, kind: EventKind) -> None:
    shipped(PUSH, SMS, fallback_after_seconds=300)
    run()
    receipts_say(carrier, kind, PUSH)
    Delivery.objects.of(tenant()).update(sent_at=soon(-301))
    later(400)
    run()
    assert (sent_by(carrier), left()) == (["push"], [])


def test_reading_it_in_the_feed_ends_the_wait(carrier: Carrier) -> None:
    shipped(PUSH, SMS, channels=[PUSH, IN_APP], fallback_after_seconds=300)
    run()
    note_engagement([Engagement(Delivery.objects.of(tenant()).get(channel="in_app").id, EventKind.READ, clock.now())])
    Delivery.objects.of(tenant()).filter(channel="push").update(sent_at=soon(-301))
    later(400)
    run()
    assert (sent_by(carrier), left()) == (["push"], [])


def test_the_wait_begins_when_it_is_sent(carrier: Carrier) -> None:
    shipped(PUSH, SMS, fallback_after_seconds=300)
    WorkItem.objects.all_tenants().filter(kind="send").update(due_at=soon(10_000))
    later(400)
    drained(T)
    assert planned()[0][0] == "proof" and 295 <= planned()[0][2] <= 300
    assert carrier.calls == []


def test_a_failure_before_the_time_is_over_takes_the_timer_over(carrier: Carrier) -> None:
    shipped(PUSH, SMS, chain=["push", "sms"], fallback_after_seconds=300)
    refuses(carrier, PUSH)
    drained(T, PUSH)
    assert planned() == [("fallback", "", 0)]
    run()
    assert (sent_by(carrier), planned()) == (["push", "sms"], [])


def test_a_timer_in_a_workers_hands_is_taken_over_too(carrier: Carrier) -> None:
    """Push fails while the timer is being judged: one turn, whoever comes first."""
    shipped(PUSH, SMS, chain=["push", "sms"], fallback_after_seconds=300)
    later(400)
    works = claimed("route.transactional")
    refuses(carrier, PUSH)
    drained(T, PUSH)
    from apps.dispatch.fallback import judge_proofs

    judge_proofs(works)
    run()
    assert (sent_by(carrier), told(), left()) == (["push", "sms"], ["fell_back"], [])


def test_codes_wait_with_the_timer(carrier: Carrier) -> None:
    n = shipped(PUSH, SMS, fallback_after_seconds=300, sensitive_keys=["code"], data={"code": "4711"})
    run()
    assert notifications([n])[n].data == {"code": "4711"}
    receipts_say(carrier, EventKind.DELIVERED, PUSH)
    later(400)
    run()
    assert notifications([n])[n].data == {"code": "[erased]"}


# in doubt


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


# the cost


@pytest.mark.parametrize("count", [1, 100])
def test_giving_up_takes_a_fixed_number_of_statements(count: int) -> None:
    event_type("order.shipped", category="transactional", fallback=CHAIN)
    from tests.integration.dispatch_cast import people

    content = {"title": "a", "body": "b"}
    notify(people(count), event_type="order.shipped", content=content, channels=[EMAIL])
    drained(T)
    event_type("order.other", category="transactional")
    Delivery.objects.of(tenant()).update(status=DeliveryStatus.FAILED, reason="invalid_address", channel="push")
    given_up = [gave_up(d) for d in Delivery.objects.of(tenant())]
    before = counts()["WorkItem"]
    from apps.core import rows as sql

    ran: list[str] = []
    real = sql.Cursor

    class Counting(real):  # type: ignore[misc, valid-type]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            ran.append(str(query).split()[0])
            return super().execute(query, *args, **kwargs)

    sql.Cursor = Counting  # type: ignore[misc]
    try:
        with CaptureQueriesContext(connection) as seen, atomic():
            assert len(fall_back(given_up)) == count
    finally:
        sql.Cursor = real  # type: ignore[misc]
    assert (len(ran), len([q for q in seen if "SAVEPOINT" not in q["sql"]])) == (5, 1), (ran, list(seen))
    assert counts()["WorkItem"] == before + count


def test_what_has_no_chain_costs_two_questions() -> None:
    event_type("order.shipped", category="transactional")
    assert ADDRESS[SMS].startswith("+")
    content = {"title": "a", "body": "b"}
    notify([reached(EMAIL)], event_type="order.shipped", content=content, channels=[EMAIL])
    drained(T)
    (one,) = Delivery.objects.of(tenant())
    with CaptureQueriesContext(connection) as seen, atomic():
        assert fall_back([gave_up(one)]) == set()
    assert len([q for q in seen if "SAVEPOINT" not in q["sql"]]) == 1
