"""Links and pixels: stored at the door with one INSERT, written by workers, once each."""

import re
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import DatabaseError
from django.test import Client

from apps.core import clock, ids
from apps.core.enums import Category
from apps.core.types import Rendered
from apps.dispatch import tracking as tokens
from apps.ledger import engagement
from apps.ledger.models import Delivery, DeliveryEvent
from apps.preferences.models import Preference, SoftBounce
from apps.receipts import links, tasks, tracking
from apps.receipts.models import TrackedEvent
from apps.tenants.models import Tenant
from apps.tenants.selectors import forget_cached
from tests.integration.dispatch_cast import Carrier, endpoint, notify, person, route, send, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.tracking_cast import APPLE, PLAIN, SAFARI, TARGET, apply, events, mailed, row
from tests.integration.tracking_cast import rung as rung

pytestmark = pytest.mark.django_db


def test_a_link_leads_to_its_target_and_counts(client: Client, rung: list[str], django_assert_num_queries: Any) -> None:
    bea = mailed()
    with django_assert_num_queries(1):
        answer = client.get(f"/c/{tokens.link_token(bea.delivery, 3, TARGET)}", headers=SAFARI)
    assert (answer.status_code, answer["Location"], answer["Cache-Control"]) == (302, TARGET, "private, no-store")
    assert (rung, events(bea)) == (["receipts"], [])
    apply()
    assert events(bea) == [("clicked", "", f"3 {PLAIN}", "mail")]
    assert (row(bea).status, row(bea).opened_at) == ("delivered", None)
    assert clock.now() - row(bea).clicked_at < timedelta(seconds=20)  # type: ignore[operator]
    assert not TrackedEvent.objects.exists()


def test_a_pixel_is_a_picture_and_counts(client: Client) -> None:
    bea = mailed()
    answer = client.get(f"/o/{tokens.open_token(bea.delivery)}.gif", headers=SAFARI)
    assert (answer.status_code, answer["Content-Type"], answer.content[:6]) == (200, "image/gif", b"GIF89a")
    apply()
    assert events(bea) == [("opened", "", "", "mail")]
    assert row(bea).opened_at is not None


def test_each_link_and_open_counts_once_for_a_person_and_once_for_a_machine(client: Client) -> None:
    bea = mailed()
    for _ in range(3):
        for headers in (SAFARI, APPLE):
            client.get(f"/o/{tokens.open_token(bea.delivery)}.gif", headers=headers)
            for number in (1, 2):
                client.get(f"/c/{tokens.link_token(bea.delivery, number, TARGET)}", headers=headers)
        apply()
    assert events(bea) == [
        ("clicked", "", f"1 {PLAIN}", "mail"),
        ("clicked", "", f"2 {PLAIN}", "mail"),
        ("clicked", "machine", f"1 {PLAIN}", "mail"),
        ("clicked", "machine", f"2 {PLAIN}", "mail"),
        ("opened", "", "", "mail"),
        ("opened", "machine", "", "mail"),
    ]


@pytest.mark.parametrize(("ago", "headers", "method"), [(60, APPLE, "get"), (60, SAFARI, "head"), (2, SAFARI, "get")])
def test_machines_do_not_count(client: Client, ago: int, headers: dict[str, str], method: str) -> None:
    """A fetching program, HEAD, and whoever asks within seconds of the sending."""
    bea = mailed(ago=ago)
    answer = getattr(client, method)(f"/c/{tokens.link_token(bea.delivery, 1, TARGET)}", headers=headers)
    assert (answer.status_code, answer["Location"]) == (302, TARGET)
    apply()
    assert events(bea) == [("clicked", "machine", f"1 {PLAIN}", "mail")]
    assert (row(bea).clicked_at, row(bea).status) == (None, "delivered")


@pytest.mark.parametrize("path", ["/c/{}", "/o/{}.gif"])
@pytest.mark.parametrize("token", ["x", "A" * 60, "https:%2F%2Fevil.test"])
def test_a_forged_token_leads_nowhere(client: Client, path: str, token: str) -> None:
    assert client.get(path.format(token)).status_code == 404
    assert not TrackedEvent.objects.exists()


def test_a_token_with_another_target_leads_nowhere(client: Client) -> None:
    bea = mailed()
    token = tokens.link_token(bea.delivery, 1, TARGET)
    other = tokens.link_token(bea.delivery, 1, "https://evil.test/sale?a=1&")
    assert client.get(f"/c/{other[:-22]}{token[-22:]}").status_code == 404
    assert client.get(f"/c/{tokens.open_token(bea.delivery)}").status_code == 404
    assert client.get(f"/o/{token}.gif").status_code == 404
    assert client.post(f"/c/{token}").status_code == 405
    assert not TrackedEvent.objects.exists()


def test_a_reader_gets_there_without_a_database(
    client: Client, rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(events: object) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(links, "store_tracked", away)
    answer = client.get(f"/c/{tokens.link_token(mailed().delivery, 1, TARGET)}", headers=SAFARI)
    assert (answer.status_code, answer["Location"], rung) == (302, TARGET, [])


def test_an_engagement_begins_the_count_of_soft_bounces_anew(client: Client) -> None:
    bea = mailed()
    SoftBounce.objects.create(endpoint_id=bea.endpoint, tenant_id=bea.tenant, count=4, since=clock.now())
    client.get(f"/o/{tokens.open_token(bea.delivery)}.gif", headers=SAFARI)
    apply()
    assert not SoftBounce.objects.of(bea.tenant).exists()


def test_what_was_stored_survives_a_crash_and_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    bea, rosa = mailed(), mailed("rosa")
    tracking.store_tracked(
        [TrackedEvent(delivery_id=one.delivery, kind="opened", at=clock.now(), source="mail") for one in (bea, rosa)]
    )
    record = tracking.record_engagements

    class Killed(BaseException):
        pass

    def killed(events: Any) -> Any:
        raise Killed

    monkeypatch.setattr(tracking, "record_engagements", killed)
    with pytest.raises(Killed):
        apply()
    assert TrackedEvent.objects.count() == 2

    def stumbles(events: Any) -> Any:
        if any(one.delivery_id == rosa.delivery for one in events):
            raise RuntimeError("a fault of ours")
        return record(events)

    monkeypatch.setattr(tracking, "record_engagements", stumbles)
    apply()
    assert (events(bea), events(rosa)) == ([("opened", "", "", "mail")], [])
    assert not TrackedEvent.objects.exists()


@pytest.mark.parametrize("count", [1, 10, 200])
def test_a_batch_takes_a_fixed_number_of_statements(count: int, django_assert_max_num_queries: Any) -> None:
    people = [mailed(f"user{number}") for number in range(count)]
    tracking.store_tracked(
        [TrackedEvent(delivery_id=one.delivery, kind="opened", at=clock.now(), source="mail") for one in people]
    )
    with django_assert_max_num_queries(5):
        apply()
    assert Delivery.objects.of(people[0].tenant).exclude(opened_at=None).count() == count


def test_the_task_and_the_sweep_apply_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.bells, "answer", lambda queue: None)
    for run, user in ((tasks.apply, "bea"), (tasks.sweep, "rosa")):
        one = mailed(user)
        tracking.store_tracked([TrackedEvent(delivery_id=one.delivery, kind="opened", at=clock.now(), source="mail")])
        run()
        assert events(one) == [("opened", "", "", "mail")]


HTML = Rendered(
    {"subject": "Sale", "html": '<p><a href="https://acme.test/sale?a=1&amp;b=2">Go</a></p>'}, "", None, 0, 1
)


@pytest.mark.parametrize(("tracked", "is_rewritten"), [(["marketing"], True), (["social"], False), ([], False)])
def test_what_leaves_is_tracked_as_the_tenant_says(
    carrier: Carrier, tracked: list[str], is_rewritten: bool, rung: list[str]
) -> None:
    """From the tenant's row to what the provider gets, and from there back to the delivery."""
    rosa = person()
    endpoint(rosa)
    Tenant.objects.filter(id=tenant()).update(tracked_categories=tracked)
    forget_cached()
    Preference.objects.create(
        tenant_id=tenant(), recipient_id=rosa, topic="category:marketing", channel="*", is_on=True, source="api"
    )
    with patch("apps.dispatch.messages.rendering.render_inline", lambda content, channel: HTML):
        notify([rosa], category=Category.MARKETING)
        route("marketing")
        send("send.marketing.email")
    (message,) = carrier.messages
    found = re.search(r'href="http://127\.0\.0\.1:8000(/c/[\w-]+)"', message.content["html"])
    assert (found is not None) is is_rewritten
    assert ("/o/" in message.content["html"]) is is_rewritten
    if found is not None:
        assert Client().get(found[1], headers=SAFARI)["Location"] == TARGET
        apply()
        assert DeliveryEvent.objects.all_tenants().get().delivery_id == ids.read(ids.DELIVERY, message.delivery)


def test_events_of_deliveries_that_are_gone_are_dropped() -> None:
    tracking.store_tracked([TrackedEvent(delivery_id=ids.new(), kind="opened", at=clock.now(), source="mail")])
    apply()
    assert not TrackedEvent.objects.exists()
    assert engagement.record_engagements([]) == []
