"""Schedules as an operator sees them: made, changed, paused, resumed, cancelled; the next times and the last."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.schedules.models import Schedule, ScheduleRun
from tests.integration import admin_cast as cast
from tests.integration.ingest_cast import Caller, acme
from tests.integration.schedules_cast import Clock, fire, live_in, made, row_of, sent

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:schedules_schedule_changelist"), reverse("admin:schedules_schedule_add")
RUNS = reverse("admin:schedules_schedulerun_changelist")
TIMING = {"name": "Weekly", "start": "2027-01-04T09:00", "zone": "Europe/Berlin", "rule": "FREQ=DAILY", "exdates": "",
          "rdates": "", "missed": "skip", "missed_limit": "10", "expires": "60"}  # fmt: skip
SENT = {"mode": "test", "people": "rosa\notto\n", "event_type": "", "category": "social", "template": "", "title": "Hello",
        "text": "Otto likes your photo."}  # fmt: skip


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def caller(now: Clock) -> Caller:
    return Caller(acme())


@pytest.fixture
def mira(caller: Caller) -> Client:
    return cast.mira()


def page(schedule: Any, what: str = "change") -> str:
    return reverse("admin:schedules_schedule_change", args=[row_of(schedule).id]).replace("/change/", f"/{what}/")


def test_mira_makes_one_and_it_fires(mira: Client, caller: Caller, now: Clock) -> None:
    answer = mira.post(ADD, {**TIMING, **SENT, "tenant": str(caller.tenant.id)})
    assert answer.status_code == 302, answer.context_data["adminform"].form.errors
    row = Schedule.objects.all_tenants().get()
    assert (row.name, row.rule, row.waves) == ("Weekly", "FREQ=DAILY", {"Europe/Berlin": "2027-01-05T09:00:00"})
    now.until("2027-01-05T08:00")
    assert (fire(), sorted(sent())) == (1, ["otto", "rosa"])
    assert ScheduleRun.objects.all_tenants().get().count == 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"rule": "FREQ=SECONDLY"}, "rule"),
        ({"start": "2027-13-04T09:00"}, "start"),
        ({"exdates": "2027-01-05 never"}, "exdates"),
        ({"people": "rosa\nnobody"}, "people"),
        ({"text": ""}, "text"),
        ({"template": "gone", "text": ""}, "template"),
    ],
)
def test_what_the_api_would_refuse_is_said_beside_its_field(
    mira: Client, caller: Caller, wrong: dict[str, str], field: str
) -> None:
    answer = mira.post(ADD, {**TIMING, **SENT, "tenant": str(caller.tenant.id), **wrong})
    assert answer.status_code == 200
    assert list(answer.context_data["adminform"].form.errors) == [field]
    assert not Schedule.objects.exists()


def test_the_page_shows_the_next_times_on_their_clocks_and_the_last_ones(
    mira: Client, caller: Caller, now: Clock
) -> None:
    live_in("otto", "Asia/Tokyo")
    people = {"user_id": None, "recipients": [{"user_id": "rosa"}, {"user_id": "otto"}]}
    schedule = made(caller, user_id=None, words=people, zone="recipient", name="On everybody's clock")
    now.until("2027-01-04T09:00:00")
    fire()
    shown = mira.get(page(schedule)).content.decode()
    assert "Tue 05 Jan 09:00:00 Asia/Tokyo" in shown and 'data-local datetime="2027-01-05T00:00:00+00:00"' in shown
    assert shown.count("1 people") == 5
    assert "<b>fired</b> · 1 accepted" in shown
    listed = mira.get(LIST).content.decode()
    assert "On everybody" in listed and "active" in listed
    assert "1 accepted" in mira.get(RUNS).content.decode()


def test_its_times_are_changed(mira: Client, caller: Caller) -> None:
    schedule = made(caller)
    assert mira.post(page(schedule), {**TIMING, "start": "2027-01-04T10:00", "zone": "UTC"}).status_code == 302
    row = row_of(schedule)
    assert (row.version, row.name, row.waves) == (2, "Weekly", {"UTC": "2027-01-04T10:00:00"})
    refused = mira.post(page(schedule), {**TIMING, "rule": "never"})
    assert (refused.status_code, row_of(schedule).version) == (200, 2)


def test_it_is_paused_resumed_and_cancelled_after_a_question(mira: Client, caller: Caller) -> None:
    schedule = made(caller)
    for what, status in (("pause", "paused"), ("resume", "active"), ("cancel", "cancelled")):
        before = row_of(schedule).status
        assert f"/{what}/" in mira.get(page(schedule)).content.decode()
        mira.get(page(schedule, what))
        assert row_of(schedule).status == before
        assert mira.post(page(schedule, what)).status_code == 302
        assert row_of(schedule).status == status
    shown = mira.get(page(schedule)).content.decode()
    assert "/pause/" not in shown and 'name="rule"' not in shown


def test_who_may_only_look_changes_nothing(caller: Caller) -> None:
    schedule = made(caller)
    vera = cast.viewer("schedules.view_schedule")
    assert vera.get(page(schedule)).status_code == 200
    assert vera.post(page(schedule, "pause")).status_code == 403
    assert vera.post(ADD, {}).status_code == 403
    assert vera.get(RUNS).status_code == 403
    assert row_of(schedule).status == "active"


def test_the_list_costs_the_same_for_any_number(
    mira: Client, caller: Caller, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        made(caller)
    with django_assert_max_num_queries(12):
        assert mira.get(LIST).status_code == 200
