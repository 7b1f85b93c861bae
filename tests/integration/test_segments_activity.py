"""Who was sent, got, opened and clicked something last: kept from the ledger, asked about in rules."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command

from apps.audience.segments.compiling import condition_of
from apps.audience.segments.pages import page_of
from apps.audience.services import forget_recipient
from apps.core import clock, ids
from apps.core.types import Tenant
from apps.insights import activity
from apps.insights.models import Activity, Mark
from apps.insights.tasks import follow_activity, sweep_activity
from apps.ledger.models import Attempt, DeliveryEvent
from apps.tenants.auditing import COMMAND
from tests.integration.admin_cast import acme, delivery, notification, person

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def now() -> Iterator[datetime]:
    yield clock.now()


def sent(tenant: Tenant, who: UUID, at: datetime, *, attempted: bool = True, **fields: Any) -> Any:
    """Handed over at that moment."""
    n = notification(tenant, who, age=clock.now() - at, mode=fields.pop("mode", "live"))
    made = delivery(n, fields.pop("channel", "email"), sent_at=at, **fields)
    if attempted:
        Attempt.objects.create(
            id=_at(at), delivery_id=made.id, tenant_id=tenant.id, number=1, account="a", template_version=0, size=0,
            started_at=at, kind="accepted",
        )  # fmt: skip
    return made


def told(made: Any, kind: str, at: datetime) -> None:
    """As receipts are applied: a moment of the delivery, and the event."""
    setattr(made, f"{kind}_at", at)
    made.save()
    DeliveryEvent.objects.create(
        id=_at(at),
        notification_id=made.notification_id,
        delivery_id=made.id,
        tenant_id=made.tenant_id,
        kind=kind,
        at=at,
    )


def _at(moment: datetime) -> UUID:
    return UUID(int=ids.bound(moment).int | 7 << 76 | 2 << 62 | ids.new().int & (1 << 62) - 1)


def found(tenant: Tenant, now: datetime, field: str, op: str, *value: Any) -> list[UUID]:
    rule = {"field": f"activity.{field}", "op": op} | ({"value": value[0]} if value else {})
    return page_of(tenant.id, condition_of(tenant.id, rule, now), size=10)


def moments(who: UUID, channel: str = "email") -> list[datetime | None]:
    row = (
        Activity.objects.all_tenants()
        .filter(recipient_id=who, channel=channel)
        .values_list("sent_at", "delivered_at", "opened_at", "clicked_at")
    )
    return list(*row)


def test_moments_are_followed_and_only_go_forward(now: datetime) -> None:
    tenant = acme()
    rosa = person(tenant)
    early, late = now - timedelta(minutes=4), now - timedelta(minutes=2)
    made = sent(tenant, rosa, early)
    activity.follow(now)
    assert moments(rosa) == [early, None, None, None]
    told(made, "clicked", late)
    sent(tenant, rosa, now - 30 * DAY)
    activity.follow(now)
    assert moments(rosa) == [early, None, late, late]
    assert Mark.objects.all_tenants().get().at == now
    assert activity.follow(now) == 0


def test_after_a_long_rest_it_goes_on_stretch_by_stretch(now: datetime) -> None:
    tenant = acme()
    rosa, otto = person(tenant), person(tenant, "otto")
    Mark.objects.create(name=activity.MARK, at=now - 2 * DAY)
    sent(tenant, rosa, now - 47 * timedelta(hours=1))
    sent(tenant, otto, now - timedelta(hours=1))
    activity.follow(now)
    assert Mark.objects.all_tenants().get().at == now - 2 * DAY + activity.MOST_STRETCHES * activity.STRETCH
    assert list(Activity.objects.all_tenants().values_list("recipient_id", flat=True)) == [rosa]
    for _ in range(2):
        activity.follow(now)
    assert Mark.objects.all_tenants().get().at == now
    assert Activity.objects.all_tenants().count() == 2


def test_what_test_keys_send_and_who_is_gone_leave_nothing(now: datetime) -> None:
    tenant = acme()
    rosa, otto = person(tenant), person(tenant, "otto")
    sent(tenant, rosa, now - timedelta(minutes=1), mode="test")
    sent(tenant, otto, now - timedelta(minutes=1))
    follow_activity()
    assert list(Activity.objects.all_tenants().values_list("recipient_id", flat=True)) == [otto]
    forget_recipient(tenant=tenant, user_id="otto", by=COMMAND)
    assert Activity.objects.all_tenants().count() == 0
    activity.rebuild(now)
    assert Activity.objects.all_tenants().count() == 0


def test_a_feed_that_waited_is_found_by_the_sweep_and_all_of_it_by_a_rebuild(now: datetime) -> None:
    tenant = acme()
    rosa = person(tenant)
    n = notification(tenant, rosa, age=3 * DAY, mode="live")
    delivery(n, "in_app", sent_at=now - timedelta(hours=1), read_at=now)
    follow_activity()
    assert Activity.objects.all_tenants().count() == 0
    sweep_activity()
    assert moments(rosa, "in_app") == [now - timedelta(hours=1), None, now, None]
    sent(tenant, rosa, now - 20 * DAY)
    out = StringIO()
    call_command("rebuild_activity", "--days", "30", stdout=out)
    assert out.getvalue() == "2 rows.\n"
    assert moments(rosa) == [now - 20 * DAY, None, None, None]


def test_rules_ask_about_it(now: datetime) -> None:
    tenant, beta = acme(), acme("beta")
    rosa, otto, bea = (person(tenant, name) for name in ("rosa", "otto", "bea"))
    person(beta, "other")
    row = {"tenant_id": tenant.id, "recipient_id": rosa}
    Activity.objects.create(**row, channel="email", sent_at=now - 2 * DAY, opened_at=now - 40 * DAY)
    Activity.objects.create(**row, channel="push", sent_at=now - 50 * DAY)
    Activity.objects.create(**row | {"recipient_id": otto}, channel="push", sent_at=now - 10 * DAY, opened_at=now - DAY)
    for field, op, value, expected in (
        ("sent.email", "in_last_days", 3, [rosa]),
        ("sent.push", "in_last_days", 30, [otto]),
        ("sent.any", "in_last_days", 30, [rosa, otto]),
        ("opened.any", "not_in_last_days", 30, [rosa, bea]),
        ("opened.email", "not_in_last_days", 30, [rosa, otto, bea]),
        ("sent.push", "before", (now - 30 * DAY).date().isoformat(), [rosa]),
        ("sent.any", "before", (now - 30 * DAY).date().isoformat(), []),
        ("sent.any", "before", (now - 5 * DAY).date().isoformat(), [otto]),
        ("sent.push", "after", (now - 30 * DAY).date().isoformat(), [otto]),
    ):
        assert found(tenant, now, field, op, value) == expected, (field, op, value)
    assert found(tenant, now, "opened.email", "ever") == [rosa]
    assert found(tenant, now, "opened.any", "never") == [bea]
    assert found(tenant, now, "clicked.any", "never") == [rosa, otto, bea]
