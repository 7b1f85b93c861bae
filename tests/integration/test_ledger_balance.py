"""The books: each rule is broken once, and found; what is in order is not."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from apps.channels.models import Alert
from apps.core import clock, ids
from apps.insights import books, tasks
from apps.ledger.balance import troubles
from apps.ledger.models import Attempt, Delivery, DeliveryEvent, Notification, WorkItem
from tests.integration.dispatch_cast import Carrier, endpoint, notify, person, route, send
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(rung: list[str], carrier: Carrier) -> None:
    pass


def found() -> list[tuple[str, int]]:
    """A few minutes later."""
    return [(one.code, len(one.ids)) for one in troubles(now=clock.now() + timedelta(minutes=5))]


def sent() -> Delivery:
    rosa = person()
    endpoint(rosa)
    notify([rosa])
    route()
    send()
    return Delivery.objects.all_tenants().get()


def noted(delivery: Delivery, kind: str) -> None:
    DeliveryEvent.objects.create(
        id=ids.new(),
        tenant_id=delivery.tenant_id,
        notification_id=delivery.notification_id,
        delivery_id=delivery.id,
        kind=kind,
        at=clock.now(),
        code="",
        detail="",
        source="sandbox-email",
    )


def test_the_books_balance_at_every_step() -> None:
    rosa = person()
    endpoint(rosa)
    notify([rosa])
    assert found() == []
    route()
    assert found() == []
    send()
    assert found() == []
    notify([person("otto")])
    route()
    assert found() == []


def test_what_is_neither_routed_nor_waits_is_found() -> None:
    notify([person()])
    WorkItem.objects.all_tenants().delete()
    notification = Notification.objects.all_tenants().get()
    (trouble,) = troubles(now=clock.now() + timedelta(minutes=5))
    assert (trouble.code, trouble.ids) == ("unrouted", (ids.show(ids.NOTIFICATION, notification.id),))
    assert troubles(now=clock.now()) == []
    assert troubles(now=clock.now() + timedelta(hours=2), hours=1) == []


def test_what_is_to_be_sent_and_has_no_work_is_found() -> None:
    rosa = person()
    endpoint(rosa)
    notify([rosa])
    route()
    WorkItem.objects.all_tenants().delete()
    assert found() == [("without_work", 1)]


@pytest.mark.parametrize("status", ["sent", "delivered"])
def test_marked_sent_although_the_provider_reported_a_bounce_is_found(status: str) -> None:
    delivery = sent()
    noted(delivery, "bounced")
    Delivery.objects.all_tenants().update(status=status)
    assert found() == [("sent_but_bounced", 1)]
    noted(delivery, "retried")
    assert found() == []
    noted(delivery, "bounced")
    assert found() == [("sent_but_bounced", 1)]


def test_marked_sent_although_its_arrival_was_reported_is_found() -> None:
    noted(sent(), "delivered")
    assert found() == [("proved_but_sent", 1)]


def test_a_call_that_nobody_settles_is_found() -> None:
    sent()
    Attempt.objects.all_tenants().update(ended_at=None)
    assert found() == [("unended_attempt", 1)]


def test_the_command_says_it_and_ends_accordingly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ran() == ("The books balance.\n", 0)
    notify([person()])
    WorkItem.objects.all_tenants().delete()
    id_ = Notification.objects.all_tenants().get().id
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_notification SET id = %s", [ids.derived(old_id(), "moved")])
    shown = ids.show(ids.NOTIFICATION, Notification.objects.all_tenants().get().id)
    assert id_ != Notification.objects.all_tenants().get().id
    assert ran() == (f"1 unrouted: Accepted, but neither routed nor waiting for it. {shown}\n", 1)
    said, status = ran("--json")
    assert (status, json.loads(said)[0]["ids"]) == (1, [shown])
    assert ran("--hours", "0.05") == ("The books balance.\n", 0)


def test_the_clockwork_raises_an_alert_and_ends_it() -> None:
    notify([person()])
    WorkItem.objects.all_tenants().delete()
    later = clock.now() + timedelta(minutes=5)
    books.check(later)
    books.check(later)
    alert = Alert.objects.all_tenants().get()
    assert (alert.kind, alert.subject, alert.ended_at) == ("ledger", "unrouted", None)
    assert alert.text == "1 rows: Accepted, but neither routed nor waiting for it. manage.py ledger_balance names them."
    Notification.objects.all_tenants().delete()
    tasks.check_books()
    alert.refresh_from_db()
    assert alert.ended_at is not None


def old_id() -> Any:
    return ids.bound(clock.now() - timedelta(minutes=10))


def ran(*arguments: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("ledger_balance", *arguments, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0
