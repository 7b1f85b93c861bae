"""Default quiet hours and frequency caps, over HTTP and by hand."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import CapPeriod, Category, Channel, Scope
from apps.core.types import Cap, QuietHours, TenantRules
from apps.preferences import choosing
from apps.preferences.choosing import forget_cached, rules_of
from apps.preferences.models import FrequencyCap, QuietHoursRule
from tests.integration import admin_cast
from tests.integration import inbox_cast as cast

pytestmark = pytest.mark.django_db
CAPS, HOURS = "/v1/frequency-caps", "/v1/quiet-hours-rules"
FIVE = {"limit": 5, "period": "day", "topic": "category:marketing", "channel": "email"}
TEXTS = {
    "start": "21:00",
    "end": "08:00",
    "country": "US",
    "channels": ["sms"],
    "categories": ["marketing"],
    "locked": True,
}


@pytest.fixture
def acme() -> UUID:
    forget_cached()
    return cast.tenant()


@pytest.fixture
def admin(acme: UUID) -> dict[str, str]:
    return cast.api_key(acme, Scope.ADMIN)


def put(client: Client, admin: dict[str, str], path: str, **body: Any) -> Any:
    return client.put(path, body, "application/json", headers=admin)


def test_a_cap_is_written_read_changed_and_removed(client: Client, acme: UUID, admin: dict[str, str]) -> None:
    made = put(client, admin, f"{CAPS}/mails", **FIVE)
    assert made.status_code == 201
    shown = {**FIVE, "name": "mails", "window_seconds": None}
    assert made.json().items() >= shown.items()
    assert put(client, admin, f"{CAPS}/mails", **FIVE | {"limit": 6}).status_code == 200
    (listed,) = client.get(CAPS, headers=admin).json()["data"]
    assert listed.items() >= (shown | {"limit": 6}).items()
    (cap,) = rules_of([acme])[acme].caps
    assert cap == Cap(cap.id, "mails", 6, CapPeriod.DAY, topic="category:marketing", channel="email")
    assert client.delete(f"{CAPS}/mails", headers=admin).status_code == 204
    assert rules_of([acme])[acme].caps == ()
    assert client.delete(f"{CAPS}/mails", headers=admin).status_code == 404


REFUSED = [
    ("rolling without a window", {"period": "rolling"}, "missing_field", "/window_seconds"),
    ("a day with one", {"window_seconds": 3600}, "contradiction", "/window_seconds"),
    ("too short a window", {"period": "rolling", "window_seconds": 59}, "out_of_range", "/window_seconds"),
    ("nobody gets anything", {"limit": 0}, "out_of_range", "/limit"),
    ("no such period", {"period": "month"}, "out_of_range", "/period"),
    ("no topic", {"topic": "Not A Topic"}, "invalid_topic", "/topic"),
    ("critical", {"topic": "category:critical"}, "contradiction", "/topic"),
    ("no such channel", {"channel": "fax"}, "out_of_range", "/channel"),
    ("unknown field", {"per": "day"}, "unknown_field", "/per"),
]


@pytest.mark.parametrize(("_name", "change", "code", "pointer"), REFUSED, ids=[row[0] for row in REFUSED])
def test_it_refuses_a_cap_that_makes_no_sense(
    client: Client, admin: dict[str, str], _name: str, change: dict[str, Any], code: str, pointer: str
) -> None:
    answer = put(client, admin, f"{CAPS}/mails", **FIVE | change)
    assert (answer.status_code, answer.json()["code"]) in ((400, code), (422, code))
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert FrequencyCap.objects.all_tenants().count() == 0


def test_a_tenant_has_twenty_caps_and_may_still_change_them(client: Client, acme: UUID, admin: dict[str, str]) -> None:
    rows = [FrequencyCap(tenant_id=acme, name=f"c{n}", limit=1, period="day") for n in range(20)]
    FrequencyCap.objects.bulk_create(rows)
    assert put(client, admin, f"{CAPS}/mails", **FIVE).json()["code"] == "out_of_range"
    assert put(client, admin, f"{CAPS}/c7", **FIVE).status_code == 200


def test_quiet_hours_are_written_read_and_removed(client: Client, acme: UUID, admin: dict[str, str]) -> None:
    made = put(client, admin, f"{HOURS}/us-texts", **TEXTS)
    assert (made.status_code, made.json().items() >= (TEXTS | {"name": "us-texts"}).items()) == (201, True)
    expected = QuietHours(21 * 60, 8 * 60, (Channel.SMS,), (Category.MARKETING,), "US", is_locked=True)
    assert rules_of([acme])[acme].quiet_hours == (expected,)
    assert [row["name"] for row in client.get(HOURS, headers=admin).json()["data"]] == ["us-texts"]
    assert client.delete(f"{HOURS}/us-texts", headers=admin).status_code == 204
    assert rules_of([acme])[acme].quiet_hours == ()


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"end": "21:00"}, "contradiction", "/end"),
        ({"country": "XX"}, "out_of_range", "/country"),
        ({"country": "us"}, "out_of_range", "/country"),
        ({"start": "24:00"}, "out_of_range", "/start"),
        ({"channels": ["fax"]}, "out_of_range", "/channels/0"),
    ],
)
def test_it_refuses_quiet_hours_that_make_no_sense(
    client: Client, admin: dict[str, str], change: dict[str, Any], code: str, pointer: str
) -> None:
    answer = put(client, admin, f"{HOURS}/us-texts", **TEXTS | change)
    assert (answer.status_code, answer.json()["code"]) in ((400, code), (422, code))
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert QuietHoursRule.objects.all_tenants().count() == 0


@pytest.mark.parametrize("path", [CAPS, HOURS])
def test_a_name_is_a_name_another_tenants_is_none_and_the_scope_is_asked(
    client: Client, acme: UUID, admin: dict[str, str], path: str
) -> None:
    body = FIVE if path == CAPS else TEXTS
    assert put(client, admin, f"{path}/Not a name", **body).json()["code"] == "out_of_range"
    assert put(client, admin, f"{path}/ours", **body).status_code == 201
    globex = cast.api_key(cast.tenant("globex"), Scope.ADMIN)
    assert client.delete(f"{path}/ours", headers=globex).status_code == 404
    assert client.get(path, headers=globex).json() == {"data": []}
    assert client.get(path, headers=cast.api_key(acme, Scope.USERS_WRITE)).status_code == 403
    assert len(client.get(path, headers=admin).json()["data"]) == 1


def test_what_is_at_hand_of_some_stays_when_there_is_no_room_for_others(
    client: Client, acme: UUID, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of as many tenants as are kept, and one more."""
    monkeypatch.setattr(choosing, "_MOST_CACHED", 1)
    globex = cast.tenant("globex")
    put(client, admin, f"{CAPS}/mails", **FIVE)
    mine = rules_of([acme])
    assert [cap.name for cap in mine[acme].caps] == ["mails"]
    assert rules_of([acme, globex]) == mine | {globex: TenantRules()}
    assert list(choosing._rules) == [globex]


def test_operators_lay_them_down_by_hand_under_the_same_rules() -> None:
    acme, mira = admin_cast.acme(), admin_cast.mira()
    page = reverse("admin:preferences_quiethoursrule_add")
    typed = {"tenant": str(acme.id), "name": "night", "start": "22:00", "end": "08:00", "country": "de"}
    assert mira.post(page, typed | {"end": "22:00"}).context_data["errors"]
    assert mira.post(page, typed).status_code == 302
    row = QuietHoursRule.objects.of(acme).get()
    assert (row.start, row.end, row.country, row.is_locked) == (1320, 480, "DE", False)
    shown = mira.get(reverse("admin:preferences_quiethoursrule_change", args=[row.id])).content.decode()
    assert 'value="22:00"' in shown and 'value="08:00"' in shown

    page = reverse("admin:preferences_frequencycap_add")
    typed = {
        "tenant": str(acme.id),
        "name": "mails",
        "limit": "5",
        "period": "rolling",
        "topic": "*",
        "channel": "email",
    }
    assert mira.post(page, typed).context_data["errors"]
    assert mira.post(page, typed | {"window_seconds": "3600"}).status_code == 302
    (cap,) = rules_of([acme.id])[acme.id].caps
    assert (cap.name, cap.limit, cap.window.total_seconds()) == ("mails", 5, 3600)
    listed = mira.get(reverse("admin:preferences_frequencycap_changelist")).content.decode()
    assert "5 in 3,600 s" in listed
