"""What is done to people's data leaves its entry, too: vetoes, erasure, files in and out; and never an address."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.audience.models import Import, Recipient
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants.models import AuditEntry
from apps.tenants.services import create_api_key
from tests.integration import admin_cast as cast
from tests.integration import campaigns_live_cast, dispatch_cast
from tests.integration import templates_cast as templates
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira
from tests.integration.imports_cast import work
from tests.integration.pages_cast import Browser, catalogue
from tests.integration.test_admin_template_editor import base, door, drafts, sms, typed

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]

BEA = {"channel": "email", "address": "bea.hill@acme.example"}
FILE = "id,mail,Vorname\nu1,rosa@acme.example,Rosa\nu2,nobody,Otto\n"


@pytest.fixture
def call(acme: Tenant) -> Call:
    token = create_api_key(tenant=acme, name="shop", mode=KeyMode.TEST, scopes=[Scope.ADMIN, Scope.USERS_WRITE]).token

    def call(method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return getattr(Client(), method)(f"/v1/{path}", body, content_type=kind, headers=headers)

    return call


def log() -> list[tuple[str, str, str, str]]:
    rows = AuditEntry.objects.all_tenants().order_by("id")
    return list(rows.values_list("actor", "action", "label", "said"))


def kept() -> str:
    return str(list(AuditEntry.objects.all_tenants().values()))


class TestSuppressions:
    def test_over_the_api_they_are_told_with_the_mask_of_the_address(self, acme: Tenant, call: Call) -> None:
        assert call("post", "suppressions", BEA).status_code == 201
        assert call("post", "suppressions", BEA).status_code == 200
        assert call("delete", "suppressions", BEA).status_code == 204
        added, lifted = AuditEntry.objects.all_tenants().order_by("id")
        assert (added.actor, added.action, added.label) == ("key shop", "add", "b***@acme.example")
        assert (lifted.actor, lifted.action, lifted.label) == ("key shop", "delete", "b***@acme.example")
        assert added.kind == lifted.kind == "preferences.suppression"
        assert (added.tenant_id, added.object_id) == (acme.id, lifted.object_id)
        assert added.difference["masked"] == [None, "b***@acme.example"]
        assert added.difference["address_hash"] == "changed"
        assert "bea.hill" not in kept()

    def test_what_was_refused_is_not_told(self, call: Call) -> None:
        assert call("delete", "suppressions", BEA).status_code == 404
        assert call("post", "suppressions", {"channel": "email", "address": "bea"}).status_code == 400
        assert log() == []

    def test_in_the_admin_they_are_told_with_the_mask_too(self, acme: Tenant, mira: Client) -> None:
        mira.post(reverse("admin:preferences_suppression_add"), {"tenant": acme.id, **BEA})
        assert [row[:3] for row in log()] == [("operator mira", "add", "email b***@acme.example: manual")]
        assert "bea.hill" not in kept()


class TestBlocking:
    def entries(self) -> list[Any]:
        return list(
            AuditEntry.objects.all_tenants().order_by("id").values_list("actor", "action", "label", "difference")
        )

    def test_over_the_api_each_change_of_it_is_told_and_nothing_else_of_a_person(
        self, acme: Tenant, call: Call
    ) -> None:
        for body in (
            {"locale": "de"},
            {"blocked": False},
            {"blocked": True},
            {"blocked": True, "locale": "fr"},
            {"timezone": "UTC"},
        ):
            assert call("put", "users/u_42", body).status_code in (200, 201)
        assert self.entries() == [("key shop", "change", "u_42", {"blocked": [False, True]})]
        assert call("put", "users/u_42", {"blocked": False}).status_code == 200
        assert self.entries()[1:] == [("key shop", "change", "u_42", {"blocked": [True, False]})]
        entry = AuditEntry.objects.all_tenants().last()
        zoe = Recipient.objects.of(acme).get()
        assert (entry.kind, entry.object_id, entry.tenant_id) == ("audience.recipient", str(zoe.id), acme.id)

    def test_who_is_new_and_blocked_at_once_too(self, call: Call) -> None:
        assert call("put", "users/u_7", {"blocked": True}).status_code == 201
        assert self.entries() == [("key shop", "change", "u_7", {"blocked": [False, True]})]

    def test_in_the_admin_it_is_told_once(self, acme: Tenant, mira: Client) -> None:
        rosa = cast.person(acme)
        page = reverse("admin:audience_recipient_change", args=[rosa])
        mira.post(page, {"locale": "", "timezone": "", "is_blocked": "on"})
        assert [entry[:3] for entry in self.entries()] == [("operator mira", "change", "rosa")]

    def test_without_the_entry_nobody_is_blocked(self, acme: Tenant, call: Call, monkeypatch: Any) -> None:
        call("put", "users/u_42", {})
        monkeypatch.setattr("apps.audience.services.record", lambda **_: 1 / 0)
        assert call("put", "users/u_42", {"blocked": True}).status_code == 500
        assert Recipient.objects.of(acme).get().blocked_at is None


class TestErasure:
    SAID = "Forgotten: the person, their addresses, choices and feed, and what was said to them."

    def test_over_the_api_who_and_whom_and_nothing_of_what_is_gone(self, acme: Tenant, call: Call) -> None:
        call("put", "users/u_42", {"locale": "de-CH", "email": "zoe@acme.example", "attributes": {"city": "Olten"}})
        assert log() == []
        zoe = Recipient.objects.of(acme).get()
        assert call("delete", "users/u_42").status_code == 204
        assert call("delete", "users/u_42").status_code == 404
        entry = AuditEntry.objects.all_tenants().get()
        assert (entry.actor, entry.action, entry.label, entry.said) == ("key shop", "forget", "u_42", self.SAID)
        assert (entry.kind, entry.object_id, entry.tenant_id) == ("audience.recipient", str(zoe.id), acme.id)
        assert entry.difference == {}

    def test_in_the_admin_it_is_told_once(self, acme: Tenant, mira: Client) -> None:
        rosa = cast.person(acme)
        page = reverse("admin:audience_recipient_delete", args=[rosa])
        assert mira.get(page).status_code == 200
        assert log() == []
        mira.post(page, {"post": "yes"})
        assert log() == [("operator mira", "forget", "rosa", self.SAID)]
        assert AuditEntry.objects.all_tenants().get().difference == {}
        assert mira.get(reverse("admin:tenants_auditentry_changelist"), {"action": "forget"}).status_code == 200

    def test_who_leaves_by_their_own_page_is_told_as_the_person(self) -> None:
        catalogue()
        rosa = Browser(dispatch_cast.person("rosa"))
        key = rosa.get("delete").context["visitor"].form_key
        rosa.client.post(rosa.url + "delete", {"form_key": key, "sure": "yes"})
        assert log() == [("the person", "forget", "rosa", self.SAID)]

    def test_without_the_entry_nobody_is_forgotten(self, acme: Tenant, call: Call, monkeypatch: Any) -> None:
        call("put", "users/u_42", {})
        monkeypatch.setattr("apps.audience.services.record", lambda **_: 1 / 0)
        assert call("delete", "users/u_42").status_code == 500
        assert Recipient.objects.of(acme).count() == 1


class TestFilesOfPeople:
    def test_over_the_api_each_step_is_told_and_the_download_of_refused_rows(self, acme: Tenant, call: Call) -> None:
        shown = call("post", "imports?file_name=fair.csv", FILE, "text/csv").json()["id"]
        work()
        call("patch", f"imports/{shown}", {"mapping": {"id": "user_id", "mail": "email"}})
        work()
        call("post", f"imports/{shown}/start")
        assert call("post", f"imports/{shown}/pause").status_code == 200
        call("post", f"imports/{shown}/cancel")
        assert call("post", f"imports/{shown}/start").status_code == 409
        assert call("get", f"imports/{shown}/errors").status_code == 200
        assert log() == [
            ("key shop", "add", "fair.csv", "Add."),
            ("key shop", "map", "fair.csv", "Map."),
            ("key shop", "start", "fair.csv", "Start."),
            ("key shop", "pause", "fair.csv", "Pause."),
            ("key shop", "cancel", "fair.csv", "Cancel."),
            ("key shop", "download", "fair.csv", "Downloaded the refused rows: 1 row."),
        ]
        rows = AuditEntry.objects.all_tenants().values_list("kind", "object_id", "difference").distinct()
        assert list(rows) == [("audience.import", str(Import.objects.of(acme).get().id), {})]

    def test_in_the_admin_the_file_and_the_download_are_told(self, acme: Tenant, mira: Client) -> None:
        file = SimpleUploadedFile("fair.csv", FILE.encode())
        page = mira.post(reverse("admin:audience_import_add"), {"file": file})["Location"]
        import_id = UUID(page.split("/")[-3])
        errors = reverse("admin:audience_import_errors", args=[import_id])
        assert log() == [("operator mira", "add", "fair.csv", "")]
        assert mira.get(errors).status_code == 200
        assert log()[1:] == [("operator mira", "download", "fair.csv", "Downloaded the refused rows: 0 rows.")]
        vera = cast.viewer("audience.view_import")
        assert vera.get(errors).status_code == 403
        assert len(log()) == 2


def test_a_download_of_results_is_told_before_its_first_line(mira: Client) -> None:
    dispatch_cast.tenant()
    run = campaigns_live_cast.run_of(size=2)
    for _ in range(2):
        campaigns_live_cast.said(run)
    page = reverse("admin:campaigns_run_export", args=[run.id])
    assert mira.get(page).status_code == 200
    assert mira.get(page, {"addresses": "clear"}).status_code == 200
    vera = cast.viewer("campaigns.view_campaign", "audience.view_recipient", "tenants.export_rows")
    assert vera.get(page, {"addresses": "clear"}).status_code == 403
    assert [(actor, action, said) for actor, action, _, said in log()] == [
        ("operator mira", "download", "Downloaded the results with addresses masked: 2 rows."),
        ("operator mira", "download", "Downloaded the results with addresses in clear: 2 rows."),
    ]
    rows = AuditEntry.objects.all_tenants().values_list("kind", "object_id", "label", "tenant_id").distinct()
    assert list(rows) == [("campaigns.run", str(run.id), run.campaign.name, run.tenant_id)]


class TestTypingAtATemplate:
    @pytest.fixture(autouse=True)
    def order(self, acme: Tenant) -> None:
        templates.publish(acme, "order", templates.sms("Order"))

    def type(self, client: Client, body: str, **fields: str) -> None:
        assert client.post(door("autosave"), typed(sms(body), base=base(), **fields)).status_code == 200
        assert drafts() == [("", body)]

    def test_it_is_told_once_for_who_types_until_something_else_is_done(self, acme: Tenant, mira: Client) -> None:
        typing = ("operator mira", "autosave", "order", "Types at the draft, version 2.")
        for body in ("one", "two", "three"):
            self.type(mira, body)
        assert log() == [typing]
        mira.post(door("discard"))
        self.type(mira, "four")
        assert [row[1] for row in log()] == ["autosave", "discard", "autosave"]

    def test_who_saves_and_goes_on_typing_is_not_told_again(self, mira: Client) -> None:
        self.type(mira, "one")
        mira.post(door("change"), typed(sms("two"), base=base()))
        self.type(mira, "three")
        assert [row[1] for row in log()] == ["autosave", "change"]

    def test_another_who_types_is_told(self, acme: Tenant, mira: Client) -> None:
        self.type(mira, "one")
        vera = cast.viewer("message_templates.view_template", "message_templates.change_template")
        self.type(vera, "two")
        self.type(mira, "three")
        assert [row[0] for row in log()] == ["operator mira", "operator vera", "operator mira"]

    def test_what_is_refused_is_not_told(self, mira: Client) -> None:
        answer = mira.post(door("autosave"), typed(sms("mine"), base=str(UUID(int=1))))
        assert answer.status_code in (409, 422)
        assert log() == []
