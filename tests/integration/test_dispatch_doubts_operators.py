"""Operators and doubts: a try of their own instead of the plan, and the plan taken back."""

from typing import Any

import pytest

from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import Outcome
from apps.ledger import services
from apps.ledger.models import DeliveryEvent
from tests.integration.dispatch_cast import ACCEPTED, Carrier, attempts, delivery, left, state, states, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import drained, every_hour, in_doubt, later, planned, routed, told
from tests.integration.doubts_cast import quiet as quiet

pytestmark = pytest.mark.django_db
CRITICAL, TRANSACTIONAL, SOCIAL, MARKETING = Category
PUSH, EMAIL, SMS, _ = Channel


def test_an_operators_try_takes_the_place_of_the_plan_and_the_numbers_go_on(carrier: Carrier) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS, ACCEPTED)
    n = delivery().notification_id
    with pytest.raises(services.NothingToDoError):
        services.retry_notification(tenant_id=tenant(), notification_id=n, by="mira")
    assert planned() == [("doubt", "resend", 3)]
    services.retry_notification(tenant_id=tenant(), notification_id=n, by="mira", may_duplicate=True)
    assert (planned(), delivery().duplicate_possible) == ([("send", "", 0)], True)
    drained(CRITICAL, SMS)
    every_hour(CRITICAL, SMS)
    assert ([number for number, *_ in attempts()], len(carrier.calls), state(id_)) == ([1, 2], 2, ("sent", ""))
    event = DeliveryEvent.objects.all_tenants().get()
    assert (event.kind, event.code, event.source) == ("retried", "may_duplicate", "mira")


def test_what_is_being_sent_once_more_cannot_be_retried_meanwhile(carrier: Carrier) -> None:
    in_doubt(carrier, CRITICAL, SMS, ACCEPTED)
    later(3)
    n = delivery().notification_id

    def retry(_: Any) -> None:
        with pytest.raises(services.NothingToDoError):
            services.retry_notification(tenant_id=tenant(), notification_id=n, by="mira", may_duplicate=True)

    carrier.during = retry
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), states(), left()) == (2, [("sms", "sent", "")], [])


def test_numbers_go_on_after_a_failure_too(carrier: Carrier) -> None:
    id_ = routed(TRANSACTIONAL, EMAIL)
    carrier.says = [Outcome(OutcomeKind.REJECTED, "no"), ACCEPTED]
    drained(TRANSACTIONAL, EMAIL)
    services.retry_notification(tenant_id=tenant(), notification_id=delivery().notification_id, by="mira")
    later(1)
    drained(TRANSACTIONAL, EMAIL)
    assert ([number for number, *_ in attempts()], state(id_)) == ([1, 2], ("sent", ""))
    assert not delivery().duplicate_possible


def test_cancelling_takes_the_plan_back_and_the_doubt_stays(carrier: Carrier) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS)
    services.cancel_notification(tenant_id=tenant(), notification_id=delivery().notification_id, by="mira")
    assert (left(), state(id_), told()) == ([], ("unknown", "in_doubt"), ["cancelled"])
    with pytest.raises(services.NothingToDoError):
        services.cancel_notification(tenant_id=tenant(), notification_id=delivery().notification_id, by="mira")
