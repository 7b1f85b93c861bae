"""What became of it: by id, by person, as a timeline."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.core import clock, ids
from apps.core.enums import Channel, Scope
from apps.dispatch.route_batch import route_batch
from apps.ledger import work
from apps.ledger.models import Delivery, Notification
from tests.integration import ingest_cast as cast
from tests.integration.ingest_cast import ROSA, SEND, Caller, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_READ)


def door(id_: UUID, rest: str = "") -> str:
    return f"{SEND}/{ids.show(ids.NOTIFICATION, id_)}{rest}"


def test_a_new_one_is_queued_and_says_what_was_asked(caller: Caller) -> None:
    due, expiry = clock.now() + timedelta(hours=1), clock.now() + timedelta(hours=2)
    sent = caller.send(
        schedule_at=due.isoformat(), expiry_at=expiry.isoformat(), priority="high", event_id="e-1", actor_id="otto",
        object_id="photo-7", ordering_key="chat-1",
    )  # fmt: skip
    id_ = cast.id_of(sent)
    row = Notification.objects.get(id=id_)
    answer = caller.get(door(id_))
    at = row.created_at.isoformat().replace("+00:00", "Z")
    assert answer.status_code == 200
    assert answer.json() == {
        "notification_id": ids.show(ids.NOTIFICATION, id_),
        "user_id": "rosa",
        "status": "scheduled",
        "status_text": "Waits for its time.",
        "mode": "test",
        "category": "social",
        "event_type": None,
        "template_id": None,
        "priority": "high",
        "schedule_at": due.isoformat().replace("+00:00", "Z"),
        "expiry_at": expiry.isoformat().replace("+00:00", "Z"),
        "event_id": "e-1",
        "actor_id": "otto",
        "object_id": "photo-7",
        "ordering_key": "chat-1",
        "created_at": at,
        "last_updated": at,
        "channels": [],
        "timeline_url": sent.json()["timeline_url"],
    }


def test_what_is_scheduled_is_queued_when_its_time_has_come(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    assert caller.get(door(id_)).json()["status"] == "queued"


def test_each_channel_says_why_it_was_withheld(caller: Caller) -> None:
    id_ = cast.id_of(caller.send(channels=["sms", "email"]))
    claimed = work.claim(queue="route.social", limit=10, lease=timedelta(seconds=30), weights={})
    assert [w.id for w in claimed] == [id_]
    route_batch(claimed, 0)
    body = caller.get(door(id_)).json()
    assert (body["status"], body["status_text"]) == ("skipped", "Withheld on every channel; each has its reason.")
    assert {(c["channel"], c["status"], c["reason"], c["reason_text"]) for c in body["channels"]} == {
        ("sms", "skipped", "no_endpoint", "The recipient has no address for this channel."),
        ("email", "skipped", "no_endpoint", "The recipient has no address for this channel."),
    }
    entries = caller.get(door(id_, "/timeline")).json()["entries"]
    assert [entry["kind"] for entry in entries] == ["accepted", "skipped", "skipped"]
    assert entries[0]["text"] == "Accepted: inline message, social, test key."
    texts = sorted(entry["text"] for entry in entries[1:])
    assert texts[0] == "Email withheld: The recipient has no address for this channel."
    found = Delivery.objects.get(notification_id=id_, channel=Channel.SMS)
    assert [e["delivery_id"] for e in entries if e["channel"] == "sms"] == [ids.show(ids.DELIVERY, found.id)]


def test_the_timeline_begins_with_acceptance_and_schedule(caller: Caller) -> None:
    due = clock.now() + timedelta(hours=1)
    sent = caller.send(schedule_at=due.isoformat(), event_id="e-1")
    id_ = cast.id_of(sent)
    body = caller.get(sent.json()["timeline_url"].removeprefix("http://127.0.0.1:8000")).json()
    assert (body["notification_id"], body["status"]) == (ids.show(ids.NOTIFICATION, id_), "scheduled")
    assert body["channels"] == []
    accepted, scheduled = body["entries"]
    assert accepted["detail"] == {
        "request_id": sent["X-Request-Id"],
        "source": "api",
        "mode": "test",
        "event_id": "e-1",
    }
    assert (scheduled["kind"], scheduled["text"]) == ("scheduled", f"Scheduled for {due:%Y-%m-%d %H:%M:%S} UTC.")


def test_an_id_may_be_written_in_capitals_and_is_shown_as_ours(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    shown = ids.show(ids.NOTIFICATION, id_)
    loud = f"nt_{shown.removeprefix('nt_').upper()}"
    assert caller.get(f"{SEND}/{loud}").json()["notification_id"] == shown
    assert caller.get(f"{SEND}/{loud}/timeline").json()["notification_id"] == shown


def pages(caller: Caller, limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    where = f"/v1/users/rosa/notifications?limit={limit}"
    while True:
        body = caller.get(where).json()
        found.append([each["notification_id"] for each in body["data"]])
        assert body["has_more"] == (body["next_cursor"] is not None)
        if not body["has_more"]:
            return found
        where = f"/v1/users/rosa/notifications?limit={limit}&cursor={body['next_cursor']}"


def test_a_person_s_notifications_come_newest_first_and_in_pages(caller: Caller) -> None:
    sent = [caller.send().json()["notification_id"] for _ in range(5)]
    caller.send(user_id="otto")
    newest = sent[::-1]
    assert pages(caller, 2) == [newest[:2], newest[2:4], newest[4:]]
    assert pages(caller, 5) == [newest]
    assert pages(caller, 100) == [newest]


def test_a_page_is_stable_while_more_is_sent(caller: Caller) -> None:
    sent = [caller.send().json()["notification_id"] for _ in range(3)]
    first = caller.get("/v1/users/rosa/notifications?limit=2").json()
    caller.send()
    second = caller.get(f"/v1/users/rosa/notifications?limit=2&cursor={first['next_cursor']}").json()
    assert [each["notification_id"] for each in second["data"]] == [sent[0]]


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_page_costs_the_same_whatever_its_size(caller: Caller, count: int) -> None:
    caller.post(cast.BATCH, {"notifications": [ROSA] * count})
    with cast.statements(7):  # who, page, in flight, deliveries, events, dead letters, people
        body = caller.get("/v1/users/rosa/notifications?limit=100").json()
    assert len(body["data"]) == count


@pytest.mark.parametrize(
    ("query", "code", "pointer"),
    [
        ("limit=0", "out_of_range", "#query/limit"),
        ("limit=101", "out_of_range", "#query/limit"),
        ("limit=ten", "out_of_range", "#query/limit"),
        ("limit=%00", "out_of_range", "#query/limit"),
        ("cursor=x", "invalid_cursor", "#query/cursor"),
        ("cursor=%F0%9F%98%80", "invalid_cursor", "#query/cursor"),
    ],
)
def test_it_refuses_pages_that_cannot_be(caller: Caller, query: str, code: str, pointer: str) -> None:
    assert refused(caller.get(f"/v1/users/rosa/notifications?{query}")) == (400, code, [pointer])


def test_a_person_without_any_has_an_empty_page(caller: Caller) -> None:
    body = caller.get("/v1/users/rosa/notifications").json()
    assert body == {"data": [], "has_more": False, "next_cursor": None}


def doors(id_: UUID) -> list[tuple[str, str]]:
    return [
        ("get", door(id_)),
        ("get", door(id_, "/timeline")),
        ("delete", door(id_)),
        ("post", door(id_, "/retry")),
    ]


@pytest.mark.parametrize("method", range(4))
def test_another_tenant_s_id_is_not_there_at_any_door(caller: Caller, method: int) -> None:
    id_ = cast.id_of(caller.send())
    before = cast.written()
    globex = Caller(cast.acme("globex", people=()))
    verb, where = doors(id_)[method]
    answer = globex.post(where, {}) if verb == "post" else getattr(globex, verb)(where)
    assert refused(answer) == (404, "not_found", [])
    assert refused(globex.get("/v1/users/rosa/notifications")) == (404, "not_found", [])
    assert cast.written() == before
    assert caller.get(door(id_)).json()["status"] == "queued"


@pytest.mark.parametrize(
    "shown", ["nt_", "nt_x", "dl_" + "0" * 26, "nt_" + "0" * 26, "nt_" + "z" * 26, "%00", "nt_%F0"]
)
def test_ids_that_cannot_be_are_not_there(caller: Caller, shown: str) -> None:
    everything = Caller(caller.tenant)
    for rest in ("", "/timeline"):
        assert refused(everything.get(f"{SEND}/{shown}{rest}")) == (404, "not_found", [])
    assert refused(everything.delete(f"{SEND}/{shown}")) == (404, "not_found", [])
    assert refused(everything.post(f"{SEND}/{shown}/retry", {})) == (404, "not_found", [])
    assert refused(everything.get(f"/v1/users/{shown}/notifications")) == (404, "not_found", [])


@pytest.mark.parametrize("method", ["get", "delete"])
def test_reading_and_writing_are_two_scopes(caller: Caller, method: str) -> None:
    id_ = cast.id_of(caller.send())
    have, need = [Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_READ][:: 1 if method == "get" else -1]
    answer: Any = getattr(Caller(caller.tenant, have), method)(door(id_))
    assert refused(answer) == (403, "forbidden", [])
    assert answer.json()["detail"] == f"This needs a key with the scope `{need}`."
    assert caller.get(door(id_)).json()["status"] == "queued"
