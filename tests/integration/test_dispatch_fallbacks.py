"""Fallback chains: the first channel alone at the start, the next one through the brain, and never too late."""

from typing import Any
from uuid import UUID

import pytest

from apps.core import clock
from apps.core.enums import Category, Channel, EventKind, OutcomeKind
from apps.core.rows import atomic
from apps.core.types import Outcome
from apps.dispatch.fallback import fall_back
from apps.dispatch.rescue import rescue
from apps.ledger import services
from apps.ledger.models import Delivery, DeliveryEvent, Notification, SeenKey, WorkItem
from apps.ledger.selectors import notifications, summary
from apps.ledger.timeline import timeline
from apps.preferences.models import Preference, Suppression
from tests.integration.dispatch_cast import Carrier, lapse_leases, left, notify, soon, states, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import drained, later, planned, reached, told
from tests.integration.doubts_cast import quiet as quiet
from tests.integration.fallbacks_cast import gave_up, receipts_say, refuses, run, sent_by, shipped

pytestmark = pytest.mark.django_db
PUSH, EMAIL, SMS, IN_APP = Channel
T = Category.TRANSACTIONAL


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


@pytest.mark.parametrize("kind", [EventKind.BOUNCED, EventKind.FAILED])
def test_a_receipt_that_says_no_hands_over(carrier: Carrier, kind: EventKind) -> None:
    shipped(EMAIL, SMS, chain=["email", "sms"], channels=[EMAIL])
    run()
    assert states() == [("email", "sent", "")]
    receipts_say(kind, EMAIL)
    run()
    assert (sent_by(carrier), told()) == (["email", "sms"], [kind.value, "fell_back"])


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
    receipts_say(EventKind.FAILED, PUSH)
    run()
    assert (sent_by(carrier), states()) == (["push"], [("push", "failed", "rejected"), ("sms", "skipped", "erased")])
