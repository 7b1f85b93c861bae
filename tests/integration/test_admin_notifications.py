"""The list of notifications, its one search box, and the story of each."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.audience.models import Endpoint
from apps.core import admin_feeds, clock, ids
from apps.core.types import Tenant
from apps.ledger.admin import finding
from apps.ledger.models import Delivery, DeliveryEvent, Notification, WorkItem
from apps.ledger.rows import fetch
from tests.integration import admin_cast as cast
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db

LIST = reverse("admin:ledger_notification_changelist")
DELIVERIES = reverse("admin:ledger_delivery_changelist")


@pytest.fixture
def acme() -> Tenant:
    return cast.acme()


@pytest.fixture
def mira() -> Client:
    return cast.mira()


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
    with CaptureQueriesContext(connection) as queries:
        first = mira.get(LIST)
    assert not [
        query["sql"] for query in queries if "COUNT(*) AS" in query["sql"] and "ledger_notification" in query["sql"]
    ]
    assert listed(first) == [note.id for note in notes[:50]]
    second = mira.get(LIST + first.context_data["cl"].next_url)
    assert listed(second) == [note.id for note in notes[50:]]
    assert second.context_data["cl"].next_before is None
    assert "Older" in first.content.decode() and "Older" not in second.content.decode()


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


class TestStory:
    @pytest.fixture
    def note(self, acme: Tenant) -> Notification:
        return cast.notification(acme, cast.person(acme), age=timedelta(minutes=5), event_id="ev-1")

    def test_it_tells_what_happened_and_shows_neither_content_nor_address(
        self, note: Notification, mira: Client
    ) -> None:
        endpoint = Endpoint.objects.get(recipient_id=note.recipient_id)
        sent = cast.delivery(note, endpoint_id=endpoint.id, sent_at=clock.now(), provider_message_id="m-1")
        cast.attempt(sent, provider_message_id="m-1")
        cast.delivery(note, "sms", "skipped", reason="no_endpoint", ended_at=note.created_at)
        text = shown(mira, page(note))
        for words in (
            "It arrived by email.",
            "Accepted: event order.shipped, transactional, test key.",
            "SMS withheld: The recipient has no address for this channel.",
            "sandbox-email took it as m-1. Sent is not yet delivered.",
            "r***@acme.example",
            "+80 ms",
            "Encrypted; not shown here.",
        ):
            assert words in text, words
        assert "a secret" not in text
        assert "rosa@acme.example" not in text

    @pytest.mark.parametrize("form", ["shown", "plain"])
    def test_it_opens_under_any_form_of_its_id(self, note: Notification, mira: Client, form: str) -> None:
        id_ = ids.show(ids.NOTIFICATION, note.id) if form == "shown" else str(note.id)
        assert mira.get(reverse("admin:ledger_notification_change", args=[id_])).status_code == 200

    def test_an_unknown_one_leads_home_with_a_word(self, mira: Client) -> None:
        for id_ in (ids.show(ids.NOTIFICATION, ids.new()), "nonsense"):
            answer = mira.get(reverse("admin:ledger_notification_change", args=[id_]))
            assert (answer.status_code, answer["Location"]) == (302, "/admin/")

    @pytest.mark.parametrize("channels", [1, 4])
    def test_it_costs_as_many_statements_however_much_happened(
        self, note: Notification, mira: Client, channels: int
    ) -> None:
        for channel in ("push", "email", "sms", "in_app")[:channels]:
            sent = cast.delivery(note, channel, "queued", endpoint_id=ids.new())
            for _ in range(channels):
                cast.attempt(sent)
            cast.letter(sent)
        mira.get(page(note))
        with statements(19):
            mira.get(page(note))

    def test_a_delivery_opens_the_story_it_belongs_to(self, note: Notification, mira: Client) -> None:
        sent = cast.delivery(note)
        answer = mira.get(reverse("admin:ledger_delivery_change", args=[sent.id]))
        assert answer["Location"] == f"{page(note)}#{ids.show(ids.DELIVERY, sent.id)}"

    def test_what_is_typed_by_callers_is_escaped(self, acme: Tenant, mira: Client) -> None:
        note = cast.notification(acme, cast.person(acme), event_type="<script>x</script>", actor_id="<b>")
        for text in (shown(mira, page(note)), shown(mira, LIST)):
            assert "<script>x" not in text
            assert "<b>" not in text

    def test_cancelling_asks_first_and_takes_back_what_waits(self, note: Notification, mira: Client) -> None:
        cast.work(note)
        address = reverse("admin:ledger_notification_cancel", args=[ids.show(ids.NOTIFICATION, note.id)])
        assert "Cancel the notification" in shown(mira, address)
        assert WorkItem.objects.count() == 1
        assert mira.post(address)["Location"] == page(note)
        assert WorkItem.objects.count() == 0
        event = DeliveryEvent.objects.get()
        assert (event.kind, event.source) == ("cancelled", "operator mira")
        assert "There was nothing to cancel" in mira.post(address, follow=True).content.decode()
        assert DeliveryEvent.objects.count() == 1

    def test_trying_again_leaves_doubt_alone_unless_told(self, note: Notification, mira: Client) -> None:
        doubtful = cast.delivery(note, "sms", "unknown", reason="in_doubt")
        address = reverse("admin:ledger_notification_retry", args=[ids.show(ids.NOTIFICATION, note.id)])
        assert mira.get(address).status_code == 200
        assert "nothing to try again" in mira.post(address, follow=True).content.decode()
        assert (WorkItem.objects.count(), cast.events("retried")) == (0, 0)
        mira.post(address, {"may_duplicate": "on"})
        doubtful.refresh_from_db()
        assert (doubtful.status, WorkItem.objects.get().queue) == ("queued", "send.transactional.sms")
        assert cast.events("retried") == 1

    def test_a_viewer_looks_and_changes_nothing(self, note: Notification) -> None:
        cast.work(note)
        cast.delivery(note, status="failed")
        vera = cast.viewer("ledger.view_notification")
        text = shown(vera, page(note))
        assert "Try again" not in text
        assert "/cancel/" not in text
        for name in ("cancel", "retry"):
            address = reverse(f"admin:ledger_notification_{name}", args=[str(note.id)])
            assert vera.get(address).status_code == 403
            assert vera.post(address).status_code == 403
        assert (WorkItem.objects.count(), DeliveryEvent.objects.count()) == (1, 0)
