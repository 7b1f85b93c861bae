"""Test sends and seed lists in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.audience.models import Recipient
from apps.core.types import Tenant
from apps.ledger.models import Notification
from apps.templates.models import SeedList, Template
from apps.tenants.selectors import forget_cached
from tests.integration import admin_cast as people
from tests.integration import templates_cast as cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Tenant:
    forget_cached()
    found = cast.tenant()
    forget_cached()
    people.person(found)
    cast.publish(found, "order", cast.sms("One"), cast.email("<p>One</p>"))
    return found


def page() -> str:
    return reverse("admin:message_templates_template_test", args=[Template.objects.get(key="order").id])


def shown(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_draft_is_sent_to_people_and_addresses(acme: Tenant) -> None:
    cast.draft(acme, "order", cast.sms("Two"), cast.email("<p>Two</p>"))
    mira = people.mira()
    User.objects.update(email="mira@acme.example")
    assert ">mira@acme.example</textarea>" in shown(mira.get(page())).replace("\n", "")
    assert "the draft" in shown(mira.get(page()))
    said = {"people": "rosa, otto@acme.example\n", "channels": ["email"], "mode": "test"}
    answer = mira.post(page(), said, follow=True)
    text = shown(answer)
    assert "Sent 2 test messages to the sandbox, marked [TEST]." in text
    assert text.count("/admin/ledger/notification/nt_") >= 2
    rows = Notification.objects.values_list("source", "mode", "channels")
    assert sorted(rows) == [("test_send", "test", ["email"])] * 2


def test_a_version_goes_to_a_seed_list_for_real(acme: Tenant) -> None:
    mira = people.mira()
    SeedList.objects.create(tenant_id=acme.id, name="team", user_ids=["rosa"])
    said = {"people": "", "seed_list": "team", "version": "1", "mode": "live"}
    assert "Sent 2 test messages for real, marked [TEST]." in shown(mira.post(page(), said, follow=True))
    assert set(Notification.objects.values_list("mode", flat=True)) == {"live"}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"people": ""}, "Name somebody"),
        ({"people": "nobody"}, "The user_id `nobody` is not known."),
        ({"people": "rosa", "seed_list": "none"}, "Select a valid choice"),
        ({"people": "rosa", "version": "7"}, "Select a valid choice"),
        ({"people": "x@"}, "n-bad"),
    ],
)
def test_what_cannot_be_sent_is_said_and_nothing_is(acme: Tenant, said: dict[str, str], sentence: str) -> None:
    assert sentence in shown(people.mira().post(page(), {"mode": "test", **said})).replace("&#x27;", "'")
    assert not Notification.objects.exists()


def test_who_may_only_look_sends_nothing(acme: Tenant) -> None:
    vera = people.viewer("message_templates.view_template")
    assert vera.post(page(), {"people": "rosa", "mode": "test"}).status_code == 403
    assert vera.get(page()).status_code == 403
    assert not Notification.objects.exists()


def test_seed_lists_are_kept(acme: Tenant) -> None:
    mira: Client = people.mira()
    add = reverse("admin:message_templates_seedlist_add")
    refused = mira.post(add, {"tenant": str(acme.id), "name": "team", "people": "rosa\nnobody"})
    assert "The user_id `nobody` is not known." in shown(refused).replace("&#x27;", "'")
    assert not SeedList.objects.exists()
    answer = mira.post(add, {"tenant": str(acme.id), "name": "team", "people": "rosa\n+4915112345678"})
    assert answer.status_code == 302
    row = SeedList.objects.get()
    assert (row.name, row.user_ids[0], row.user_ids[1][:5]) == ("team", "rosa", "test_")
    assert Recipient.objects.filter(user_id=row.user_ids[1]).count() == 1
    change = reverse("admin:message_templates_seedlist_change", args=[row.id])
    page = shown(mira.get(change))
    assert "<p>rosa: r***@acme.example</p>" in page
    assert f"<p>{row.user_ids[1]}: +49*****78</p>" in page and "+4915112345678" not in page
    assert mira.post(change, {"people": "rosa"}).status_code == 302
    assert SeedList.objects.get().user_ids == ["rosa"]
    assert "team" in shown(mira.get(reverse("admin:message_templates_seedlist_changelist")))
