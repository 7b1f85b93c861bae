"""Chains that wait for proof of arrival: silence hands over after the event type's time, a sign of arrival ends the wait."""

import pytest

from apps.core import clock
from apps.core.enums import Category, Channel, EventKind
from apps.core.types import Engagement
from apps.dispatch.engagement import note_engagement
from apps.ledger.models import Delivery, WorkItem
from apps.ledger.selectors import notifications
from apps.ledger.timeline import timeline
from tests.integration.dispatch_cast import Carrier, claimed, left, soon, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import drained, later, planned, told
from tests.integration.doubts_cast import quiet as quiet
from tests.integration.fallbacks_cast import receipts_say, refuses, run, sent_by, shipped

pytestmark = pytest.mark.django_db
PUSH, EMAIL, SMS, IN_APP = Channel
T = Category.TRANSACTIONAL


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
    receipts_say(kind, PUSH)
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
    receipts_say(EventKind.DELIVERED, PUSH)
    later(400)
    run()
    assert notifications([n])[n].data == {"code": "[erased]"}
