"""Whatever is changed in the admin is in the audit log, with its difference; and the pages that show it."""

from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.core.types import Tenant
from apps.events.models import EventType
from apps.preferences.models import FrequencyCap
from apps.tenants.auditing import COMMAND, record
from apps.tenants.models import AuditEntry, Guest
from tests.integration import admin_cast as cast
from tests.integration import roles_cast as roles
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira

pytestmark = pytest.mark.django_db

LIST = "admin:tenants_auditentry_changelist"


def log() -> list[tuple[str, str, str, str]]:
    rows = AuditEntry.objects.all_tenants().order_by("id")
    return list(rows.values_list("action", "kind", "label", "said"))


def cap(acme: Tenant) -> FrequencyCap:
    return FrequencyCap.objects.create(tenant_id=acme.id, name="social", limit=3, period="day")


def typed(limit: int) -> dict[str, object]:
    return {"limit": limit, "period": "day", "window_seconds": 0, "topic": "*", "channel": "*"}


def test_a_change_is_kept_with_what_it_was_and_became(acme: Tenant, mira: Client) -> None:
    row = cap(acme)
    page = reverse("admin:preferences_frequencycap_change", args=[row.id])
    answer = mira.post(page, typed(5))
    assert answer.status_code == 302, answer.context_data["errors"]
    entry = AuditEntry.objects.all_tenants().get()
    assert entry.difference == {"limit": [3, 5]}
    assert (entry.action, entry.kind, entry.object_id) == ("change", "preferences.frequencycap", str(row.id))
    assert (entry.actor, entry.actor_kind, entry.label) == ("operator mira", "user", str(row))
    assert entry.tenant_id == acme.id
    assert entry.request_id == answer["X-Request-Id"]
    assert not LogEntry.objects.exists()


def test_saving_without_a_change_is_no_change(acme: Tenant, mira: Client) -> None:
    page = reverse("admin:preferences_frequencycap_change", args=[cap(acme).id])
    assert mira.post(page, typed(3)).status_code == 302
    assert log() == []


def test_what_is_added_and_deleted_is_kept_too(acme: Tenant, mira: Client) -> None:
    mira.post(reverse("admin:tenants_guest_add"), {"tenant": str(acme.id), "user_id": "u_rosa"})
    guest = Guest.objects.of(acme).get()
    mira.post(reverse("admin:tenants_guest_delete", args=[guest.id]), {"post": "yes"})
    added, deleted = AuditEntry.objects.all_tenants().order_by("id")
    assert (added.action, added.difference["user_id"]) == ("add", [None, "u_rosa"])
    assert (deleted.action, deleted.difference["user_id"]) == ("delete", ["u_rosa", None])
    assert added.object_id == deleted.object_id == str(guest.id)


def test_many_are_deleted_with_an_entry_each(acme: Tenant, mira: Client) -> None:
    chosen = [str(Guest.objects.create(tenant_id=acme.id, user_id=name).id) for name in ("u_1", "u_2")]
    body = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    mira.post(reverse("admin:tenants_guest_changelist"), body)
    assert sorted(row[:3] for row in log()) == [("delete", "tenants.guest", "u_1"), ("delete", "tenants.guest", "u_2")]


def test_what_a_page_does_without_a_word_is_recorded_by_the_gate(acme: Tenant, mira: Client) -> None:
    note = cast.notification(acme, cast.person(acme))
    cast.work(note)
    letters = [cast.letter(cast.delivery(note, channel, "failed")) for channel in ("email", "sms")]
    mira.post(reverse("admin:ledger_notification_cancel", args=[note.id]))
    body = {"action": "give_up_selected", "_selected_action": [str(letter.id) for letter in letters]}
    mira.post(reverse("admin:ledger_deadletter_changelist"), body)
    assert [(action, kind, said) for action, kind, _, said in log()] == [
        ("cancel", "ledger.notification", "Cancel."),
        ("give_up_selected", "ledger.deadletter", "Give up selected: 2 rows."),
    ]
    assert set(AuditEntry.objects.all_tenants().values_list("tenant_id", flat=True)) == {acme.id}


def test_what_was_refused_is_not_recorded(acme: Tenant, mira: Client) -> None:
    note = cast.notification(acme, cast.person(acme))
    cast.delivery(note, "email", "delivered")
    mira.post(reverse("admin:ledger_notification_cancel", args=[note.id]))
    page = reverse("admin:preferences_frequencycap_change", args=[cap(acme).id])
    assert mira.post(page, typed(0)).status_code == 200
    assert log() == []


def test_signing_in_and_out_are_no_changes(acme: Tenant) -> None:
    User.objects.create_superuser("mira", "mira@acme.example", "secret")
    client = Client()
    client.post(reverse("admin:login"), {"username": "mira", "password": "secret"})
    client.post(reverse("admin:logout"))
    assert log() == []


def test_an_accounts_secrets_are_never_in_it(acme: Tenant, mira: Client) -> None:
    body = {
        **{"key": "relay", "provider": "smtp", "channel": "email", "tenant": str(acme.id), "order": 10},
        **{"base_url": "smtp://relay.acme.example:587", "sender": "Acme <shop@acme.example>", "settings": "{}"},
        "credentials": "username = acme\npassword = hunter2",
    }
    answer = mira.post(reverse("admin:channels_provideraccount_add"), body)
    assert answer.status_code == 302, answer.context_data["errors"]
    entry = AuditEntry.objects.all_tenants().get()
    assert (entry.difference["credentials"], entry.difference["sender"]) == ("changed", "changed")
    assert not any(secret in str(vars(entry)) for secret in ("hunter2", "acme.example"))


def test_the_page_of_a_row_leads_to_its_history(acme: Tenant, mira: Client) -> None:
    row = cap(acme)
    page = reverse("admin:preferences_frequencycap_change", args=[row.id])
    assert reverse("admin:preferences_frequencycap_history", args=[row.id]) in mira.get(page).content.decode()
    mira.post(page, typed(5))
    shown = mira.get(reverse("admin:preferences_frequencycap_history", args=[row.id])).content.decode()
    assert "operator mira" in shown
    assert "<b>limit</b>: 3 → 5" in shown
    assert f"?q={row.id}" in shown


def test_a_history_is_read_by_who_may_see_the_row(acme: Tenant) -> None:
    kind = EventType.objects.create(tenant_id=acme.id, key="order.shipped", name="x", category="transactional")
    page = reverse("admin:events_eventtype_history", args=[kind.id])
    assert roles.staff("vera", support=(acme,)).get(page).status_code == 200
    assert roles.staff("otto", support=(cast.acme("beta"),)).get(page).status_code == 404


class TestTheLog:
    @pytest.fixture
    def entries(self, acme: Tenant) -> list[UUID]:
        beta = cast.acme("beta")
        for tenant, action, label in ((acme, "add", "one"), (acme, "change", "two"), (beta, "add", "theirs")):
            record(actor=COMMAND, tenant_id=tenant.id, action=action, kind="events.eventtype", label=label, said="x")
        record(actor=COMMAND, tenant_id=None, action="prune", kind="tenants.auditentry", said="all")
        return list(AuditEntry.objects.all_tenants().order_by("id").values_list("id", flat=True))

    @pytest.mark.parametrize(
        ("asked", "labels"),
        [
            ({}, ["", "theirs", "two", "one"]),
            ({"action": "change"}, ["two"]),
            ({"kind": "tenants.auditentry"}, [""]),
            ({"actor": "command line", "action": "add"}, ["theirs", "one"]),
            ({"time": "hour"}, ["", "theirs", "two", "one"]),
            ({"q": "two"}, ["two"]),
        ],
    )
    def test_it_is_filtered(self, entries: list[UUID], asked: dict[str, str], labels: list[str]) -> None:
        found = cast.mira().get(reverse(LIST), asked).context_data["cl"].result_list
        assert [row.label for row in found] == labels

    def test_a_member_reads_their_tenants_part(self, acme: Tenant, entries: list[UUID]) -> None:
        olaf = roles.staff("olaf", operator=(acme,))
        answer = olaf.get(reverse(LIST))
        assert [row.label for row in answer.context_data["cl"].result_list] == ["two", "one"]
        page = olaf.get(reverse("admin:tenants_auditentry_change", args=[entries[0]])).content.decode()
        assert f"{AuditEntry.objects.of(acme).get(id=entries[0]).at:%Y-%m-%d %H:%M:%S} UTC" in page
        assert olaf.get(reverse("admin:tenants_auditentry_change", args=[entries[2]])).status_code == 404
        assert roles.staff("vera", support=(acme,)).get(reverse(LIST)).status_code == 403

    def test_nobody_changes_it(self, entries: list[UUID]) -> None:
        mira = cast.mira()
        page = reverse("admin:tenants_auditentry_change", args=[entries[0]])
        assert mira.post(page, {"actor": "nobody"}).status_code == 403
        assert mira.post(page.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
        assert AuditEntry.objects.all_tenants().count() == 4
