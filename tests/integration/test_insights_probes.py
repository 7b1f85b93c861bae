"""Probes go the way of all messages; what does not arrive in time is told, and that it arrives again."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.channels import services as channels
from apps.channels.models import Alert
from apps.core import clock
from apps.core.enums import Channel, DeliveryStatus, OutcomeKind
from apps.core.types import Outcome
from apps.insights import expiring, probing, tasks
from apps.insights.models import Probe
from apps.ledger.models import Delivery, Notification
from tests.integration import admin_cast
from tests.integration.dispatch_cast import Carrier, endpoint, person, route, send, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

pytestmark = pytest.mark.django_db
NOW = clock.now() + timedelta(minutes=30)


@pytest.fixture(autouse=True)
def _quiet(rung: list[str], carrier: Carrier) -> None:
    pass


def probe(user: str = "probe-device", **fields: Any) -> Any:
    return Probe.objects.create(**{"tenant_id": tenant(), "channel": "email", "user_id": user, "mode": "test"} | fields)


def ran(one: Any, seconds: float = 0) -> Any:
    probing.run_due(NOW + timedelta(seconds=seconds))
    one.refresh_from_db()
    return one


def alerts() -> list[tuple[str, bool]]:
    return [(row.kind, row.ended_at is None) for row in Alert.objects.all_tenants().order_by("id")]


def test_a_probe_travels_and_arrives(django_capture_on_commit_callbacks: Any, rung: list[str]) -> None:
    endpoint(person("probe-device"))
    one = probe()
    with django_capture_on_commit_callbacks(execute=True):
        ran(one)
    notification = Notification.objects.all_tenants().get()
    assert (notification.id, notification.source, notification.mode, notification.category) == (
        one.last_notification_id,
        "probe",
        "test",
        "transactional",
    )
    assert (notification.channels, rung) == (["email"], ["route.transactional"])
    assert (one.sent_at, one.judged_at, one.has_arrived) == (NOW, None, None)
    route()
    send()
    assert ran(one, 30).judged_at is None
    Delivery.objects.all_tenants().update(status=DeliveryStatus.DELIVERED, delivered_at=NOW + timedelta(seconds=42))
    assert ran(one, 60).has_arrived
    assert (one.judged_at, one.said, one.took) == (NOW + timedelta(seconds=60), "By sandbox-email.", 42.0)
    assert (alerts(), Notification.objects.all_tenants().count()) == ([], 1)


def test_it_sends_again_after_its_period_and_not_before() -> None:
    endpoint(person("probe-device"))
    one = probe(expects="sent", period=600)
    ran(one)
    route()
    send()
    ran(one, 599)
    assert (one.has_arrived, Notification.objects.all_tenants().count()) == (True, 1)
    ran(one, 600)
    assert (one.judged_at, Notification.objects.all_tenants().count()) == (None, 2)


def test_what_does_not_arrive_in_time_is_told_once_and_that_it_arrives_again() -> None:
    endpoint(person("probe-device"))
    one = probe(patience=120, period=600)
    ran(one)
    route()
    send()
    assert ran(one, 120).judged_at is None
    ran(one, 121)
    assert (one.has_arrived, one.said) == (False, "After 120 s it is sent.")
    assert alerts() == [("probe", True)]
    text = Alert.objects.of(tenant()).get().text
    assert text == "The probe of email to probe-device did not arrive. After 120 s it is sent."
    ran(one, 600)
    ran(one, 721)
    assert alerts() == [("probe", True)]
    ran(one, 1_200)
    route()
    send()
    Delivery.objects.all_tenants().filter(notification_id=one.last_notification_id).update(status="delivered")
    ran(one, 1_230)
    assert alerts() == [("probe", False)]


def test_a_refused_probe_need_not_wait(carrier: Carrier) -> None:
    endpoint(person("probe-device"))
    one = probe()
    carrier.says = [Outcome(OutcomeKind.REJECTED, "too_odd")]
    ran(one)
    route()
    send()
    ran(one, 5)
    assert (one.has_arrived, one.said) == (False, "It ended as failed: rejected.")


def test_a_probe_to_nobody_says_so_and_sends_nothing() -> None:
    one = probe("nobody")
    ran(one)
    assert (one.has_arrived, one.said) == (False, "nobody is not a recipient of this tenant.")
    assert (Notification.objects.all_tenants().count(), alerts()) == (0, [("probe", True)])


def test_a_probe_that_is_off_rests() -> None:
    one = probe(is_on=False)
    ran(one)
    assert (one.sent_at, Notification.objects.all_tenants().count()) == (None, 0)


def test_the_admin_shows_what_became_of_it() -> None:
    endpoint(person("probe-device"))
    one = probe()
    ran(one)
    ran(one, 301)
    page = admin_cast.mira().get(reverse("admin:insights_probe_changelist")).content.decode()
    assert "After 300 s it is queued." in page and "lost" in page and "probe-device" in page


def test_a_probe_is_set_up_in_the_admin(client: Client) -> None:
    said = {
        "tenant": str(tenant()),
        "channel": "sms",
        "user_id": "probe-phone",
        "mode": "live",
        "expects": "delivered",
        "period": "300",
        "patience": "60",
        "is_on": "on",
    }
    answer = admin_cast.mira().post(reverse("admin:insights_probe_add"), said)
    assert answer.status_code == 302, answer.context["errors"]
    one = Probe.objects.all_tenants().get()
    assert (one.channel, one.user_id, one.period, one.patience, one.is_on) == ("sms", "probe-phone", 300, 60, True)


@pytest.mark.parametrize(
    ("days", "is_told", "said"),
    [(14, True, "end in 14 days"), (15, False, ""), (0, True, "end in 0 days"), (-3, True, "ended 3 days ago")],
)
def test_credentials_that_end_soon_are_announced(days: int, is_told: bool, said: str) -> None:
    last_day = (NOW + timedelta(days=days)).date()
    channels.create_account(
        key="acme", provider="sandbox", channel=Channel.SMS, settings={"expires_on": last_day.isoformat()}
    )
    expiring.announce(NOW)
    expiring.announce(NOW)
    assert [said in row.text for row in Alert.objects.all_tenants()] == ([True] if is_told else [])


def test_renewed_credentials_end_the_announcement() -> None:
    account = channels.create_account(
        key="acme", provider="sandbox", channel=Channel.SMS, settings={"expires_on": "next week"}
    )
    expiring.announce(NOW)
    assert alerts() == [("expires", True)]
    channels.update_account(account.id, settings={"expires_on": date(NOW.year + 1, 12, 31).isoformat()})
    tasks.announce_expiries()
    assert alerts() == [("expires", False)]


def test_the_task_runs_probes() -> None:
    one = probe("nobody")
    tasks.probe()
    one.refresh_from_db()
    assert one.has_arrived is False
