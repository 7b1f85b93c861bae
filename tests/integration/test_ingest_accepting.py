"""What is accepted: answered with 202, and written as one notification and one piece of work each."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from apps.audience.models import Endpoint, Recipient
from apps.core import clock
from apps.core.enums import Category, Scope
from apps.events.services import put_event_type
from apps.ingest import examples
from apps.ledger.models import Notification, WorkItem
from apps.ledger.selectors import notifications as facts
from apps.schedules import examples as schedules
from tests.integration import ingest_cast as cast
from tests.integration import templates_cast
from tests.integration.ingest_cast import BATCH, ROSA, SCHEDULED, SEND, Caller, Written, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return Caller(
        cast.with_content(cast.acme()),
        Scope.NOTIFICATIONS_WRITE,
        Scope.NOTIFICATIONS_READ,
        Scope.NOTIFICATIONS_CRITICAL,
    )


def test_it_takes_the_request_as_it_is_printed(caller: Caller) -> None:
    Recipient.objects.create(tenant_id=caller.tenant.id, user_id="u_19384721")
    body = {
        "event_id": "order.shipped.42abc",
        "user_id": "u_19384721",
        "category": "transactional",
        "priority": "high",
        "channels": ["push", "email"],
        "template_id": "order_shipped_v3",
        "data": {
            "order_id": "ord_91827",
            "carrier": "BlueDart",
            "tracking_url": "https://track.example.com/ord_91827",
        },
    }
    answer = caller.post(SEND, body, key="8e1f2a90-4c2f-4b9b-9a3d-1f4cb1cc9cc1")
    shown = answer.json()["notification_id"]
    assert shown.startswith("nt_")
    assert (answer.status_code, answer["Content-Type"]) == (202, "application/json")
    assert answer.json() == {
        "notification_id": shown,
        "status": "queued",
        "timeline_url": f"{settings.PUBLIC_URL}/v1/notifications/{shown}/timeline",
    }
    assert answer["Idempotency-Key"] == "8e1f2a90-4c2f-4b9b-9a3d-1f4cb1cc9cc1"
    assert "Idempotent-Replayed" not in answer
    row = Notification.objects.get()
    assert (row.id, row.tenant_id, row.mode) == (cast.id_of(answer), caller.tenant.id, "test")
    assert (row.category, row.event_type, row.template_key) == ("transactional", "", "order_shipped_v3")
    assert (row.channels, row.priority, row.event_id) == (["push", "email"], 0, "order.shipped.42abc")
    assert (row.due_at, row.expires_at, row.source) == (None, None, "api")
    assert row.request_id == answer["X-Request-Id"]
    assert b"ord_91827" not in bytes(row.sealed or b"")
    assert facts([row.id])[row.id].data == body["data"]
    work = WorkItem.objects.get()
    assert (work.id, work.notification_id, work.lane) == (row.id, row.id, "transactional")
    assert (work.kind, work.queue, work.phase, work.priority) == ("route", "route.transactional", 0, 0)
    assert abs(work.due_at - clock.now()) < timedelta(seconds=5)
    assert written(3) == Written(1, 1, 2, 0)  # two keys: the request's and the event's


def test_an_event_type_says_category_and_content(caller: Caller) -> None:
    answer = caller.post(SEND, {"user_id": "rosa", "event_type": "order.shipped", "data": {"order_id": "A-1"}})
    row = Notification.objects.get(id=cast.id_of(answer))
    assert (row.event_type, row.category, row.template_key, row.channels) == ("order.shipped", "transactional", "", [])
    assert written() == Written(1, 1, 1, 0)


@pytest.mark.parametrize(
    ("key", "category"),
    [
        ("otp_login", "critical"),
        ("security_alert", "critical"),
        ("transactional_receipt", "transactional"),
        ("social_like", "social"),
        ("spring_sale", "marketing"),
        ("my_otp_login", "marketing"),
    ],
)
def test_the_template_s_prefix_classifies_when_nobody_else_does(caller: Caller, key: str, category: str) -> None:
    templates_cast.publish(caller.tenant, key, templates_cast.sms("Hello"))
    answer = caller.post(SEND, {"user_id": "rosa", "template_id": key})
    assert Notification.objects.get(id=cast.id_of(answer)).category == category
    assert WorkItem.objects.get().queue == f"route.{category}"


def test_who_says_the_category_wins_over_the_prefix(caller: Caller) -> None:
    templates_cast.publish(caller.tenant, "otp_fun", templates_cast.sms("Hello"))
    put_event_type(tenant=caller.tenant, key="fun", name="Fun", category=Category.MARKETING, template_key="otp_fun")
    cast.id_of(caller.post(SEND, {"user_id": "rosa", "template_id": "otp_fun", "category": "social"}))
    cast.id_of(caller.post(SEND, {"user_id": "rosa", "event_type": "fun"}))
    assert list(Notification.objects.order_by("id").values_list("category", flat=True)) == ["social", "marketing"]


def test_everything_that_may_be_said_is_kept(caller: Caller) -> None:
    due, expiry = clock.now() + timedelta(hours=1), clock.now() + timedelta(hours=2)
    answer = caller.send(
        priority="low", channels=["sms"], schedule_at=due.isoformat(), expiry_at=expiry.isoformat(), event_id="e-1",
        actor_id="otto", object_id="photo-7", ordering_key="chat-1", data={"n": 1},
    )  # fmt: skip
    row = Notification.objects.get(id=cast.id_of(answer))
    assert answer.json()["status"] == "scheduled"
    assert (row.priority, row.channels, row.due_at, row.expires_at) == (2, ["sms"], due, expiry)
    assert (row.event_id, row.actor_id, row.object_id) == ("e-1", "otto", "photo-7")
    found = facts([row.id])[row.id]
    assert (found.data, found.content) == ({"n": 1}, {"title": "", "body": "Otto likes your photo."})
    work = WorkItem.objects.get()
    assert (work.due_at, work.order_at, work.expires_at) == (due, due, expiry)
    assert (row.ordering_key, work.ordering_key) == ("chat-1", f"{row.recipient_id}/chat-1")


def test_scheduling_asks_for_a_time(caller: Caller) -> None:
    due = clock.now() + timedelta(days=1)
    answer = caller.post(SCHEDULED, {**ROSA, "schedule_at": due.isoformat()})
    assert answer.json()["status"] == "scheduled"
    assert WorkItem.objects.get(id=cast.id_of(answer)).due_at == due
    before = written()
    assert cast.refused(caller.post(SCHEDULED, ROSA)) == (400, "missing_field", ["/schedule_at"])
    assert written() == before


def test_several_recipients_of_one_event_get_one_each(caller: Caller) -> None:
    body = {
        "event_type": "order.shipped",
        "event_id": "e-1",
        "channels": ["email"],
        "data": {"order_id": "A-1", "carrier": "DHL"},
        "recipients": [{"user_id": "rosa"}, {"user_id": "otto", "channels": ["sms"], "data": {"carrier": "UPS"}}],
    }
    answer = caller.post(SEND, body)
    assert answer.status_code == 202
    found = answer.json()["notifications"]
    assert [one["user_id"] for one in found] == ["rosa", "otto"]
    assert all(one.keys() == {"notification_id", "status", "timeline_url", "user_id"} for one in found)
    rosa, otto = Notification.objects.order_by("id")
    assert (rosa.channels, otto.channels) == (["email"], ["sms"])
    assert (rosa.event_id, otto.event_id) == ("e-1", "e-1")
    data = {id_: found.data for id_, found in facts([rosa.id, otto.id]).items()}
    assert data == {
        rosa.id: {"order_id": "A-1", "carrier": "DHL"},
        otto.id: {"order_id": "A-1", "carrier": "UPS"},
    }
    assert written() == Written(2, 2, 3, 0)


def test_a_person_sent_along_is_created_then_updated(caller: Caller) -> None:
    bea = {"user_id": "bea", "locale": "de-CH", "email": "bea@simulator.test"}
    body = {"recipient": bea, "category": "social", "message": {"body": "Hello"}}
    first = cast.id_of(caller.post(SEND, body))
    person = Recipient.objects.get(user_id="bea")
    assert (person.locale, Endpoint.objects.filter(recipient_id=person.id).count()) == ("de-CH", 1)
    assert Notification.objects.get(id=first).recipient_id == person.id
    cast.id_of(caller.post(SEND, body | {"recipient": {"user_id": "bea", "locale": "fr"}}))
    person.refresh_from_db()
    assert (person.locale, Endpoint.objects.filter(recipient_id=person.id).count()) == ("fr", 1)
    assert written() == Written(2, 2, 2, 1)


def test_words_sent_along_may_say_what_a_device_shows(caller: Caller) -> None:
    message = {"body": "Hello", "collapse_id": "chat:7", "badge": "unread"}
    id_ = cast.id_of(caller.post(SEND, {"user_id": "rosa", "category": "social", "message": message}))
    assert facts([id_])[id_].content == {"title": "", "body": "Hello", "collapse_id": "chat:7", "badge": "unread"}


def test_a_batch_takes_the_good_and_names_the_bad(caller: Caller) -> None:
    items: list[Any] = [ROSA for _ in range(1000)]
    items[3] = ROSA | {"user_id": "nobody"}
    items[500] = ROSA | {"colour": "red"}
    items[501] = "not an object"
    items[998] = {"recipient": {"user_id": "bea"}, "category": "social", "message": {"body": "Hi"}}
    items[999] = ROSA | {"message": {"title": "no body"}}
    answer = caller.post(BATCH, {"notifications": items})
    body = answer.json()
    assert (answer.status_code, body["accepted"], body["refused"]) == (202, 996, 4)
    assert [result["index"] for result in body["results"]] == list(range(1000))
    bad = {result["index"]: result["error"] for result in body["results"] if result["status"] == "refused"}
    assert {place: (error["code"], [e["pointer"] for e in error["errors"]]) for place, error in bad.items()} == {
        3: ("unknown_user", ["/notifications/3/user_id"]),
        500: ("unknown_field", ["/notifications/500/colour"]),
        501: ("wrong_type", ["/notifications/501"]),
        999: ("missing_field", ["/notifications/999/message/body"]),
    }
    good = [result for result in body["results"] if result["status"] == "queued"]
    assert all(result.keys() == {"index", "status", "notification_id", "timeline_url"} for result in good)
    assert len({result["notification_id"] for result in good}) == 996
    assert written() == Written(996, 996, 1, 1)


def test_a_batch_without_a_good_one_is_refused_as_a_whole(caller: Caller) -> None:
    items = [ROSA | {"user_id": "nobody"}, ROSA | {"colour": "red"}]
    answer = caller.post(BATCH, {"notifications": items})
    assert cast.refused(answer) == (400, "validation_error", ["/notifications/0/user_id", "/notifications/1/colour"])
    assert written() == cast.NOTHING


def test_each_batch_item_has_its_own_time_and_lane(caller: Caller) -> None:
    due = clock.now() + timedelta(hours=1)
    items = [ROSA, ROSA | {"category": "critical"}, ROSA | {"schedule_at": due.isoformat()}]
    results = caller.post(BATCH, {"notifications": items}).json()["results"]
    assert [result["status"] for result in results] == ["queued", "queued", "scheduled"]
    queues = sorted(WorkItem.objects.values_list("queue", flat=True))
    assert queues == ["route.critical", "route.social", "route.social"]
    assert WorkItem.objects.filter(due_at=due).count() == 1


EXAMPLES = [
    *((SEND, example) for example in examples.SEND),
    (SCHEDULED, schedules.SCHEDULE[0]),
    *((BATCH, example) for example in examples.BATCH),
]


@pytest.mark.parametrize(
    ("where", "example"),
    [pytest.param(where, each, id=each.name) for where, each in EXAMPLES if each.request_only],
)
def test_the_examples_of_the_schema_are_accepted_as_they_stand(where: str, example: Any) -> None:
    tenant = cast.acme(people=("u_rider", "u_contact"))
    templates_cast.publish(tenant, "ride_booked", templates_cast.sms("{{ data.ride.driver }} is coming."),
                           sample={"ride": {"driver": "Mara"}})  # fmt: skip
    put_event_type(
        tenant=tenant, key="ride.booked", name="Ride", category=Category.TRANSACTIONAL, template_key="ride_booked"
    )
    answer = Caller(tenant).post(where, example.value)
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert body.get("refused", 0) == 0
    expected = len(example.value.get("recipients") or example.value.get("notifications") or [None])
    assert Notification.objects.count() == WorkItem.objects.count() == expected


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_the_number_of_queries_does_not_grow(caller: Caller, count: int) -> None:
    users = [f"u{place}" for place in range(count)]
    Recipient.objects.bulk_create(Recipient(tenant_id=caller.tenant.id, user_id=user_id) for user_id in users)
    item = {"event_type": "order.shipped", "data": {"order_id": "A-1"}}
    body = {"notifications": [{**item, "user_id": user_id, "event_id": user_id} for user_id in users]}
    caller.get("/v1/notifications/nt_x")  # the key is known from now on
    with cast.statements(4):  # event type, template, people, and the one that writes
        answer = caller.post(BATCH, body)
    assert answer.json()["accepted"] == count
