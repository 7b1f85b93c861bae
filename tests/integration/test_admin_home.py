"""Home: true numbers, at a bounded price; and the way in when there is nothing yet."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from apps.channels.alerts import raise_alert
from apps.channels.services import create_account, switch_off
from apps.core import clock
from apps.core.enums import Channel, KeyMode, Scope
from apps.core.types import Tenant
from apps.ledger.admin import figures
from apps.ledger.models import Notification
from apps.receipts.models import ReceiptCall
from apps.tenants.services import create_api_key
from tests.integration import admin_cast as cast
from tests.integration import roles_cast as roles
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db

HOME = reverse("admin:index")


def words(client: Client) -> str:
    """The page's text, without its marks."""
    text = client.get(HOME).content.decode().split('<div class="n-home">')[1]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_an_empty_installation_shows_the_way_in(mira: Client) -> None:
    assert "1. Make a tenant" in words(mira)
    tenant = cast.acme()
    assert "✓ There is a tenant. 2. Make a test key" in words(mira)
    create_api_key(tenant=tenant, name="shop", mode=KeyMode.TEST, scopes=[Scope.NOTIFICATIONS_WRITE])
    assert "✓ There is an API key." in words(mira)
    cast.notification(tenant, cast.person(tenant))
    assert "Send the first notification" not in words(mira)


def test_the_request_to_copy_is_accepted(acme: Tenant, mira: Client) -> None:
    key = create_api_key(tenant=acme, name="shop", mode=KeyMode.TEST, scopes=[Scope.NOTIFICATIONS_WRITE])
    found = re.search(r"-d '(.*?)'", unescape(mira.get(HOME).content.decode()), re.DOTALL)
    assert found is not None
    answer = Client().post(
        "/v1/notifications",
        json.loads(found[1]),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key.token}"},
    )
    assert answer.status_code == 202, answer.content
    assert Notification.objects.get().mode == "test"


def test_the_last_day_is_counted(acme: Tenant, mira: Client) -> None:
    rosa = cast.person(acme)
    note = cast.notification(acme, rosa, age=timedelta(hours=2))
    for channel, status in (("push", "sent"), ("email", "delivered"), ("sms", "bounced"), ("in_app", "skipped")):
        cast.delivery(note, channel, status)
    cast.delivery(cast.notification(acme, rosa), "email", "unknown")
    cast.delivery(cast.notification(acme, rosa, age=timedelta(hours=25)), "email", "failed")
    day = figures.last_day(clock.now())
    assert (day.accepted.count, day.sent.count, day.delivered.count) == (2, 3, 1)
    assert (day.failed.count, day.withheld.count) == (2, 1)
    assert day.accepted.hours == [0] * 21 + [1, 0, 1]
    assert not day.accepted.is_estimate
    assert "Accepted 2 notifications Sent 3 taken by a provider Delivered 1" in words(mira)


def test_beyond_the_limit_the_numbers_are_estimates_and_say_so(
    acme: Tenant, mira: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "EXACT", 3)
    rosa = cast.person(acme)
    for _ in range(5):
        cast.delivery(cast.notification(acme, rosa))
    day = figures.last_day(clock.now())
    assert day.accepted.is_estimate
    assert day.accepted.count >= 4
    assert day.accepted.hours == []
    assert "≈" in words(mira)


@pytest.mark.parametrize(
    ("count", "said"), [(1_234, "≈ 1,000"), (987_654, "≈ 988,000"), (1_249_999, "≈ 1.2 M"), (12_000_000, "≈ 12.0 M")]
)
def test_an_estimate_is_rounded(count: int, said: str) -> None:
    assert figures.Figure(count, [], True).shown == said


def test_waiting_work_is_told_by_lane(acme: Tenant, mira: Client) -> None:
    rosa = cast.person(acme)
    for minutes in (9, 3):
        cast.work(cast.notification(acme, rosa, category="social"), due=timedelta(minutes=-minutes))
    cast.work(cast.notification(acme, rosa, category="social"), due=timedelta(hours=1))
    cast.work(cast.notification(acme, rosa, category="critical"), due=timedelta(hours=1))
    found = {lane.name: (lane.due, lane.planned, lane.waits) for lane in figures.lanes()}
    assert found["critical"] == (0, 1, None)
    assert found["social"][:2] == (2, 1)
    assert found["social"][2] == pytest.approx(540, abs=5)
    assert found["marketing"] == (0, 0, None)
    assert "social 2 9 min 1" in words(mira)


def test_waiting_work_of_every_queue_tenant_and_priority_counts(acme: Tenant) -> None:
    for tenant, minutes in ((acme, 1), (cast.acme("other"), 7)):
        rosa = cast.person(tenant)
        cast.work(cast.notification(tenant, rosa), due=timedelta(minutes=-minutes))
        note = cast.notification(tenant, rosa)
        sent = {"queue": "send.transactional.sms", "kind": "send", "channel": "sms"}
        cast.work(note, due=timedelta(seconds=-5), priority=0, **sent)
        cast.work(note, due=timedelta(minutes=5), priority=2, id=cast.delivery(note).id, **sent)
    (lane,) = [lane for lane in figures.lanes() if lane.name == "transactional"]
    assert (lane.due, lane.planned) == (4, 2)
    assert lane.waits == pytest.approx(420, abs=5)


def test_counting_waiting_work_stops(acme: Tenant, mira: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST_COUNTED", 2)
    rosa = cast.person(acme)
    for _ in range(4):
        cast.work(cast.notification(acme, rosa), due=timedelta(seconds=-1))
    (lane,) = [lane for lane in figures.lanes() if lane.due]
    assert lane.due == 3
    assert figures.capped(lane.due) == "2+"
    assert "transactional 2+" in words(mira)


def test_what_needs_somebody_is_on_top_and_absent_otherwise(acme: Tenant, mira: Client) -> None:
    note = cast.notification(acme, cast.person(acme))
    quiet = words(mira)
    for absent in ("dead letter", "Provider accounts that are off", "could not be applied"):
        assert absent not in quiet
    cast.letter(cast.delivery(note, "sms", "failed"))
    account = create_account(key="relay", provider="smtp", channel=Channel.EMAIL, base_url="smtp://relay.example")
    switch_off(account.id, "535 authentication failed")
    ReceiptCall.objects.create(account_id=account.id, provider="smtp", sealed=b"x", parked_at=clock.now())
    said = words(mira)
    assert "1 dead letter needs an operator The provider refused the message itself." in said
    assert "relay email 535 authentication failed" in said
    assert "1 receipt call could not be applied" in said


@pytest.mark.parametrize("rows", [1, 30])
def test_it_costs_as_many_statements_whatever_is_there(acme: Tenant, mira: Client, rows: int) -> None:
    rosa = cast.person(acme)
    for _ in range(rows):
        note = cast.notification(acme, rosa)
        cast.work(note)
        cast.letter(cast.delivery(note, "sms", "failed"))
    mira.get(HOME)
    # session, user, any at all, last day (2), alerts, accounts, webhooks, receipt calls, share of critical, in doubt,
    # campaigns, dead letters (sidebar, panel), lanes (4)
    with statements(18):
        mira.get(HOME)


def test_staff_sees_only_what_it_may(acme: Tenant) -> None:
    cast.letter(cast.delivery(cast.notification(acme, cast.person(acme)), "sms", "failed"))
    vera = cast.viewer("ledger.view_notification")
    assert "Last 24 hours" in words(vera)
    assert "dead letter" not in words(vera)


def test_alerts_are_seen_by_those_whose_tenant_it_is(acme: Tenant, mira: Client) -> None:
    ours, theirs, nobodys = "Our run waits.", "Their run waits.", "An account is off."
    for text, tenant_id in ((ours, acme.id), (theirs, cast.acme("beta").id), (nobodys, None)):
        assert raise_alert(kind="run_stopped", subject=text, text=text, tenant_id=tenant_id)

    def seen(client: Client) -> list[str]:
        found = words(client)
        return [text for text in (ours, theirs, nobodys) if text in found]

    assert seen(mira) == [ours, theirs, nobodys]
    assert seen(roles.staff("vera", operator=(acme,))) == [ours]
    assert seen(roles.staff("otto", marketer=(acme,))) == []
