"""What people chose and what tenants lay down, as operators see it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.types import Author, Change, Default, DigestTime, Mute, OwnQuietHours, QuietHours, Switch, Tenant
from apps.preferences.changing import change_choices
from apps.preferences.choosing import rules_of
from apps.preferences.models import ConsentRecord, DefaultPreference, Profile
from apps.preferences.models import Mute as MuteRow
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira

pytestmark = pytest.mark.django_db
DEFAULTS = "/admin/preferences/defaultpreference/"


@pytest.fixture
def rosa(acme: Tenant) -> UUID:
    rosa = cast.person(acme)
    everything = Change(
        switches=(Switch("category:social", "email", False),),
        muted=(Mute("*", "sms", clock.now() + timedelta(days=2)),),
        quiet_hours=OwnQuietHours((QuietHours(1320, 420),)),
        digest_time=DigestTime(7),
        blocked_actors=frozenset({"u_77"}),
    )
    change_choices(tenant_id=acme.id, recipient_id=rosa, change=everything, by=Author("settings_page"))
    return rosa


def lists(client: Client, name: str, **query: str) -> str:
    answer = client.get(reverse(f"admin:preferences_{name}_changelist"), query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("preference", ["category:social", "settings_page"]),
        ("mute", ["sms", "settings_page"]),
        ("profile", ["22:00 to 07:00", "07:00, weekly on day 1"]),
        ("consentrecord", ["on False", "hour 7, weekday 0", "quiet_hours", "blocked_actors", "1 of them"]),
    ],
)
def test_what_a_person_chose_is_found_by_the_person(
    acme: Tenant, rosa: UUID, mira: Client, name: str, words: Any
) -> None:
    otto = cast.person(acme, "otto")
    found = lists(mira, name, q="rosa")
    for word in words:
        assert word in found, word
    assert "settings_page" not in lists(mira, name, q="otto")
    assert str(otto) not in found


@pytest.mark.parametrize("model", [MuteRow, Profile, ConsentRecord])
def test_nobody_changes_it_here(rosa: UUID, mira: Client, model: Any) -> None:
    row = model.objects.all_tenants().first()
    before = list(model.objects.all_tenants().values())
    name = f"admin:preferences_{model._meta.model_name}"
    assert mira.post(reverse(f"{name}_add"), {}).status_code == 403
    assert mira.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    mira.post(reverse(f"{name}_changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    mira.post(reverse(f"{name}_change", args=[row.pk]), {"topic": "x", "source": "x"})
    assert list(model.objects.all_tenants().values()) == before


def test_a_persons_page_shows_what_holds_and_who_decided_it(acme: Tenant, rosa: UUID, mira: Client) -> None:
    DefaultPreference.objects.create(tenant_id=acme.id, topic="category:marketing", channel="*", is_on=False)
    text = " ".join(mira.get(reverse("admin:audience_recipient_change", args=[rosa])).content.decode().split())
    for words in (
        'is-danger">off</span> <span class="n-dim">category:social / email, settings_page',
        'is-danger">off</span> <span class="n-dim">category:marketing / *, the tenant',
        'is-warning">muted</span> <span class="n-dim">nobody chose',
        "Quiet hours: 22:00 to 07:00. Digests at 7:00. Blocked: u_77.",
        f"/admin/preferences/consentrecord/?q={rosa}",
    ):
        assert words in text, words


def test_a_default_is_laid_down_and_in_force_at_once(acme: Tenant, mira: Client) -> None:
    assert rules_of([acme.id])[acme.id].defaults == ()
    said = {"tenant": acme.id, "topic": "category:marketing", "channel": "*", "is_locked": "on", "reason": "By law."}
    assert mira.post(f"{DEFAULTS}add/", said).status_code == 302
    assert rules_of([acme.id])[acme.id].defaults == (Default("category:marketing", "*", False, None, True, "By law."),)
    row = DefaultPreference.objects.get()
    assert (
        mira.post(f"{DEFAULTS}{row.id}/change/", {"is_on": "on", "digest": "weekly", "reason": ""}).status_code == 302
    )
    assert rules_of([acme.id])[acme.id].defaults == (Default("category:marketing", "*", True, "weekly"),)
    mira.post(f"{DEFAULTS}{row.id}/delete/", {"post": "yes"})
    assert rules_of([acme.id])[acme.id].defaults == ()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"topic": "A b"}, "topic"),
        ({"channel": "fax"}, "channel"),
        ({"is_locked": "on"}, "reason"),
        ({"digest": "daily"}, "digest"),
    ],
)
def test_it_refuses_a_default_that_makes_no_sense(acme: Tenant, mira: Client, said: dict[str, str], field: str) -> None:
    answer = mira.post(f"{DEFAULTS}add/", {"tenant": acme.id, "topic": "order.*", "channel": "*"} | said)
    assert field in answer.context_data["adminform"].form.errors  # type: ignore[attr-defined]
    assert not DefaultPreference.objects.exists()
