"""Changing what people chose over HTTP: in part, and with versions."""

from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.enums import Channel, DigestFrequency, Scope
from apps.core.types import QuietHours, Switch
from apps.preferences import choosing
from apps.preferences.models import ConsentRecord
from tests.integration import inbox_cast as cast

pytestmark = pytest.mark.django_db
PATH = "/v1/users/otto/preferences"


@pytest.fixture
def acme():
    return cast.tenant()


@pytest.fixture
def otto(acme):
    return cast.recipient(acme, "otto")


@pytest.fixture
def key(acme):
    return cast.api_key(acme, Scope.USERS_WRITE)


@pytest.fixture
def stranger():
    cast.recipient(beta := cast.tenant("beta"), "bea")
    return cast.api_key(beta, Scope.USERS_WRITE)


def patch(client, key, body, **headers):
    return client.patch(PATH, body, "application/json", headers=key | headers)


def put(client, key, body, **headers):
    return client.put(PATH, body, "application/json", headers=key | headers)


def chosen(otto):
    return choosing.stored([otto])[otto]


def ahead(**time):
    return (clock.now() + timedelta(**time)).replace(microsecond=0)


def test_a_change_names_what_changes_and_the_rest_stays(client, key, otto):
    patch(
        client, key, {"preferences": [{"topic": "a.b", "on": False}, {"topic": "c.d", "channel": "sms", "on": False}]}
    )

    until = ahead(days=3)
    answer = patch(
        client,
        key,
        {
            "preferences": [{"topic": "a.b", "on": None}, {"topic": "order.*", "on": True, "digest": "weekly"}],
            "mutes": [{"topic": "*", "until": until.isoformat()}],
            "quiet_hours": [{"start": "22:00", "end": "07:30", "channels": ["push", "push"], "categories": ["social"]}],
            "digest_time": {"hour": 7, "weekday": "friday"},
            "blocked_actors": ["u_77", "u_12", "u_77"],
        },
    )

    assert (answer.status_code, answer["ETag"]) == (200, '"2"')
    shown = answer.json()
    for row in (*shown["preferences"], *shown["mutes"]):
        assert clock.datetime.fromisoformat(row.pop("updated_at")) <= clock.now()
    free = {"locked": False, "locked_reason": None, "source": "api"}
    assert shown == {
        "user_id": "otto",
        "version": 2,
        "preferences": [
            {"topic": "c.d", "channel": "sms", "on": False, "digest": None} | free,
            {"topic": "order.*", "channel": "*", "on": True, "digest": "weekly"} | free,
        ],
        "mutes": [
            {"topic": "*", "channel": "*", "until": until.isoformat().replace("+00:00", "Z"), "source": "api"},
        ],
        "quiet_hours": [{"start": "22:00", "end": "07:30", "channels": ["push"], "categories": ["social"]}],
        "digest_time": {"hour": 7, "weekday": "friday"},
        "blocked_actors": ["u_12", "u_77"],
    }
    found = chosen(otto)
    assert found.switches == (Switch("c.d", "sms", False), Switch("order.*", "*", True, DigestFrequency.WEEKLY))
    assert found.quiet_hours == (QuietHours(1320, 450, (Channel.PUSH,), ("social",)),)
    assert (found.digest_hour, found.digest_weekday) == (7, 4)


def test_each_part_goes_back_to_the_default(client, key, otto):
    until = ahead(hours=1).isoformat()
    patch(client, key, {"mutes": [{"topic": "*", "until": until}], "quiet_hours": [], "blocked_actors": ["u_1"]})
    assert chosen(otto).quiet_hours == ()

    undone = {"mutes": [{"topic": "*", "until": None}], "quiet_hours": None, "blocked_actors": [], "digest_time": {}}
    patch(client, key, undone)

    assert chosen(otto) == choosing.Choices(version=2)


def test_a_mute_that_is_over_is_not_shown(client, key, acme, otto):
    patch(client, key, {"mutes": [{"topic": "*", "until": (clock.now() + timedelta(seconds=0.3)).isoformat()}]})
    assert len(chosen(otto).mutes) == 1
    from apps.preferences.models import Mute

    Mute.objects.of(acme).update(until=clock.now())
    assert client.get(PATH, headers=key).json()["mutes"] == []


def test_nothing_changed_is_no_new_version_and_no_record(client, key, otto):
    body = {"preferences": [{"topic": "a.b", "on": False}], "blocked_actors": ["u_1"], "quiet_hours": []}
    first = patch(client, key, body)

    assert patch(client, key, body).json() == first.json()
    assert patch(client, key, {}).json() == first.json()
    assert ConsentRecord.objects.all_tenants().count() == 3


@pytest.mark.parametrize("way", [put, patch])
@pytest.mark.parametrize("as_header", [True, False])
def test_who_read_an_older_version_is_refused_and_told_the_present_one(client, key, otto, way, as_header):
    stale = {"preferences": [{"topic": "old", "on": False}]} | ({} if as_header else {"version": 0})
    headers = {"If-Match": '"0"'} if as_header else {}
    assert way(client, key, stale, **headers).status_code == 200

    answer = way(client, key, stale | {"preferences": [{"topic": "new", "on": False}]}, **headers)

    assert (answer.status_code, answer.json()["code"], answer["ETag"]) == (409, "stale_version", '"1"')
    assert answer.json()["detail"] == "Their choices have version 1 now, not 0."
    assert chosen(otto).switches == (Switch("old", "*", False),)
    assert ConsentRecord.objects.all_tenants().count() == 1
    assert way(client, key, {"preferences": []}, **{"If-Match": 'W/"1"'}).status_code == 200


@pytest.mark.parametrize(
    ("given", "version", "status"),
    [("*", None, 200), ("3", None, 400), ('"x"', None, 400), ('"0"', 1, 400), ('"0"', 0, 200)],
)
def test_if_match_is_an_etag_or_any(client, key, otto, given, version, status):
    answer = patch(client, key, {} if version is None else {"version": version}, **{"If-Match": given})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"preferences": [{"topic": "A b", "on": True}]}, "invalid_topic", "/preferences/0/topic"),
        ({"preferences": [{"topic": "a", "on": True}, {"topic": "a", "on": None}]}, "contradiction", "/preferences/1"),
        ({"preferences": [{"topic": "a", "on": False, "digest": "daily"}]}, "contradiction", "/preferences/0/digest"),
        ({"preferences": [{"topic": "a", "on": True, "digest": "yearly"}]}, "out_of_range", "/preferences/0/digest"),
        ({"mutes": [{"topic": "*", "until": "2020-01-01T00:00:00Z"}]}, "out_of_range", "/mutes/0/until"),
        ({"mutes": [{"topic": "*", "until": "9999-12-31T23:59:59-12:00"}]}, "out_of_range", "/mutes/0/until"),
        ({"mutes": [{"topic": "*", "until": "2027-01-01T00:00:00"}]}, "out_of_range", "/mutes/0/until"),
        ({"mutes": [{"topic": "category:x", "until": None}]}, "invalid_topic", "/mutes/0/topic"),
        ({"quiet_hours": [{"start": "24:00", "end": "07:00"}]}, "out_of_range", "/quiet_hours/0/start"),
        ({"quiet_hours": [{"start": "07:00", "end": "07:00"}]}, "contradiction", "/quiet_hours/0/end"),
        ({"digest_time": {"hour": 24}}, "out_of_range", "/digest_time/hour"),
        ({"blocked_actors": [""]}, "out_of_range", "/blocked_actors/0"),
        ({"blocked_actors": None}, "wrong_type", "/blocked_actors"),
        ({"paused": True}, "unknown_field", "/paused"),
        ({"version": -1}, "out_of_range", "/version"),
    ],
)
def test_it_refuses_a_change_with_anything_wrong_and_changes_nothing(client, key, otto, body, code, pointer):
    answer = patch(client, key, {"preferences": [{"topic": "fine", "on": False}]} | body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert chosen(otto).version == 0


def test_choices_do_not_grow_without_end(client, key, otto):
    rows = [{"topic": f"t{n}", "on": False} for n in range(500)]
    assert put(client, key, {"preferences": rows}).status_code == 200

    answer = patch(client, key, {"preferences": [{"topic": "one.more", "on": False}]})

    assert (answer.status_code, answer.json()["code"]) == (400, "out_of_range")
    assert chosen(otto).version == 1
