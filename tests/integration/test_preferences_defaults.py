"""What a tenant lays down: over HTTP, and on what is sent."""

from typing import Any

import pytest

from apps.core.enums import Category, Scope
from apps.core.types import Author, Change, Default, Switch
from apps.preferences import choosing
from apps.preferences.changing import change_choices
from apps.preferences.models import DefaultPreference
from tests.integration import dispatch_cast as dispatch
from tests.integration import inbox_cast as cast
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = pytest.mark.django_db
PATH = "/v1/preference-defaults"


@pytest.fixture
def acme():
    return cast.tenant()


@pytest.fixture
def admin(acme):
    return cast.api_key(acme, Scope.ADMIN)


def put(client, admin, where, **body):
    return client.put(f"{PATH}/{where}", body, "application/json", headers=admin)


def test_a_default_is_made_changed_listed_and_removed(client, acme, admin):
    made = put(client, admin, "category:marketing/*", on=False)
    changed = put(client, admin, "category:marketing/*", on=True, digest="weekly", locked=True, reason="By contract.")
    put(client, admin, "order.*/email", on=True)

    assert (made.status_code, changed.status_code) == (201, 200)
    listed = client.get(PATH, headers=admin).json()["data"]
    assert [(row["topic"], row["channel"]) for row in listed] == [("category:marketing", "*"), ("order.*", "email")]
    assert listed[0] == changed.json()
    assert {name: made.json()[name] for name in ("on", "digest", "locked", "reason")} == {
        **{"on": False, "digest": None, "locked": False, "reason": ""},
    }
    assert choosing.rules_of([acme])[acme].defaults == (
        Default("category:marketing", "*", True, "weekly", True, "By contract."),
        Default("order.*", "email", True),
    )

    assert client.delete(f"{PATH}/category:marketing/*", headers=admin).status_code == 204
    assert client.delete(f"{PATH}/category:marketing/*", headers=admin).json()["code"] == "not_found"
    assert choosing.rules_of([acme])[acme].defaults == (Default("order.*", "email", True),)


@pytest.mark.parametrize(
    ("where", "body", "code", "pointer"),
    [
        ("A b/*", {"on": True}, "invalid_topic", "#path/topic"),
        ("category:news/*", {"on": True}, "invalid_topic", "#path/topic"),
        ("order.*/fax", {"on": True}, "out_of_range", "#path/channel"),
        ("order.*/*", {}, "missing_field", "/on"),
        ("order.*/*", {"on": True, "locked": True}, "missing_field", "/reason"),
        ("order.*/*", {"on": True, "locked": True, "reason": " "}, "missing_field", "/reason"),
        ("order.*/*", {"on": False, "digest": "daily"}, "contradiction", "/digest"),
        ("order.*/*", {"on": True, "reason": "x" * 201}, "out_of_range", "/reason"),
    ],
)
def test_it_refuses_what_makes_no_sense(client, admin, where, body, code, pointer):
    answer = put(client, admin, where, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert DefaultPreference.objects.all_tenants().count() == 0


def test_defaults_do_not_grow_without_end(client, acme, admin):
    DefaultPreference.objects.bulk_create(DefaultPreference(tenant_id=acme, topic=f"t{n}") for n in range(500))
    assert put(client, admin, "t7/*", on=False).status_code == 200
    assert put(client, admin, "one.more/*", on=False).json()["code"] == "out_of_range"


def test_only_the_tenants_admins_see_and_change_them(client, acme, admin):
    put(client, admin, "order.*/*", on=True)
    key = cast.api_key(acme, *(set(Scope) - {Scope.ADMIN}))
    answers = [client.get(PATH, headers=key), put(client, key, "a/*", on=True)]
    answers.append(client.delete(f"{PATH}/order.*/*", headers=key))
    assert [answer.status_code for answer in answers] == [403] * 3
    stranger = cast.api_key(cast.tenant("beta"), Scope.ADMIN)
    assert client.get(PATH, headers=stranger).json() == {"data": []}
    assert client.delete(f"{PATH}/order.*/*", headers=stranger).status_code == 404
    assert DefaultPreference.objects.of(acme).count() == 1


SWITCHED_OFF = (Switch("*", "*", False),)
FREE = Default("category:critical", "*", True)


@pytest.mark.parametrize(
    ("category", "defaults", "switches", "expected"),
    [
        (Category.MARKETING, [Default("category:marketing", "*", False)], (), ("skipped", "off_by_default")),
        (Category.MARKETING, [Default("category:marketing", "*", False)], (Switch("*", "*", True),), ("queued", "")),
        (Category.SOCIAL, [Default("*", "*", True, is_locked=True, reason="x")], SWITCHED_OFF, ("queued", "")),
        (
            Category.SOCIAL,
            [Default("*", "sms", True, is_locked=True, reason="x")],
            SWITCHED_OFF,
            ("skipped", "channel_off"),
        ),
        (Category.CRITICAL, [], SWITCHED_OFF, ("queued", "")),
        (Category.CRITICAL, [FREE], SWITCHED_OFF, ("skipped", "channel_off")),
        (Category.CRITICAL, [FREE], (), ("queued", "")),
        (
            Category.CRITICAL,
            [Default("category:critical", "*", True, is_locked=True, reason="x")],
            SWITCHED_OFF,
            ("queued", ""),
        ),
    ],
)
def test_what_is_sent_obeys(
    rung: list[str], category: Category, defaults: list[Default], switches: Any, expected: tuple[str, str]
) -> None:
    rosa = dispatch.person()
    dispatch.endpoint(rosa)
    for default in defaults:
        fields = {"is_on": default.is_on, "is_locked": default.is_locked, "reason": default.reason}
        DefaultPreference.objects.create(
            tenant_id=dispatch.tenant(), topic=default.topic, channel=default.channel, **fields
        )
    change = Change(switches=switches)
    change_choices(tenant_id=dispatch.tenant(), recipient_id=rosa, change=change, by=Author("api"))
    dispatch.notify([rosa], category=category)
    dispatch.route(category.value)
    assert [state[1:] for state in dispatch.states()] == [expected]
