"""Schedules that are refused: times that are over, rules that mean nothing, messages that could not be sent. Nothing is kept then."""

from typing import Any

import pytest

from apps.ledger.models import Notification
from apps.schedules.models import Schedule, ScheduleRecipient
from tests.integration.ingest_cast import SCHEDULED, Caller, acme
from tests.integration.schedules_cast import WORDS, Clock

pytestmark = pytest.mark.django_db
ROSA = {"user_id": "rosa", **WORDS}


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    Clock(monkeypatch)
    return Caller(acme())


def refused(answer: Any) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["code"], body["errors"][0]["pointer"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({**ROSA, "schedule_at": "2027-01-04T07:00:00Z"}, (400, "schedule_in_past", "/schedule_at")),
        (
            {**ROSA, "schedule_at": "2027-01-04T10:00:00Z", "expiry_at": "2027-01-04T09:00:00Z"},
            (400, "expiry_before_schedule", "/expiry_at"),
        ),
        (ROSA, (400, "missing_field", "/schedule_at")),
    ],
)
def test_it_refuses_a_time_that_is_over(caller: Caller, body: Any, expected: tuple[int, str, str]) -> None:
    assert refused(caller.post(SCHEDULED, body)) == expected
    assert (Schedule.objects.count(), Notification.objects.count()) == (0, 0)


LOCAL = {"start": "2027-01-05T09:00", "zone": "UTC"}


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"at": "2027-01-04T07:59:59Z"}, ("schedule_in_past", "/schedule/at")),
        ({"start": "2027-01-04T08:00", "zone": "UTC"}, ("schedule_in_past", "/schedule/start")),
        ({**LOCAL, "start": "2026-01-01T09:00", "rule": "FREQ=DAILY;COUNT=3"}, ("schedule_in_past", "/schedule/rule")),
        ({}, ("missing_field", "/schedule/start")),
        ({"at": "2027-01-05T09:00:00Z", **LOCAL}, ("contradiction", "/schedule/start")),
        ({"at": "2027-01-05T09:00:00Z", "zone": "recipient"}, ("contradiction", "/schedule/at")),
        ({"start": "2027-01-05T09:00"}, ("missing_field", "/schedule/zone")),
        ({**LOCAL, "zone": "CEST"}, ("invalid_timezone", "/schedule/zone")),
        ({**LOCAL, "start": "2027-01-05T09:00Z"}, ("out_of_range", "/schedule/start")),
        ({**LOCAL, "start": "0001-01-01T00:00"}, ("out_of_range", "/schedule/start")),
        ({**LOCAL, "rule": "FREQ=SECONDLY"}, ("unsupported_rule", "/schedule/rule")),
        ({**LOCAL, "rule": "EVERY DAY"}, ("invalid_rule", "/schedule/rule")),
        ({**LOCAL, "rule": "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2"}, ("rule_never_fires", "/schedule/rule")),
        ({**LOCAL, "exdates": ["2027-01-05"]}, ("rule_never_fires", "/schedule/exdates")),
        ({**LOCAL, "exdates": ["2027-01-05", "2027-02-30"]}, ("out_of_range", "/schedule/exdates/1")),
        ({**LOCAL, "rdates": ["2027-01-05"]}, ("out_of_range", "/schedule/rdates/0")),
        ({**LOCAL, "missed": "never"}, ("out_of_range", "/schedule/missed")),
        ({**LOCAL, "colour": "red"}, ("unknown_field", "/schedule/colour")),
    ],
)
def test_it_refuses_a_timing(caller: Caller, timing: Any, expected: tuple[str, str]) -> None:
    assert refused(caller.post(SCHEDULED, {**ROSA, "schedule": timing})) == (400, *expected)
    assert Schedule.objects.count() == 0


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"schedule_at": "2027-01-05T09:00:00Z"}, (400, "contradiction", "/schedule_at")),
        ({"expiry_at": "2027-01-06T09:00:00Z"}, (400, "contradiction", "/expiry_at")),
        ({"event_id": "e-1"}, (400, "contradiction", "/event_id")),
        ({"user_id": "nobody"}, (404, "unknown_user", "/user_id")),
        ({"template_id": "gone", "message": None}, (404, "unknown_template", "/template_id")),
    ],
)
def test_it_refuses_what_could_not_be_sent(caller: Caller, more: Any, expected: Any) -> None:
    assert refused(caller.post(SCHEDULED, {**ROSA, **more, "schedule": LOCAL})) == expected
    assert (Schedule.objects.count(), ScheduleRecipient.objects.count()) == (0, 0)
