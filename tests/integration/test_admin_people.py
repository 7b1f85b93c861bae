"""People, what they allow, and which addresses are vetoed: found by whatever an operator has, shown masked."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience.addresses import email_address, phone_number
from apps.audience.models import Endpoint, Recipient
from apps.audience.services import upsert_recipients
from apps.core.enums import Channel
from apps.core.types import InlineRecipient, Tenant
from apps.ledger.models import Notification
from apps.preferences.models import Preference, Suppression
from apps.preferences.services import set_switch
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db

PEOPLE = reverse("admin:audience_recipient_changelist")
SUPPRESSIONS = reverse("admin:preferences_suppression_changelist")
PREFERENCES = reverse("admin:preferences_preference_changelist")


@pytest.fixture
def rosa(acme: Tenant) -> UUID:
    addresses = (email_address("rosa@acme.example", ""), phone_number("+4930123456", ""))
    inline = InlineRecipient(user_id="rosa", attributes={"first_name": "Rosa"}, addresses=addresses)
    return upsert_recipients(tenant=acme, inline=[inline])["rosa"]


def page(recipient_id: UUID, what: str = "change") -> str:
    return reverse(f"admin:audience_recipient_{what}", args=[recipient_id])


def listed(answer: Any) -> list[str]:
    return [str(row) for row in answer.context_data["cl"].result_list]


class TestRecipients:
    @pytest.mark.parametrize("pasted", ["rosa", "rosa@acme.example", "ROSA@acme.example", "+49 30 123456"])
    def test_a_person_is_found_by_id_and_address(self, acme: Tenant, rosa: UUID, mira: Client, pasted: str) -> None:
        cast.person(acme, "otto")
        assert listed(mira.get(PEOPLE, {"q": pasted})) == ["rosa"]

    @pytest.mark.parametrize("pasted", ["ros", "r***@acme.example", "otto@acme.example", "+1"])
    def test_what_is_not_whole_finds_nobody(self, rosa: UUID, mira: Client, pasted: str) -> None:
        assert listed(mira.get(PEOPLE, {"q": pasted})) == []

    @pytest.mark.parametrize("people", [1, 10])
    def test_a_page_costs_as_many_statements_whoever_is_on_it(self, acme: Tenant, mira: Client, people: int) -> None:
        for n in range(people):
            cast.person(acme, f"p{n}")
        mira.get(PEOPLE)
        # session, user, people, addresses, sidebar
        with statements(5):
            mira.get(PEOPLE)

    def test_addresses_are_masked_everywhere(self, acme: Tenant, rosa: UUID, mira: Client) -> None:
        for address in (PEOPLE, page(rosa)):
            text = mira.get(address).content.decode()
            assert "r***@acme.example" in text
            assert "+49*****56" in text
            assert "rosa@acme.example" not in text
            assert "30123456" not in text

    def test_the_page_tells_what_was_sent_and_what_is_allowed(self, acme: Tenant, rosa: UUID, mira: Client) -> None:
        cast.delivery(cast.notification(acme, rosa))
        set_switch(
            tenant_id=acme.id, recipient_id=rosa, topic="category:marketing", channel="sms", is_on=False, source="api"
        )
        mira.post(f"{SUPPRESSIONS}add/", {"tenant": acme.id, "channel": "email", "address": "rosa@acme.example"})
        text = mira.get(page(rosa)).content.decode()
        for words in ("It arrived by email.", "category:marketing", "suppressed", "It was added by hand.", "Rosa"):
            assert words in text, words

    def test_panels_are_for_those_who_may_see_their_rows(self, acme: Tenant, rosa: UUID) -> None:
        cast.delivery(cast.notification(acme, rosa))
        text = cast.viewer("audience.view_recipient").get(page(rosa)).content.decode()
        assert "It arrived by email." not in text
        assert "What is allowed" not in text

    def test_blocking_locale_and_zone_are_changed(self, rosa: UUID, mira: Client) -> None:
        said = {"locale": "de-ch", "timezone": "Europe/Zurich", "is_blocked": "on"}
        answer = mira.post(page(rosa), said)
        assert answer.status_code == 302, answer.context_data["errors"]
        person = Recipient.objects.get(id=rosa)
        assert (person.locale, person.timezone, person.attributes) == ("de-CH", "Europe/Zurich", {"first_name": "Rosa"})
        assert person.blocked_at is not None
        mira.post(page(rosa), {"locale": "", "timezone": ""})
        person.refresh_from_db()
        assert (person.locale, person.timezone, person.blocked_at) == ("", "", None)

    @pytest.mark.parametrize(("field", "value"), [("locale", "klingon"), ("timezone", "CEST")])
    def test_it_refuses_what_is_none(self, rosa: UUID, mira: Client, field: str, value: str) -> None:
        answer = mira.post(page(rosa), {"locale": "", "timezone": "", field: value})
        assert field in answer.context_data["adminform"].form.errors
        assert getattr(Recipient.objects.get(), field) == ""

    def test_people_are_not_added_here(self, mira: Client) -> None:
        assert mira.post(f"{PEOPLE}add/", {"user_id": "otto"}).status_code == 403
        assert not Recipient.objects.exists()

    def test_forgetting_asks_first_and_erases_what_was_said(self, acme: Tenant, rosa: UUID, mira: Client) -> None:
        note = cast.notification(acme, rosa)
        asked = mira.get(page(rosa, "delete")).content.decode()
        assert "rosa, with addresses, devices, preferences and feed" in asked
        assert Recipient.objects.count() == 1
        assert mira.post(page(rosa, "delete"), {"post": "yes"}).status_code == 302
        assert (Recipient.objects.count(), Endpoint.objects.count()) == (0, 0)
        assert Notification.objects.get(id=note.id).sealed is None

    def test_nobody_is_forgotten_in_bulk(self, rosa: UUID, mira: Client) -> None:
        mira.post(PEOPLE, {"action": "delete_selected", "_selected_action": [str(rosa)], "post": "yes"})
        assert Recipient.objects.count() == 1


class TestPreferences:
    def test_they_are_found_by_person(self, acme: Tenant, rosa: UUID, mira: Client) -> None:
        otto = cast.person(acme, "otto")
        for person, topic in ((rosa, "order.*"), (otto, "*")):
            set_switch(tenant_id=acme.id, recipient_id=person, topic=topic, channel="*", is_on=False, source="page")
        for pasted in ("rosa", "rosa@acme.example", str(rosa)):
            assert listed(mira.get(PREFERENCES, {"q": pasted})) == ["order.* / *: off"]
        assert listed(mira.get(PREFERENCES, {"is": "on"})) == []
        assert Preference.objects.count() == 2


class TestSuppressions:
    def add(self, client: Client, tenant: Tenant, channel: str, address: str) -> Any:
        return client.post(f"{SUPPRESSIONS}add/", {"tenant": tenant.id, "channel": channel, "address": address})

    def test_an_address_is_vetoed_by_hand_once(self, acme: Tenant, mira: Client) -> None:
        for _ in range(2):
            assert self.add(mira, acme, "email", " Bea@acme.example ").status_code == 302
        row = Suppression.objects.get()
        assert (row.channel, row.masked, row.reason, row.source) == (
            "email",
            "B***@acme.example",
            "manual",
            "operator mira",
        )

    @pytest.mark.parametrize(
        ("channel", "address"), [("email", "bea"), ("sms", "0172"), ("in_app", "bea"), ("email", "")]
    )
    def test_it_refuses_what_is_no_address(self, acme: Tenant, mira: Client, channel: str, address: str) -> None:
        assert self.add(mira, acme, channel, address).status_code == 200
        assert not Suppression.objects.exists()

    def test_an_address_is_found_and_the_veto_lifted(self, acme: Tenant, mira: Client) -> None:
        self.add(mira, acme, "email", "bea@acme.example")
        self.add(mira, acme, "sms", "+4930123456")
        assert listed(mira.get(SUPPRESSIONS, {"q": "bea@acme.example"})) == ["email b***@acme.example: manual"]
        assert listed(mira.get(SUPPRESSIONS, {"q": "bea"})) == []
        bea = Suppression.objects.get(channel=Channel.EMAIL)
        assert (
            mira.post(reverse("admin:preferences_suppression_delete", args=[bea.id]), {"post": "yes"}).status_code
            == 302
        )
        assert [row.channel for row in Suppression.objects.all()] == ["sms"]

    def test_a_veto_is_not_changed(self, acme: Tenant, mira: Client) -> None:
        self.add(mira, acme, "email", "bea@acme.example")
        row = Suppression.objects.get()
        assert (
            mira.post(reverse("admin:preferences_suppression_change", args=[row.id]), {"channel": "sms"}).status_code
            == 403
        )
        row.refresh_from_db()
        assert row.channel == "email"
