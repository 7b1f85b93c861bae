"""Why, why not, what if, at the API and on a person's page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience.models import Recipient
from apps.core import ids
from apps.core.enums import Scope
from apps.core.types import Author, Change, OwnQuietHours, QuietHours, Switch
from apps.core.types.changes import switched
from apps.dispatch import explaining
from apps.ledger.models import Delivery, WorkItem
from apps.preferences.changing import change_choices
from tests.integration import admin_cast
from tests.integration import ingest_cast as cast
from tests.integration.dispatch_cast import endpoint, rung
from tests.integration.ingest_cast import NOTHING, Caller, statements, written

__all__ = ["rung"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
EXPLAIN = "/v1/explain"
NIGHT = QuietHours(22 * 60, 8 * 60)


@pytest.fixture
def caller() -> Caller:
    return Caller(cast.with_content(cast.acme()))


def rosa(caller: Caller) -> Recipient:
    return Recipient.objects.of(caller.tenant).get(user_id="rosa")


def choose(caller: Caller, change: Change) -> None:
    by, at = Author("settings_page"), datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
    change_choices(tenant_id=caller.tenant.id, recipient_id=rosa(caller).id, change=change, by=by, at=at)


def asked(caller: Caller, **query: str) -> Any:
    query = {"user_id": "rosa", "event_type": "order.shipped"} | query
    return caller.client.get(EXPLAIN, query, headers=caller.headers)


def test_it_says_what_is_in_the_way_and_every_change_that_helps(caller: Caller) -> None:
    choose(caller, switched("order.*", "sms", False))
    answer = asked(caller, at="2026-11-21T12:00:00Z").json()
    [sms] = answer["channels"]
    assert (answer["user_id"], answer["category"], answer["at"]) == ("rosa", "transactional", "2026-11-21T12:00:00Z")
    assert (sms["decision"], sms["rule"], sms["reason"], sms["earliest"]) == (
        "skip",
        "no_endpoint",
        "no_endpoint",
        None,
    )
    assert [change["code"] for change in sms["changes"]] == ["add_address", "switch_on"]
    endpoint(rosa(caller).id, explaining.Channel.SMS, "+4915112345678")
    [sms] = asked(caller).json()["channels"]
    assert sms["text"] == (
        "SMS would be withheld: The recipient switched this kind of message off "
        "(order.* on SMS, from the settings page, 3 November 2026)."
    )
    assert (sms["because"]["topic"], sms["because"]["source"]) == ("order.*", "settings_page")
    assert sms["changes"] == [
        {"code": "switch_on", "text": "The recipient switches order.shipped on for SMS.", "until": None}
    ]


def test_it_says_when_quiet_hours_end(caller: Caller) -> None:
    endpoint(rosa(caller).id, explaining.Channel.SMS, "+4915112345678")
    Recipient.objects.of(caller.tenant).filter(user_id="rosa").update(timezone="Europe/Zurich")
    choose(caller, Change(quiet_hours=OwnQuietHours((NIGHT,))))
    [sms] = asked(caller, at="2026-11-03T22:30:00+01:00").json()["channels"]
    assert (sms["decision"], sms["rule"], sms["earliest"]) == ("hold", "in_quiet_hours", "2026-11-04T07:00:00Z")
    assert sms["text"].endswith("(22:00-08:00, until 08:00 Europe/Zurich, 4 November 2026).")
    [sms] = asked(caller, at="2026-11-03T12:00:00+01:00").json()["channels"]
    assert (sms["decision"], sms["rule"], sms["changes"]) == ("send", None, [])


def test_it_writes_nothing_and_takes_as_many_statements_for_any_number_of_channels(caller: Caller) -> None:
    endpoint(rosa(caller).id, explaining.Channel.SMS, "+4915112345678")
    asked(caller)
    for channels in ("sms", "sms,push,email,in_app"):
        with statements(8):
            assert len(asked(caller, channels=channels).json()["channels"]) == channels.count(",") + 1
    assert (written(), Delivery.objects.count(), WorkItem.objects.count()) == (NOTHING, 0, 0)


def test_a_notification_of_the_past_is_explained_by_the_facts_of_then(caller: Caller) -> None:
    made = admin_cast.notification(caller.tenant, rosa(caller).id)
    since = {"topic": "*", "channel": "*", "source": "settings_page", "since": "2026-11-03T09:00:00Z"}
    because = {"rule": "switched_off", "why": "channel_off", "at": "2026-11-20T09:00:00Z", **since}
    admin_cast.delivery(made, "sms", "skipped", reason="channel_off", because=because)
    answer = caller.get(f"{EXPLAIN}?notification_id={ids.show(ids.NOTIFICATION, made.id)}").json()
    [sms] = answer["channels"]
    assert (sms["decision"], sms["rule"], sms["because"]["since"]) == ("skip", "switched_off", "2026-11-03T09:00:00Z")
    assert sms["because_text"] == "everything on every channel, from the settings page, 3 November 2026"


@pytest.mark.parametrize(
    ("query", "status", "pointer"),
    [
        ({"user_id": ""}, 400, "#query/user_id"),
        ({"event_type": ""}, 400, "#query/event_type"),
        ({"at": "tomorrow"}, 400, "#query/at"),
        ({"at": "2026-11-03T22:30:00"}, 400, "#query/at"),
        ({"channels": "fax"}, 400, "#query/channels"),
        ({"user_id": "nobody"}, 404, None),
        ({"user_id": "a\0b"}, 404, None),
        ({"event_type": "a\0b"}, 404, None),
    ],
)
def test_it_refuses_what_it_cannot_know(
    caller: Caller, query: dict[str, str], status: int, pointer: str | None
) -> None:
    answer = asked(caller, **query)
    assert answer.status_code == status, answer.content
    if pointer:
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_others_people_and_notifications_are_not_found(caller: Caller) -> None:
    other = Caller(cast.acme("globex", people=()))
    made = admin_cast.notification(caller.tenant, rosa(caller).id)
    assert asked(other).status_code == 404
    assert other.get(f"{EXPLAIN}?notification_id={ids.show(ids.NOTIFICATION, made.id)}").status_code == 404
    assert asked(Caller(caller.tenant, Scope.USERS_WRITE)).status_code == 403


def test_an_operator_asks_on_the_person_s_page(caller: Caller) -> None:
    choose(caller, Change(switches=(Switch("*", "*", is_on=False),)))
    endpoint(rosa(caller).id, explaining.Channel.SMS, "+4915112345678")
    mira: Client = admin_cast.mira()
    page = reverse("admin:audience_recipient_change", args=[rosa(caller).id])
    assert "Would they get it?" in mira.get(page).content.decode()
    at = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    shown = mira.get(page, {"what": "order.shipped", "at": at, "mode": "test"}).content.decode()
    assert "SMS would be withheld: The recipient switched this channel off" in shown
    assert "The recipient switches order.shipped on for SMS." in shown
    assert written() == NOTHING
