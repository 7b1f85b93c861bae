"""What apps and people report of messages: proved by a token each, or by who they are; one INSERT at the door, counted once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.core import clock, ids
from apps.core.enums import Channel
from apps.inbox.tokens import mint
from apps.ledger.models import Delivery
from apps.receipts import api
from apps.receipts.models import TrackedEvent
from tests.integration.dispatch_cast import Carrier, endpoint, notify, person, route, send
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.receipts_cast import Sent
from tests.integration.tracking_cast import apply, events, pushed, report, row, token_of
from tests.integration.tracking_cast import rung as rung

pytestmark = pytest.mark.django_db


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
