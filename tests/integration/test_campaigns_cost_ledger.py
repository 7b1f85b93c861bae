"""What it will cost and what it did, against people, texts and the ledger as they are."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.audience.models import Endpoint, Recipient
from apps.campaigns import costing
from apps.campaigns.approving import considered
from apps.channels.models import ProviderAccount
from apps.channels.selectors import forget_cached
from apps.core import clock, ids
from apps.core.types import Tenant
from apps.ledger.broadcasts import begin_of
from apps.ledger.models import Attempt, Delivery, Notification
from tests.integration import campaign_agreements_cast as cast
from tests.integration import campaign_runs_cast as runs
from tests.integration import templates_cast
from tests.integration.campaign_agreements_cast import NOON

pytestmark = pytest.mark.django_db
LAST_YEAR = datetime(2020, 1, 1, tzinfo=UTC)
SHORT = "Hi {{ recipient.name }}, spring! Stop: {{ vars.unsubscribe_url }}"


@pytest.fixture
def tenant() -> Tenant:
    forget_cached()
    tenant = templates_cast.tenant()
    templates_cast.publish(tenant, "spring", templates_cast.sms(SHORT), sample={"$recipient": {"name": "Rosa"}})
    ProviderAccount.objects.create(tenant_id=tenant.id, key="acme-sms", provider="sandbox", channel="sms")
    return tenant


def phones(tenant: Tenant, count: int, place: str = "+49", **attributes: str) -> None:
    first = Recipient.objects.count()
    rows = Recipient.objects.bulk_create(
        Recipient(tenant_id=tenant.id, user_id=f"p{first + n}", attributes=attributes) for n in range(count)
    )
    Endpoint.objects.bulk_create(
        Endpoint(
            tenant_id=tenant.id,
            recipient_id=row.id,
            channel="sms",
            kind="phone",
            sealed=b"",
            address_hash=row.id.bytes * 2,
            masked=f"{place}*****{n:02}",
            verified_at=clock.now(),
        )
        for n, row in enumerate(rows)
    )


def estimated(tenant: Tenant, **fields: Any) -> costing.Estimate:
    made = runs.campaign(tenant, **{"channels": ["sms"], "mode": "live", "category": "social", **fields})
    return considered(tenant, made.id, clock.now()).estimate


def test_people_times_parts_times_price_by_country(tenant: Tenant) -> None:
    phones(tenant, 6, name="Rosa")
    phones(tenant, 3, "+41", name="R" * 300)
    cast.price("sms", 70_000, 75_000, place="+49", valid_from=LAST_YEAR)
    cast.price("sms", 50_000, valid_from=LAST_YEAR)
    found = estimated(tenant)
    assert (found.people, found.is_exact, found.unpriced) == (9, True, ())
    assert found.parts.sampled == 9
    assert found.parts.failed == 0
    assert found.parts.most == 3
    assert [(line.place, line.messages) for line in found.lines] == [("+49", 6), ("+41", 3)]
    assert found.parts.low == found.parts.high == pytest.approx(15 / 9)
    assert [(line.low, line.each) for line in found.lines] == [(700_000, 125_000), (250_000, 83_334)]
    assert (found.low, found.high) == (950_000, 6 * 125_000 + 3 * 83_334)


def test_texts_of_one_length_cost_one_amount(tenant: Tenant) -> None:
    phones(tenant, 10, name="Rosa")
    cast.price("sms", 70_000, valid_from=LAST_YEAR)
    found = estimated(tenant)
    assert (found.low, found.high, found.text) == (700_000, 700_000, "0.70 EUR")


def test_who_switched_it_off_and_who_is_held_out_costs_nothing(tenant: Tenant) -> None:
    phones(tenant, 10, name="Rosa")
    Recipient.objects.filter(user_id__in=["p0", "p1"]).update(blocked_at=clock.now())
    cast.price("sms", 70_000, valid_from=LAST_YEAR)
    assert estimated(tenant).high == 8 * 70_000
    assert estimated(tenant, holdout=50).high == 4 * 70_000


def test_without_a_price_it_says_so(tenant: Tenant) -> None:
    phones(tenant, 2, name="Rosa")
    assert estimated(tenant).unpriced == ("sms",)
    cast.price("sms", 1, currency="CHF", valid_from=LAST_YEAR)
    assert estimated(tenant).unpriced == ("sms",)
    cast.price("sms", 1, place="+41", valid_from=LAST_YEAR)
    assert (estimated(tenant).unpriced, estimated(tenant).high) == (("sms",), 0)


def test_what_test_keys_send_costs_nothing(tenant: Tenant) -> None:
    phones(tenant, 2, name="Rosa")
    cast.price("sms", 70_000, valid_from=LAST_YEAR)
    found = estimated(tenant, mode="test")
    assert (found.people, found.high, found.unpriced) == (2, 0, ())


def sent(
    tenant: Tenant,
    of: UUID,
    number: int,
    *,
    parts: int = 1,
    kind: str = "accepted",
    account: str = "acme-sms",
    **fields: Any,
) -> UUID:
    """A delivery and its attempt; `of`: whose id's time they have."""
    notification = ids.derived(of, "n", number)
    said = {"channel": "sms", "mode": "live", "category": "marketing", "place": "+49", "variant": 0, **fields}
    run_id = said.pop("broadcast_id", None)
    common = {"tenant_id": tenant.id, "recipient_id": ids.new(), "created_at": NOON}
    Notification.objects.create(
        id=notification,
        **common,
        mode=said["mode"],
        category=said["category"],
        channels=["sms"],
        priority=1,
        source="campaign",
        broadcast_id=run_id,
    )
    delivery = Delivery.objects.create(
        id=ids.derived(of, number), notification_id=notification, status="sent", **common, **said
    )
    at = ids.time_of(of)
    Attempt.objects.create(
        id=ids.derived(of, "a", number),
        tenant_id=tenant.id,
        delivery_id=delivery.id,
        number=1,
        account=account,
        template_version=1,
        size=1,
        parts=parts,
        started_at=at,
        kind=kind,
    )
    return notification


def test_the_report_is_the_price_table_times_the_units(tenant: Tenant) -> None:
    """By message, channel, tenant and campaign."""
    now = clock.now()
    first, second = now - timedelta(minutes=10), now - timedelta(minutes=1)
    cast.price("sms", 70_000, place="+49", valid_from=LAST_YEAR)
    cast.price("sms", 80_000, 90_000, place="+49", valid_from=now - timedelta(minutes=5))
    cast.price("email", 100, account="acme-mail", valid_from=LAST_YEAR)
    spring = cast.run(cast.campaign(tenant), stamp=int(first.timestamp() * 1000))
    start = begin_of(spring.stamp)
    for number, parts in enumerate((1, 2, 3)):
        message = sent(tenant, start, number, parts=parts, broadcast_id=spring.id)
    sent(tenant, start, 3, broadcast_id=spring.id, kind="rejected")
    sent(tenant, start, 4, broadcast_id=spring.id, mode="test")
    sent(tenant, ids.bound(second), 5, parts=2)
    sent(tenant, ids.bound(second), 6, channel="email", account="acme-mail", place="acme.test", variant=None)
    sent(templates_cast.tenant("beta"), ids.bound(second), 7, parts=9)

    run = costing.actual(spring, currency="EUR")
    assert [(line.messages, line.parts, line.low, line.high) for line in run.lines] == [(3, 6, 420_000, 420_000)]
    one = costing.of_notification(tenant_id=tenant.id, notification_id=message, currency="EUR")
    assert (one.low, one.high) == (210_000, 210_000)
    whole = costing.spent_between(tenant_id=tenant.id, first=now - timedelta(hours=1), last=now, currency="EUR")
    assert [(line.channel, line.run_id, line.parts, line.low, line.high) for line in whole.lines] == [
        ("sms", spring.id, 6, 420_000, 420_000),
        ("sms", None, 2, 160_000, 180_000),
        ("email", None, 1, 100, 100),
    ]
    assert whole.low == 420_000 + 160_000 + 100
    late = costing.spent_between(tenant_id=tenant.id, first=now - timedelta(minutes=5), last=now, currency="EUR")
    assert late.low == 160_100
