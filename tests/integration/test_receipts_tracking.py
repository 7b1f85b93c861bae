"""Links, pixels, and what apps report: stored at the door with one INSERT, written by workers, once each."""

import re
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from unittest.mock import patch

import pytest
from django.db import DatabaseError
from django.test import Client

from apps.core import clock, ids
from apps.core.enums import Category, Channel
from apps.core.types import Rendered
from apps.dispatch import bells
from apps.dispatch import tracking as tokens
from apps.inbox.tokens import mint
from apps.ledger import engagement
from apps.ledger.models import Delivery, DeliveryEvent
from apps.preferences.models import Preference, SoftBounce
from apps.receipts import api, links, tasks, tracking
from apps.receipts.models import TrackedEvent
from apps.tenants.models import Tenant
from apps.tenants.selectors import forget_cached
from tests.integration.dispatch_cast import Carrier, endpoint, notify, person, route, send, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.receipts_cast import Sent, sent

pytestmark = pytest.mark.django_db
SAFARI = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"}
APPLE = {"User-Agent": "Mozilla/5.0"}
TARGET = "https://acme.test/sale?a=1&b=2"
# what is kept of it: a query may say who somebody is
PLAIN = TARGET.partition("?")[0]
HTML = Rendered(
    {"subject": "Sale", "html": '<p><a href="https://acme.test/sale?a=1&amp;b=2">Go</a></p>'}, "", None, 0, 1
)


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(bells, "ring", lambda *queues: None)
    for door in (links, api):
        monkeypatch.setattr(door.ringer, "ask", lambda *queues: found.extend(queues))
    return found


def mailed(user: str = "bea", *, ago: float = 60) -> Sent:
    """A mail that was sent so many seconds ago."""
    one = sent(user)
    Delivery.objects.of(one.tenant).filter(id=one.delivery).update(sent_at=clock.now() - timedelta(seconds=ago))
    return one


def apply() -> None:
    assert tracking.apply_tracked(ends=monotonic() + 10)


def row(one: Sent) -> Delivery:
    return Delivery.objects.of(one.tenant).get(id=one.delivery)


def events(one: Sent) -> list[tuple[str, str, str, str]]:
    rows = DeliveryEvent.objects.of(one.tenant).filter(delivery_id=one.delivery).order_by("kind", "code", "detail")
    return list(rows.values_list("kind", "code", "detail", "source"))


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


def pushed(user: str = "bea") -> Sent:
    one = mailed(user, ago=1)
    Delivery.objects.of(one.tenant).filter(id=one.delivery).update(channel="push")
    return one


def report(client: Client, *said: dict[str, Any], **headers: str) -> Any:
    return client.post("/v1/engagements", {"events": list(said)}, content_type="application/json", headers=headers)


def token_of(one: Sent) -> str:
    return tokens.engagement_token(one.delivery)


def test_an_app_reports_a_push_by_its_token(
    client: Client, rung: list[str], django_assert_num_queries: Any, django_capture_on_commit_callbacks: Any
) -> None:
    bea, rosa = pushed(), pushed("rosa")
    at = (clock.now() - timedelta(minutes=5)).replace(microsecond=0)
    with django_capture_on_commit_callbacks(execute=True), django_assert_num_queries(1):
        answer = report(
            client,
            {"kind": "opened", "token": token_of(bea), "at": at.isoformat()},
            {"kind": "dismissed", "token": token_of(rosa)},
        )
    assert (answer.status_code, answer.json(), rung) == (202, {"taken": 2, "refused": []}, ["receipts"])
    report(client, {"kind": "opened", "token": token_of(bea)})
    apply()
    assert (events(bea), events(rosa)) == (
        [("opened", "", "", "recipient")],
        [("dismissed", "", "", "recipient")],
    )
    assert (row(bea).opened_at, row(bea).status, row(bea).delivered_at) == (at, "delivered", at)
    assert (row(rosa).status, row(rosa).opened_at) == ("sent", None)


def test_a_clock_that_goes_ahead_is_set_right(client: Client) -> None:
    bea = pushed()
    report(client, {"kind": "opened", "token": token_of(bea), "at": "2099-01-01T00:00:00Z"})
    apply()
    assert row(bea).opened_at <= clock.now()  # type: ignore[operator]


def test_one_forged_event_does_not_lose_the_others(client: Client) -> None:
    bea = pushed()
    answer = report(client, {"kind": "opened", "token": "forged"}, {"kind": "opened", "token": token_of(bea)})
    assert answer.status_code == 202
    assert answer.json()["taken"] == 1
    assert [(one["index"], one["code"]) for one in answer.json()["refused"]] == [(0, "engagement_unproved")]
    assert TrackedEvent.objects.get().delivery_id == bea.delivery


@pytest.mark.parametrize("said", [{"token": "forged"}, {"token": ""}, {"delivery": "dl_00000000000000000000000000"}])
def test_nothing_proved_is_nothing_stored(client: Client, rung: list[str], said: dict[str, str]) -> None:
    answer = report(client, {"kind": "opened", **said})
    assert (answer.status_code, answer.json()["code"]) == (401, "engagement_unproved")
    assert (TrackedEvent.objects.count(), rung) == (0, [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"events": []}, "out_of_range"),
        ({"events": [{"kind": "bounced", "token": "x"}]}, "out_of_range"),
        ({"events": [{"kind": "opened", "token": "x", "at": "2027-03-01T12:00:00"}]}, "out_of_range"),
        ({"events": [{"kind": "opened", "token": "x"}] * 101}, "out_of_range"),
        ({}, "missing_field"),
    ],
)
def test_it_refuses_what_is_no_report(client: Client, body: Any, code: str) -> None:
    answer = client.post("/v1/engagements", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def viewer(one: Sent, *, now: datetime | None = None) -> dict[str, str]:
    token, _ = mint(
        tenant_id=one.tenant,
        recipient_id=row(one).recipient_id,
        expires_in=timedelta(hours=1),
        now=now or clock.now(),
    )
    return {"Authorization": f"Bearer {token}"}


def test_a_person_reports_their_own_messages_by_id(client: Client) -> None:
    bea, rosa = pushed(), pushed("rosa")
    shown = [ids.show(ids.INBOX_ITEM, bea.delivery), ids.show(ids.DELIVERY, rosa.delivery)]
    answer = report(client, *({"kind": "clicked", "delivery": one} for one in shown), **viewer(bea))
    assert answer.json() == {"taken": 2, "refused": []}
    apply()
    assert events(bea) == [("clicked", "", "", "recipient")]
    assert (events(rosa), row(rosa).clicked_at) == ([], None)


def test_a_token_that_is_over_is_refused(client: Client) -> None:
    bea = pushed()
    past = viewer(bea, now=clock.now() - timedelta(hours=2))
    answer = report(client, {"kind": "clicked", "token": token_of(bea)}, **past)
    assert (answer.status_code, answer.json()["code"]) == (401, "inbox_token_invalid")
    assert not TrackedEvent.objects.exists()


def test_a_page_that_loops_is_slowed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BURST", 2)
    bea = pushed()
    codes = [report(client, {"kind": "opened", "token": token_of(bea)}).status_code for _ in range(3)]
    assert (codes, TrackedEvent.objects.count()) == ([202, 202, 429], 2)
    assert report(client, {"kind": "opened", "token": token_of(pushed("rosa"))}).status_code == 202


def test_only_named_origins_may_report_from_a_browser(client: Client, settings: Any) -> None:
    settings.INBOX_ORIGINS = frozenset({"https://shop.acme.test"})
    asked = client.options("/v1/engagements", headers={"Origin": "https://shop.acme.test"})
    assert (asked.status_code, asked["Access-Control-Allow-Origin"]) == (204, "https://shop.acme.test")
    assert "Access-Control-Allow-Origin" not in client.options(
        "/v1/engagements", headers={"Origin": "https://evil.test"}
    )
    assert report(client, {"kind": "opened", "token": "x"}, Origin="https://shop.acme.test").status_code == 401


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


def test_a_push_leaves_with_its_token(carrier: Carrier, rung: list[str]) -> None:
    rosa = person()
    endpoint(rosa, Channel.PUSH, "device-1")
    notify([rosa], channels=(Channel.PUSH,))
    route()
    send("send.transactional.push")
    (message,) = carrier.messages
    assert report(Client(), {"kind": "opened", "token": message.content["engagement_token"]}).status_code == 202
    apply()
    assert [row.status for row in Delivery.objects.all_tenants()] == ["delivered"]


def test_events_of_deliveries_that_are_gone_are_dropped() -> None:
    tracking.store_tracked([TrackedEvent(delivery_id=ids.new(), kind="opened", at=clock.now(), source="mail")])
    apply()
    assert not TrackedEvent.objects.exists()
    assert engagement.record_engagements([]) == []
