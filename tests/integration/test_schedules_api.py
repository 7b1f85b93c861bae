"""/v1/scheduled-notifications: made, shown, changed, paused, resumed, cancelled, previewed; and none of another tenant's."""

from typing import Any

import pytest

from apps.audience.models import Endpoint, Recipient
from apps.core.enums import Scope
from apps.ledger.models import Notification
from apps.schedules import examples
from apps.schedules.models import Schedule, ScheduleRecipient
from tests.integration.ingest_cast import SCHEDULED, Caller, acme, statements
from tests.integration.schedules_cast import WORDS, Clock, fire, live_in, made, row_of, runs_of, sent

pytestmark = pytest.mark.django_db
ROSA = {"user_id": "rosa", **WORDS}
LOCAL = {"start": "2027-01-05T09:00", "zone": "UTC"}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def caller(now: Clock) -> Caller:
    return Caller(acme())


def patch(caller: Caller, shown: str, body: Any, status: int = 200) -> Any:
    answer = caller.client.patch(f"{SCHEDULED}/{shown}", body, content_type="application/json", headers=caller.headers)
    assert answer.status_code == status, answer.content
    return answer.json()


def refused(answer: Any) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["code"], body["errors"][0]["pointer"]


def test_it_is_made_and_shown(caller: Caller) -> None:
    schedule = made(
        caller, name="Weekly", rule="FREQ=WEEKLY;BYDAY=FR", exdates=["2027-01-08"], expires_after_minutes=60
    )
    stamps = {name: schedule.pop(name) for name in ("created_at", "updated_at")}
    assert schedule == {
        "id": schedule["id"],
        "name": "Weekly",
        "status": "active",
        "status_text": "It fires at its next time.",
        "mode": "test",
        "start": "2027-01-04T09:00:00",
        "zone": "UTC",
        "rule": "FREQ=WEEKLY;BYDAY=FR",
        "exdates": ["2027-01-08"],
        "rdates": [],
        "missed": "skip",
        "missed_limit": 10,
        "expires_after_minutes": 60,
        "next_fire_at": "2027-01-15T09:00:00Z",
        "last_fired_at": None,
        "fired_count": 0,
        "recipients": 1,
        "version": 1,
        "request": {**WORDS, "priority": "normal", "recipients": [{"user_id": "rosa"}]},
    }
    assert caller.get(f"{SCHEDULED}/{schedule['id']}").json() == schedule | stamps
    listed = caller.get(SCHEDULED).json()
    assert listed["data"] == [{name: value for name, value in (schedule | stamps).items() if name != "request"}]
    assert Notification.objects.count() == 0


def test_with_schedule_at_alone_it_is_a_notification_that_waits(caller: Caller) -> None:
    answer = caller.post(SCHEDULED, {**ROSA, "schedule_at": "2027-01-04T10:00:00Z"})
    assert (answer.status_code, answer.json()["status"]) == (202, "scheduled")
    assert (Schedule.objects.count(), Notification.objects.count()) == (0, 1)


def test_what_is_kept_is_encrypted_and_people_sent_along_are_stored(caller: Caller) -> None:
    nora = {"user_id": "nora", "email": "nora@acme.example"}
    schedule = made(caller, user_id=None, words={"user_id": None, "recipient": nora})
    assert Endpoint.objects.all_tenants().get().recipient.user_id == "nora"
    assert b"photo" not in bytes(row_of(schedule).sealed)
    assert schedule["request"]["recipients"] == [{"user_id": "nora"}]


def test_each_recipient_keeps_what_differs_for_them(caller: Caller, now: Clock) -> None:
    people = [{"user_id": "rosa", "data": {"n": 1}}, {"user_id": "otto", "channels": ["sms"]}]
    schedule = made(caller, user_id=None, words={"user_id": None, "recipients": people, "data": {"m": 2}})
    assert schedule["request"]["recipients"] == people
    assert b"sms" not in b"".join(bytes(p.sealed) for p in ScheduleRecipient.objects.all_tenants())
    now.until("2027-01-04T09:00")
    fire()
    found = {n.recipient_id: n.channels for n in Notification.objects.all()}
    assert sorted(found.values()) == [[], ["sms"]]
    assert sorted(sent()) == ["otto", "rosa"]


def test_the_same_key_makes_one_and_another_body_is_refused(caller: Caller) -> None:
    first = made(caller, key="k-1")
    again = caller.post(
        SCHEDULED, {**ROSA, "schedule": {"start": "2027-01-04T09:00", "zone": "UTC", "rule": "FREQ=DAILY"}}, key="k-1"
    )
    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, first, "true")
    other = caller.post(SCHEDULED, {**ROSA, "schedule": LOCAL}, key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Schedule.objects.count() == 1


def test_it_is_changed_by_who_has_read_it(caller: Caller, now: Clock) -> None:
    schedule = made(caller, name="Weekly")
    changed = patch(caller, schedule["id"], {"version": 1, "schedule": {"start": "2027-01-04T10:00", "name": None}})
    assert (changed["version"], changed["next_fire_at"], changed["name"]) == (2, "2027-01-04T10:00:00Z", "")
    assert changed["request"] == schedule["request"]
    assert patch(caller, schedule["id"], {"version": 1, "data": {}}, 409)["code"] == "stale_version"
    assert patch(caller, schedule["id"], {"data": {}}, 400)["code"] == "missing_field"
    assert patch(caller, schedule["id"], {"version": 2, "schedule": {"rule": "X"}}, 400)["code"] == "invalid_rule"
    assert patch(caller, schedule["id"], {"version": 2, "event_id": "e"}, 400)["code"] == "unknown_field"
    more = patch(
        caller, schedule["id"], {"version": 2, "user_id": "otto", "data": {"a": 1}, "schedule": {"rule": None}}
    )
    assert (more["rule"], more["request"]["data"], more["version"]) == (None, {"a": 1}, 3)
    now.until("2027-01-04T10:00")
    assert (fire(), sent()) == (1, ["otto"])
    assert patch(caller, schedule["id"], {"version": 3, "data": {}}, 409)["code"] == "already_final"


def test_who_joins_begins_with_the_next_time_of_their_clock(caller: Caller, now: Clock) -> None:
    live_in("otto", "Asia/Tokyo")
    schedule = made(caller, start="2027-01-05T09:00", zone="recipient")
    now.until("2027-01-05T08:00")
    people = [{"user_id": "rosa"}, {"user_id": "otto"}]
    patch(caller, schedule["id"], {"version": 1, "recipients": people})
    assert row_of(schedule).waves == {"UTC": "2027-01-05T09:00:00", "Asia/Tokyo": "2027-01-06T09:00:00"}


def test_where_it_is_over_already_it_is_left_out_and_noted(caller: Caller, now: Clock) -> None:
    live_in("otto", "Asia/Tokyo")
    people = {"user_id": None, "recipients": [{"user_id": "rosa"}, {"user_id": "otto"}]}
    schedule = made(caller, user_id=None, words=people, rule=None, zone="recipient")
    assert runs_of(schedule) == [("Asia/Tokyo", "2027-01-04T09:00:00", "skipped", "past", 1, 0)]
    now.until("2027-01-04T09:00")
    assert (fire(), sent(), row_of(schedule).status) == (1, ["rosa"], "finished")


def test_it_is_paused_resumed_and_cancelled(caller: Caller, now: Clock) -> None:
    schedule = made(caller)
    where = f"{SCHEDULED}/{schedule['id']}"
    paused = caller.post(f"{where}/pause", b"").json()
    assert (paused["status"], paused["next_fire_at"], paused["version"]) == ("paused", None, 2)
    assert caller.post(f"{where}/pause", b"").json()["version"] == 2
    now.until("2027-01-06T12:00")
    assert fire() == 0
    resumed = caller.post(f"{where}/resume", b"").json()
    assert (resumed["status"], resumed["next_fire_at"]) == ("active", "2027-01-07T09:00:00Z")
    assert runs_of(schedule) == [("UTC", "2027-01-04T09:00:00", "skipped", "paused", 3, 0)]
    cancelled = caller.delete(where).json()
    assert (cancelled["status"], cancelled["next_fire_at"]) == ("cancelled", None)
    for answer in (caller.delete(where), caller.post(f"{where}/pause", b""), caller.post(f"{where}/resume", b"")):
        assert (answer.status_code, answer.json()["code"]) == (409, "already_final")
    assert sent() == []


def test_a_one_off_whose_time_fell_into_the_pause_is_finished(caller: Caller, now: Clock) -> None:
    schedule = made(caller, rule=None)
    caller.post(f"{SCHEDULED}/{schedule['id']}/pause", b"")
    now.until("2027-01-05T09:00")
    assert caller.post(f"{SCHEDULED}/{schedule['id']}/resume", b"").json()["status"] == "finished"
    assert runs_of(schedule) == [("UTC", "2027-01-04T09:00:00", "skipped", "paused", 1, 0)]


def test_the_next_times_are_shown_on_everybodys_clock(caller: Caller) -> None:
    live_in("otto", "Asia/Tokyo")
    people = {"user_id": None, "recipients": [{"user_id": "rosa"}, {"user_id": "otto"}]}
    schedule = made(caller, user_id=None, words=people, zone="recipient")
    found = caller.get(f"{SCHEDULED}/{schedule['id']}/next?count=3").json()["data"]
    assert found == [
        {"at": at, "wall": wall, "zone": zone, "moved": False, "recipients": 1}
        for at, wall, zone in [
            ("2027-01-04T09:00:00Z", "2027-01-04T09:00:00", "UTC"),
            ("2027-01-05T00:00:00Z", "2027-01-05T09:00:00", "Asia/Tokyo"),
            ("2027-01-05T09:00:00Z", "2027-01-05T09:00:00", "UTC"),
        ]
    ]
    assert caller.get(f"{SCHEDULED}/{schedule['id']}/next?count=51").status_code == 400


def test_a_rule_is_tried_before_it_is_kept(caller: Caller) -> None:
    timing = {"start": "2027-03-27T02:30", "zone": "Europe/Berlin", "rule": "FREQ=DAILY"}
    found = caller.post(f"{SCHEDULED}/preview", {"schedule": timing, "count": 2}).json()["data"]
    assert [(one["at"], one["moved"]) for one in found] == [
        ("2027-03-27T01:30:00Z", False),
        ("2027-03-28T01:00:00Z", True),
    ]
    zones = {"schedule": {**timing, "zone": "recipient"}, "count": 2, "zones": ["Asia/Tokyo", "Mars/Base"]}
    assert refused(caller.post(f"{SCHEDULED}/preview", zones)) == (400, "invalid_timezone", "/zones/1")
    assert Schedule.objects.count() == 0


def test_runs_are_listed_newest_first(caller: Caller, now: Clock) -> None:
    schedule = made(caller, missed="all")
    now.until("2027-01-05T09:00:01")
    fire()
    first = caller.get(f"{SCHEDULED}/{schedule['id']}/runs?limit=1").json()
    rest = caller.get(f"{SCHEDULED}/{schedule['id']}/runs?limit=1&cursor={first['next_cursor']}").json()
    assert [(run["wall"], run["outcome"], run["late_seconds"], run["notifications"]) for run in first["data"]] == [
        ("2027-01-05T09:00:00", "fired", 1.0, 1)
    ]
    assert [run["late_seconds"] for run in rest["data"]] == [86401.0]
    assert (first["has_more"], rest["has_more"]) == (True, False)


def test_other_tenants_and_keys_without_the_scope_find_nothing(caller: Caller) -> None:
    schedule = made(caller)
    where = f"{SCHEDULED}/{schedule['id']}"
    globex = Caller(acme("globex"))
    answers = [globex.get(where), globex.get(f"{where}/next"), globex.get(f"{where}/runs"), globex.delete(where)]
    answers += [globex.post(f"{where}/pause", b""), globex.post(f"{where}/resume", b"")]
    assert [answer.status_code for answer in answers] == [404] * 6
    assert globex.get(SCHEDULED).json()["data"] == []
    patch(globex, schedule["id"], {"version": 1, "data": {}}, 404)
    reader = Caller(caller.tenant, Scope.NOTIFICATIONS_READ)
    assert reader.get(where).status_code == 200
    assert [reader.delete(where).status_code, reader.post(f"{where}/pause", b"").status_code] == [403, 403]
    assert reader.post(SCHEDULED, {**ROSA, "schedule": LOCAL}).status_code == 403
    assert (row_of(schedule).status, row_of(schedule).version) == ("active", 1)


def test_the_list_is_filtered_and_costs_one_statement(caller: Caller) -> None:
    shown = [made(caller)["id"] for _ in range(3)]
    caller.delete(f"{SCHEDULED}/{shown[0]}")
    with statements(1):
        found = caller.get(f"{SCHEDULED}?status=active&limit=1").json()
    assert ([one["id"] for one in found["data"]], found["has_more"]) == ([shown[2]], True)
    assert refused(caller.get(f"{SCHEDULED}?status=lost")) == (400, "out_of_range", "#query/status")


@pytest.mark.parametrize("count", [1, 100])
def test_making_one_costs_the_same_for_any_number_of_people(caller: Caller, count: int) -> None:
    names = [f"u{n}" for n in range(count)]
    Recipient.objects.bulk_create(Recipient(tenant_id=caller.tenant.id, user_id=name) for name in names)
    made(caller)
    with statements(13):
        made(caller, user_id=None, words={"user_id": None, "recipients": [{"user_id": name} for name in names]})


def test_the_examples_of_the_schema_are_accepted_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(acme(people=("u_rider", "u_contact")))
    answer = caller.post(SCHEDULED, examples.SCHEDULE[1].value)
    assert answer.status_code == 201, answer.content
    assert len(caller.post(f"{SCHEDULED}/preview", examples.PREVIEW[0].value).json()["data"]) == 3
    patch(caller, answer.json()["id"], examples.PATCH[0].value)
