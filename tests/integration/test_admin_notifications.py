"""The list of notifications, its one search box, and the story of each."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import admin_feeds, clock, ids
from apps.core.rows import fetch
from apps.core.types import Tenant
from apps.ledger.admin import finding
from apps.ledger.models import Delivery, Notification
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db

LIST = reverse("admin:ledger_notification_changelist")
DELIVERIES = reverse("admin:ledger_delivery_changelist")


def page(note: Notification) -> str:
    return reverse("admin:ledger_notification_change", args=[ids.show(ids.NOTIFICATION, note.id)])


def listed(answer: Any) -> list[UUID]:
    return [row.pk for row in answer.context_data["cl"].result_list]


def shown(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer
    return str(answer.content.decode())


def test_the_newest_come_first_and_pages_go_on_without_counting(acme: Tenant, mira: Client) -> None:
    rosa = cast.person(acme)
    notes = [cast.notification(acme, rosa, age=timedelta(minutes=n)) for n in range(60)]
    first = mira.get(LIST)
    assert listed(first) == [note.id for note in notes[:50]]
    second = mira.get(LIST + first.context_data["cl"].next_url)
    assert listed(second) == [note.id for note in notes[50:]]
    assert second.context_data["cl"].next_before is None
    assert "Older" in first.content.decode() and "Older" not in second.content.decode()


@pytest.mark.parametrize("address", ["", "?mode=test", "?_facets=True", "?all=", "?p=3", "?o=1"])
def test_nothing_is_counted_and_nothing_sorted(acme: Tenant, mira: Client, address: str) -> None:
    note = cast.notification(acme, cast.person(acme))
    with CaptureQueriesContext(connection) as queries:
        assert listed(mira.get(LIST + address)) == [note.id]
    asked = [query["sql"] for query in queries if 'FROM "ledger_notification"' in query["sql"]]
    assert not [sql for sql in asked if "COUNT" in sql]
    assert all(re.search(r'ORDER BY (1|"ledger_notification"."id") DESC LIMIT', sql) for sql in asked)


@pytest.mark.parametrize("rows", [1, 10, 50])
def test_a_page_costs_as_many_statements_whatever_is_on_it(acme: Tenant, mira: Client, rows: int) -> None:
    for n in range(rows):
        note = cast.notification(acme, cast.person(acme, f"p{n}"))
        cast.delivery(note)
        cast.delivery(note, "push", "queued")
    mira.get(LIST)
    # session, user, open dead letters of the sidebar, rows, calling (2), deliveries, events, dead letters, people
    with statements(10):
        mira.get(LIST)


def test_it_says_what_each_came_to(acme: Tenant, mira: Client) -> None:
    note = cast.notification(acme, cast.person(acme), category="critical", mode="live")
    cast.delivery(note, "email", "delivered")
    cast.delivery(note, "sms", "failed", reason="invalid_address")
    text = shown(mira, LIST)
    for words in ("rosa", "order.shipped", "critical", "live", "delivered", "Email delivered", "SMS failed"):
        assert words in text, words


def test_filters_narrow_the_list(acme: Tenant, mira: Client) -> None:
    other = cast.acme("other")
    rosa, otto = cast.person(acme), cast.person(other, "otto")
    live = cast.notification(acme, rosa, mode="live", age=timedelta(seconds=2))
    critical = cast.notification(acme, rosa, category="critical", age=timedelta(seconds=1))
    foreign = cast.notification(other, otto)
    assert listed(mira.get(LIST)) == [foreign.id, critical.id, live.id]
    assert listed(mira.get(LIST, {"mode": "live"})) == [live.id]
    assert listed(mira.get(LIST, {"category": "critical"})) == [critical.id]
    assert listed(mira.get(LIST, {"tenant": str(other.id)})) == [foreign.id]
    assert listed(mira.get(LIST, {"category": "nonsense"})) == [foreign.id, critical.id, live.id]


def test_a_filter_looks_only_so_far_and_says_so(acme: Tenant, mira: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_feeds, "LOOK_BACK", 3)
    rosa = cast.person(acme)
    old = cast.notification(acme, rosa, category="critical", age=timedelta(hours=1))
    for n in range(4):
        cast.notification(acme, rosa, age=timedelta(minutes=n))
    first = mira.get(LIST, {"category": "critical"})
    assert listed(first) == []
    assert "Nothing among the 3 newest" in first.content.decode()
    second = mira.get(LIST + first.context_data["cl"].next_url)
    assert listed(second) == [old.id]


@pytest.mark.parametrize("address", ["?before=nonsense", "?q=%00", "?q=%25", "?before=&category="])
def test_nonsense_in_the_address_is_no_error(acme: Tenant, mira: Client, address: str) -> None:
    cast.notification(acme, cast.person(acme))
    assert mira.get(LIST + address).status_code == 200


def test_it_refuses_a_lookup_that_is_no_filter(acme: Tenant, mira: Client) -> None:
    for lookup in ("sealed__isnull", "actor_id", "recipient_id"):
        assert mira.get(LIST, {lookup: "1"}).status_code == 400, lookup


class TestSearch:
    """Two notifications; every id of the first finds the first alone."""

    @pytest.fixture
    def note(self, acme: Tenant) -> Notification:
        cast.delivery(cast.notification(acme, cast.person(acme, "otto"), event_id="ev-2", request_id="req-of-otto-2"))
        request = ids.show(ids.REQUEST, ids.new())
        return cast.notification(acme, cast.person(acme), event_id="ev-1", request_id=request)

    @pytest.fixture
    def sent(self, note: Notification) -> Delivery:
        return cast.delivery(note)

    @pytest.mark.parametrize(
        "kind", ["notification", "plain", "delivery", "inbox item", "attempt", "dead letter", "request"]
    )
    def test_an_id_that_names_one_opens_it(self, note: Notification, sent: Delivery, mira: Client, kind: str) -> None:
        pasted = {
            "notification": ids.show(ids.NOTIFICATION, note.id),
            "plain": str(note.id),
            "delivery": ids.show(ids.DELIVERY, sent.id),
            "inbox item": ids.show(ids.INBOX_ITEM, sent.id),
            "attempt": ids.show(ids.ATTEMPT, cast.attempt(sent).id),
            "dead letter": ids.show(ids.DEAD_LETTER, cast.letter(sent).id),
            "request": note.request_id,
        }[kind]
        answer = mira.get(LIST, {"q": f" {pasted} "})
        assert (answer.status_code, answer["Location"]) == (302, page(note))
        assert listed(mira.get(DELIVERIES, {"q": pasted})) == [sent.id]

    def test_other_words_list_what_they_name(self, note: Notification, sent: Delivery, mira: Client) -> None:
        cast.attempt(sent, provider_message_id="<m-1@relay.example>")
        for pasted in ("<m-1@relay.example>", "ev-1", "rosa", "rosa@acme.example", "ROSA@acme.example"):
            assert listed(mira.get(LIST, {"q": pasted})) == [note.id], pasted
            assert listed(mira.get(DELIVERIES, {"q": pasted})) == [sent.id], pasted

    def test_a_request_id_of_the_callers_own_is_found(self, note: Notification, mira: Client) -> None:
        (found,) = listed(mira.get(LIST, {"q": "req-of-otto-2"}))
        assert found != note.id

    @pytest.mark.parametrize("pasted", ["ros", "nobody", "nobody@acme.example", "+15005550001", "m-1", "nt_000", "50%"])
    def test_what_nobody_has_finds_nothing(self, note: Notification, sent: Delivery, mira: Client, pasted: str) -> None:
        answer = mira.get(LIST, {"q": pasted})
        assert listed(answer) == []
        assert "Nothing found" in answer.content.decode()

    def test_the_same_user_id_is_found_in_every_tenant(self, note: Notification, mira: Client) -> None:
        other = cast.acme("other")
        theirs = cast.notification(other, cast.person(other))
        assert listed(mira.get(LIST, {"q": "rosa"})) == [theirs.id, note.id]

    def test_every_way_to_look_has_an_index(self, note: Notification) -> None:
        """With sequential scans forbidden nothing but them is left where an index is missing."""
        fetch("SET LOCAL enable_seqscan = off", {})
        known = {
            "id": note.id,
            "text": "ev-1",
            "most": 5,
            "since": note.id,
            "until": ids.bound(clock.now() + timedelta(minutes=1)),
            "people": [note.recipient_id],
        }
        plans = {sql: "\n".join(row[0] for row in fetch(f"EXPLAIN {sql}", known)) for sql in _QUESTIONS}
        for sql, indexes in _QUESTIONS.items():
            assert "Seq Scan" not in plans[sql], plans[sql]
            for index in indexes:
                assert index in plans[sql], plans[sql]


_QUESTIONS = {
    finding._BY_ID: ("ledger_dead_letter_pkey",),
    finding._BY_TEXT: ("provider_message_id_idx", "event_id_idx", "request_id_idx"),
    finding._BY_REQUEST: ("_pkey",),
    finding._NEWEST_OF: ("recipient_id_id_idx",),
}
