"""What is refused: its code, the place in the request, and that nothing was written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from tests.integration import ingest_cast as cast
from tests.integration import templates_cast
from tests.integration.ingest_cast import BATCH, NOTHING, ROSA, SEND, Caller, refused, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    tenant = cast.with_content(cast.acme())
    templates_cast.draft(tenant, "unpublished", templates_cast.sms("Hello"))
    return tenant


@pytest.fixture
def caller(tenant: Tenant) -> Caller:
    return Caller(tenant, Scope.NOTIFICATIONS_WRITE)


def in_days(days: float) -> str:
    return (clock.now() + timedelta(days=days)).isoformat()


WITHOUT_USER = {"category": "social", "message": {"body": "Hello"}}
TWO = [{"user_id": "rosa"}, {"user_id": "otto"}]
REFUSED: list[tuple[str, dict[str, Any], int, str, list[str]]] = [
    ("unknown user", ROSA | {"user_id": "nobody"}, 404, "unknown_user", ["/user_id"]),
    ("unknown event type", {"user_id": "rosa", "event_type": "no.such"}, 404, "unknown_event_type", ["/event_type"]),
    ("unknown template", {"user_id": "rosa", "template_id": "no_such"}, 404, "unknown_template", ["/template_id"]),
    ("draft", {"user_id": "rosa", "template_id": "unpublished"}, 404, "unknown_template", ["/template_id"]),
    ("nobody", WITHOUT_USER, 400, "no_recipient", ["/user_id"]),
    ("null user", WITHOUT_USER | {"user_id": None}, 400, "no_recipient", ["/user_id"]),
    ("nothing to say", {"user_id": "rosa", "category": "social"}, 400, "no_content", [""]),
    ("two users", ROSA | {"recipient": {"user_id": "bea"}}, 400, "contradiction", ["/user_id"]),
    ("one and several", ROSA | {"recipients": TWO}, 400, "contradiction", ["/user_id"]),
    (
        "sent along and several",
        WITHOUT_USER | {"recipient": {"user_id": "bea"}, "recipients": TWO},
        400,
        "contradiction",
        ["/recipient"],
    ),
    ("one twice", WITHOUT_USER | {"recipients": [TWO[0], TWO[0]]}, 400, "contradiction", ["/recipients"]),
    ("two contents", ROSA | {"template_id": "order_shipped_v3"}, 400, "contradiction", ["/message"]),
    ("other category", ROSA | {"event_type": "order.shipped"}, 400, "contradiction", ["/category"]),
    ("channel twice", ROSA | {"channels": ["sms", "sms"]}, 400, "contradiction", ["/channels"]),
    (
        "no badge",
        WITHOUT_USER | {"user_id": "rosa", "message": {"body": "Hello", "badge": "many"}},
        400,
        "out_of_range",
        ["/message/badge"],
    ),
    ("unknown channel", ROSA | {"channels": ["fax"]}, 400, "out_of_range", ["/channels/0"]),
    ("unknown category", ROSA | {"category": "spam"}, 400, "out_of_range", ["/category"]),
    ("unknown priority", ROSA | {"priority": "urgent"}, 400, "out_of_range", ["/priority"]),
    ("unknown field", ROSA | {"colour": "red"}, 400, "unknown_field", ["/colour"]),
    ("unknown field inside", ROSA | {"message": {"body": "x", "a/b": 1}}, 400, "unknown_field", ["/message/a~1b"]),
    ("missing field", ROSA | {"message": {"title": "x"}}, 400, "missing_field", ["/message/body"]),
    ("wrong type", ROSA | {"user_id": 7}, 400, "wrong_type", ["/user_id"]),
    ("wrong type inside", ROSA | {"message": {"body": 7}}, 400, "wrong_type", ["/message/body"]),
    ("two mistakes", ROSA | {"user_id": 7, "colour": "red"}, 400, "validation_error", ["/user_id", "/colour"]),
    ("too long", ROSA | {"user_id": "u" * 129}, 400, "out_of_range", ["/user_id"]),
    ("empty", ROSA | {"event_id": ""}, 400, "out_of_range", ["/event_id"]),
    ("no recipients", WITHOUT_USER | {"recipients": []}, 400, "out_of_range", ["/recipients"]),
    ("past", ROSA | {"schedule_at": "2020-01-01T00:00:00Z"}, 400, "schedule_in_past", ["/schedule_at"]),
    ("no zone", ROSA | {"schedule_at": "2030-01-01T00:00:00"}, 400, "out_of_range", ["/schedule_at"]),
    ("no date", ROSA | {"schedule_at": "tomorrow"}, 400, "out_of_range", ["/schedule_at"]),
    ("expired", ROSA | {"expiry_at": "2020-01-01T00:00:00Z"}, 400, "expiry_in_past", ["/expiry_at"]),
    ("year 10000", ROSA | {"expiry_at": "9999-12-31T23:59:59-10:00"}, 400, "out_of_range", ["/expiry_at"]),
    ("zero", ROSA | {"data": {"a": ["x", {"b": "n\x00l"}]}}, 400, "nul_byte", ["/data/a/1/b"]),
    ("zero in a name", ROSA | {"data": {"a\x00": 1}}, 400, "nul_byte", ["/data/a\x00"]),
    ("zero in the user", ROSA | {"user_id": "ro\x00sa"}, 400, "nul_byte", ["/user_id"]),
    ("address", WITHOUT_USER | {"recipient": {"user_id": "bea", "email": "x"}}, 400, "invalid_email",
     ["/recipient/email"]),
    ("phone", WITHOUT_USER | {"recipient": {"user_id": "bea", "phone": "12"}}, 400, "invalid_phone",
     ["/recipient/phone"]),
    ("zone", WITHOUT_USER | {"recipient": {"user_id": "bea", "timezone": "Mars/Base"}}, 400, "invalid_timezone",
     ["/recipient/timezone"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code", "pointers"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED]
)
def test_it_refuses_and_writes_nothing(caller: Caller, body: Any, status: int, code: str, pointers: list[str]) -> None:
    assert refused(caller.post(SEND, body)) == (status, code, pointers)
    assert written() == NOTHING


def test_it_refuses_times_that_do_not_fit(caller: Caller) -> None:
    assert refused(caller.send(schedule_at=in_days(366.1))) == (400, "schedule_too_far", ["/schedule_at"])
    too_soon = caller.send(schedule_at=in_days(2), expiry_at=in_days(1))
    assert refused(too_soon) == (400, "expiry_before_schedule", ["/expiry_at"])
    assert written() == NOTHING
    assert caller.send(schedule_at=in_days(365.9)).status_code == 202
    assert caller.send(expiry_at=datetime(9999, 12, 29, tzinfo=UTC).isoformat()).status_code == 202


def test_several_recipients_are_all_accepted_or_none(caller: Caller) -> None:
    body = WITHOUT_USER | {"recipients": [*TWO, {"user_id": "x"}, {"user_id": "y"}]}
    where = ["/recipients/2/user_id", "/recipients/3/user_id"]
    assert refused(caller.post(SEND, body)) == (404, "unknown_user", where)
    body["recipients"] = [*TWO, {"user_id": "x"}]
    assert refused(caller.post(SEND, body)) == (404, "unknown_user", ["/recipients/2/user_id"])
    assert written() == NOTHING


@pytest.mark.parametrize(
    ("common", "own", "pointer"),
    [
        ({"event_type": "no.such"}, {}, "/event_type"),
        ({"template_id": "no_such"}, {}, "/template_id"),
        ({"template_id": "order_shipped_v3"}, {"template_id": "no_such"}, "/recipients/1/template_id"),
        ({"event_type": "order.shipped", "channels": ["sms", "sms"]}, {}, "/channels"),
        ({"event_type": "order.shipped"}, {"channels": ["sms", "sms"]}, "/recipients/1/channels"),
        ({"event_type": "order.shipped", "schedule_at": "2020-01-01T00:00:00Z"}, {}, "/schedule_at"),
        ({"category": "social", "message": {"body": "x"}}, {"template_id": "no_such"}, "/message"),
    ],
)
def test_a_mistake_is_shown_where_the_request_made_it(caller: Caller, common: Any, own: Any, pointer: str) -> None:
    body = common | {"recipients": [{"user_id": "rosa"}, {"user_id": "otto", **own}]}
    assert refused(caller.post(SEND, body))[2] == [pointer]
    assert written() == NOTHING


@pytest.mark.parametrize(
    "body",
    [b"{", b"{'a': 1}", b'{"user_id": "rosa"} x', b"\xff\xfe", b'{"user_id": "\xff"}', b'{"data": {"n": NaN}}'],
)
def test_it_refuses_what_is_not_json(caller: Caller, body: bytes) -> None:
    assert refused(caller.post(SEND, body)) == (400, "invalid_json", [])
    assert written() == NOTHING


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"7"])
def test_it_refuses_what_is_not_an_object(caller: Caller, body: bytes) -> None:
    assert refused(caller.post(SEND, body)) == (400, "wrong_type", [""])
    assert refused(caller.post(BATCH, body)) == (400, "wrong_type", [""])
    assert written() == NOTHING


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_it_refuses_other_media_types(caller: Caller, kind: str) -> None:
    answer = caller.client.post(SEND, b"{}", content_type=kind, headers=caller.headers)
    assert refused(answer) == (415, "unsupported_media_type", [])
    assert written() == NOTHING


@pytest.mark.parametrize(("where", "limit"), [(SEND, 256 * 1024), (BATCH, 5 * 1024 * 1024)])
def test_it_refuses_large_bodies(caller: Caller, where: str, limit: int) -> None:
    answer = caller.post(where, b" " * (limit + 1))
    assert refused(answer) == (413, "body_too_large", [])
    assert answer.json()["detail"] == f"The body has {limit + 1} bytes; the limit here is {limit}."
    assert refused(caller.post(where, b" " * limit)) == (400, "invalid_json", [])
    assert written() == NOTHING


def nested(depth: int) -> bytes:
    return (
        b'{"user_id":"rosa","category":"social","message":{"body":"x"},"data":'
        + b'{"a":' * depth
        + b"1"
        + b"}" * depth
        + b"}"
    )


@pytest.mark.parametrize("depth", [20, 500, 100_000])
def test_it_refuses_deep_bodies(caller: Caller, depth: int) -> None:
    body = nested(depth)
    batch = b'{"notifications":[' + body + b"]}"
    if len(body) < 256 * 1024:
        assert refused(caller.post(SEND, body))[:2] == (400, "too_deep")
    assert refused(caller.post(BATCH, batch))[:2] == (400, "too_deep")
    assert written() == NOTHING


def test_it_takes_what_is_just_not_too_deep(caller: Caller) -> None:
    assert caller.post(SEND, nested(19)).status_code == 202


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_one_to_a_thousand(caller: Caller, count: int) -> None:
    answer = caller.post(BATCH, {"notifications": [ROSA] * count})
    assert refused(answer) == (400, "out_of_range", ["/notifications"])
    assert written() == NOTHING


def test_several_are_five_hundred_at_most(caller: Caller) -> None:
    people = [{"user_id": f"u{place}"} for place in range(501)]
    answer = caller.post(SEND, WITHOUT_USER | {"recipients": people})
    assert refused(answer) == (400, "out_of_range", ["/recipients"])
    assert written() == NOTHING


def test_a_wrong_key_is_not_told_what_is_wrong_with_it(caller: Caller, tenant: Tenant) -> None:
    good = caller.headers["Authorization"]
    expired = Caller(tenant, expires_at=clock.now() - timedelta(seconds=1)).headers["Authorization"]
    wrong = ["", "Bearer", "Bearer x", good[:-1] + ("a" if good[-1] != "a" else "b"), good.replace("Bearer", "Basic"),
             expired, "Bearer ntf_live_" + "0" * 40, good + "\x00"]  # fmt: skip
    answers = [caller.post(SEND, ROSA, Authorization=each) for each in wrong]
    said = {(a.status_code, a.json()["code"], a.json()["detail"], a["WWW-Authenticate"]) for a in answers}
    assert said == {(401, "unauthenticated", "The API key is missing or not valid.", 'Bearer realm="notifier"')}
    assert written() == NOTHING


@pytest.mark.parametrize("where", [SEND, BATCH, cast.SCHEDULED])
def test_a_key_without_the_scope_is_told_which(tenant: Tenant, where: str) -> None:
    others = [scope for scope in Scope if scope not in {Scope.NOTIFICATIONS_WRITE, Scope.ADMIN}]
    answer = Caller(tenant, *others).post(where, ROSA)
    assert refused(answer) == (403, "forbidden", [])
    assert answer.json()["detail"] == "This needs a key with the scope `notifications:write`."
    assert written() == NOTHING


def test_another_tenant_s_people_event_types_and_templates_are_not_there(tenant: Tenant) -> None:
    other = Caller(cast.acme("globex", people=()), mode=KeyMode.LIVE)
    assert refused(other.send())[:2] == (404, "unknown_user")
    body = {"user_id": "rosa", "event_type": "order.shipped"}
    assert refused(other.post(SEND, body))[:2] == (404, "unknown_event_type")
    body = {"user_id": "rosa", "template_id": "order_shipped_v3"}
    assert refused(other.post(SEND, body))[:2] == (404, "unknown_template")
    assert written() == NOTHING
