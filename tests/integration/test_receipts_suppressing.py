"""What receipts stop: addresses that bounce, hard at once and soft after many over days, and whatever a person says no to."""

from datetime import timedelta
from typing import Any

import pytest

from apps.core import clock, ids
from apps.ledger.models import Delivery
from apps.preferences.models import Preference, SoftBounce, Suppression
from apps.receipts import tasks
from apps.receipts.models import ReceiptCall
from tests.integration.receipts_cast import AT, apply, call, event, sent

pytestmark = pytest.mark.django_db


def test_a_flood_of_bounces_suppresses_every_address() -> None:
    """E24."""
    people = [sent(f"user{number}") for number in range(120)]
    for start in range(0, 120, 10):
        call(*(event(one, "bounced") for one in people[start : start + 10]))
    apply()
    rows = Suppression.objects.of(people[0].tenant)
    assert {bytes(row.address_hash) for row in rows} == {one.address_hash for one in people}
    assert {(row.reason, row.source) for row in rows} == {("hard_bounce", "sandbox-email")}


def test_soft_bounces_count_and_suppress_only_after_many_over_days() -> None:
    bea = sent()
    for number, day in enumerate((0, 1, 2, 3, 4)):
        call(event(bea, "soft_bounced", day=day))
        apply()
        assert SoftBounce.objects.of(bea.tenant).get().count == number + 1
    assert not Suppression.objects.of(bea.tenant).exists()
    call(event(bea, "soft_bounced", day=7))
    apply()
    row = Suppression.objects.of(bea.tenant).get()
    assert (row.reason, row.source, bytes(row.address_hash)) == ("soft_bounce", "sandbox-email", bea.address_hash)
    assert not SoftBounce.objects.of(bea.tenant).exists()
    assert bea.status == "sent"


def test_a_success_begins_the_count_of_soft_bounces_anew() -> None:
    bea = sent()
    call(*(event(bea, "soft_bounced", day=day) for day in range(9)), event(bea, "delivered", day=9))
    call(event(bea, "soft_bounced", day=10))
    apply()
    row = SoftBounce.objects.of(bea.tenant).get()
    assert (row.endpoint_id, row.count, row.since) == (bea.endpoint, 1, AT + timedelta(days=10))
    assert not Suppression.objects.of(bea.tenant).exists()


def test_counts_of_a_year_ago_are_forgotten() -> None:
    bea, rosa = sent(), sent("rosa")
    for one, days in ((bea, 364), (rosa, 366)):
        since = clock.now() - timedelta(days=days)
        SoftBounce.objects.create(endpoint_id=one.endpoint, tenant_id=one.tenant, count=2, since=since)
    tasks.forget_soft_bounces()
    assert [row.endpoint_id for row in SoftBounce.objects.of(bea.tenant)] == [bea.endpoint]


def test_deferrals_are_no_soft_bounces() -> None:
    bea = sent()
    call(*(event(bea, "deferred", day=day) for day in range(20)))
    apply()
    assert not SoftBounce.objects.of(bea.tenant).exists()
    assert not Suppression.objects.of(bea.tenant).exists()


def test_soft_bounces_never_suppress_when_that_is_switched_off(settings: Any) -> None:
    settings.SOFT_BOUNCE_LIMIT = 0
    bea = sent()
    call(*(event(bea, "soft_bounced", day=day) for day in range(20)))
    apply()
    assert not Suppression.objects.of(bea.tenant).exists()


@pytest.mark.parametrize("kind", ["complained", "opted_out"])
def test_a_persons_no_switches_marketing_off_for_whatever_address_comes_next(kind: str) -> None:
    bea, rosa = sent(), sent("rosa")
    call(event(bea, kind), event(bea, kind, day=1), event(rosa, "bounced"))
    apply()
    row = Preference.objects.of(bea.tenant).get()
    assert (row.topic, row.channel, row.is_on, row.source) == ("category:marketing", "email", False, "receipt")
    assert row.recipient_id == Delivery.objects.of(bea.tenant).get(id=bea.delivery).recipient_id


def test_a_persons_no_outweighs_an_earlier_yes() -> None:
    bea = sent()
    recipient = Delivery.objects.of(bea.tenant).get(id=bea.delivery).recipient_id
    yes = {"topic": "category:marketing", "channel": "email", "is_on": True, "source": "api"}
    Preference.objects.create(tenant_id=bea.tenant, recipient_id=recipient, **yes)
    call(event(bea, "complained"))
    apply()
    row = Preference.objects.of(bea.tenant).get()
    assert (row.is_on, row.source) == (False, "receipt")


def test_a_no_of_somebody_who_is_gone_stops_nothing() -> None:
    bea, rosa = sent(), sent("rosa")
    Delivery.objects.of(bea.tenant).filter(id=bea.delivery).update(recipient_id=ids.new())
    stored = call(event(bea, "complained"), event(rosa, "complained"))
    apply()
    assert ReceiptCall.objects.get(id=stored).applied_at is not None
    assert Preference.objects.of(bea.tenant).count() == 1
