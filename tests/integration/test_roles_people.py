"""Roles as people have them: made by migrate, given per tenant, and what each opens and refuses."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.events.models import EventType
from apps.tenants.memberships import join, leave
from apps.tenants.models import ApiKey, AuditEntry, Membership
from apps.tenants.roles import TABLE, Role, make_roles, permissions_of
from apps.tenants.services import create_api_key
from tests.integration import admin_cast as cast
from tests.integration import roles_cast as roles
from tests.integration.admin_fixtures import acme as acme

pytestmark = pytest.mark.django_db

HIDDEN = (
    "events.eventtype",
    "message_templates.template",
    "tenants.apikey",
    "channels.provideraccount",
)

# of a notification: whether they see its key, too
SEERS = {"marketer": False, "support": False, "operator": True, "developer": True}


@pytest.fixture(autouse=True)
def _roles(db: None) -> None:
    """Migrating made them; a test that commits empties every table behind it."""
    make_roles()


@pytest.fixture
def beta() -> Tenant:
    return cast.acme("beta")


def listing(label: str) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_changelist")


def event(tenant: Tenant, key: str = "order.shipped", **fields: object) -> EventType:
    return EventType.objects.create(tenant_id=tenant.id, key=key, name=key, **{"category": "transactional"} | fields)


class TestGroups:
    def test_migrate_made_them_as_the_table_says(self) -> None:
        unknown = make_roles()
        for role in Role:
            had = Group.objects.get(name=role.value).permissions.values_list("content_type__app_label", "codename")
            assert {f"{app}.{codename}" for app, codename in had} == permissions_of(role) - unknown

    def test_making_them_again_changes_nothing_and_takes_back_what_was_changed_by_hand(self) -> None:
        group = Group.objects.get(name="support")
        before = set(group.permissions.values_list("id", flat=True))
        group.permissions.add(Permission.objects.get(codename="delete_recipient"))
        own = Group.objects.create(name="auditors")
        make_roles(), make_roles()
        assert set(group.permissions.values_list("id", flat=True)) == before
        assert Group.objects.filter(name=own.name).exists()
        assert Group.objects.filter(name__in=list(Role)).count() == len(Role)

    def test_a_permission_that_is_not_there_yet_is_left_out_and_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(TABLE, Role.SUPPORT, {"moon.rocket": ("view",), "audience.recipient": ("view",)})
        assert "moon.view_rocket" in make_roles()
        assert list(Group.objects.get(name="support").permissions.values_list("codename", flat=True)) == [
            "view_recipient"
        ]

    def test_every_permission_of_the_table_exists(self) -> None:
        assert make_roles() == frozenset()


class TestPerTenant:
    def test_a_role_holds_in_its_tenant_and_nowhere_else(self, acme: Tenant, beta: Tenant) -> None:
        vera = roles.staff("vera", developer=(acme,), support=(beta,))
        ours, theirs = event(acme), event(beta, "beta.shipped")
        shown = vera.get(listing("events.eventtype")).content.decode()
        assert ("order.shipped" in shown, "beta.shipped" in shown) == (True, True)
        for row, status in ((ours, 302), (theirs, 403)):
            page = reverse("admin:events_eventtype_delete", args=[row.id])
            assert vera.post(page, {"post": "yes"}).status_code == status
        assert [kind.key for kind in EventType.objects.all_tenants()] == ["beta.shipped"]

    def test_an_action_on_many_reaches_only_those_where_the_role_may(self, acme: Tenant, beta: Tenant) -> None:
        vera = roles.staff("vera", developer=(acme,), support=(beta,))
        chosen = [str(event(acme).id), str(event(beta, "beta.shipped").id)]
        body = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
        assert vera.post(listing("events.eventtype"), body).status_code == 302
        assert [kind.key for kind in EventType.objects.all_tenants()] == ["beta.shipped"]

    def test_rows_are_added_only_where_the_role_may(self, acme: Tenant, beta: Tenant) -> None:
        vera = roles.staff("vera", developer=(acme,), support=(beta,))
        page = reverse("admin:events_eventtype_add")
        offered = vera.get(page).context_data["adminform"].form.fields["tenant"].queryset
        assert [row.slug for row in offered] == ["acme"]

    def test_who_is_a_member_of_nothing_sees_nothing(self, acme: Tenant) -> None:
        vera = roles.staff("vera")
        event(acme)
        assert vera.get(reverse("admin:index")).status_code == 200
        assert vera.get(listing("events.eventtype")).status_code == 403

    def test_leaving_ends_it_at_once(self, acme: Tenant) -> None:
        vera = roles.staff("vera", support=(acme,))
        assert vera.get(listing("audience.recipient")).status_code == 200
        assert leave(user_id=User.objects.get(username="vera").pk, tenant=acme, role=Role.SUPPORT)
        assert vera.get(listing("audience.recipient")).status_code == 403

    def test_joining_twice_joins_once(self, acme: Tenant) -> None:
        user = User.objects.create(username="vera", is_staff=True)
        for _ in range(2):
            join(user_id=user.pk, tenant=acme, role=Role.SUPPORT)
        assert Membership.objects.of(acme).count() == 1

    def test_the_command_gives_and_takes_and_says_so_in_the_log(self, acme: Tenant) -> None:
        User.objects.create(username="vera", is_staff=True)
        call_command("join_tenant", "vera", "acme", "approver")
        assert Membership.objects.of(acme).get().role.name == "approver"
        call_command("join_tenant", "vera", "acme", "approver", leave=True)
        assert Membership.objects.of(acme).count() == 0
        assert list(AuditEntry.objects.of(acme).order_by("id").values_list("action", "label")) == [
            ("join", "vera, approver of Acme"),
            ("leave", "vera, approver of Acme"),
        ]


class TestEverybody:
    @pytest.mark.parametrize("role", Role)
    def test_they_see_what_they_belong_to_and_nothing_beside_it(self, acme: Tenant, beta: Tenant, role: Role) -> None:
        vera = roles.staff("vera", **{role.value: (acme,)})
        assert [row.slug for row in vera.get(listing("tenants.tenant")).context_data["cl"].result_list] == ["acme"]
        page = reverse("admin:tenants_tenant_change", args=[acme.id])
        assert vera.get(page).status_code == 200
        assert vera.post(page, {"name": "Other"}).status_code == 403
        assert vera.get(page.replace(str(acme.id), str(beta.id))).status_code == 404
        assert vera.get(reverse("admin:tenants_tenant_add")).status_code == 403

    def test_a_key_is_named_to_those_who_may_look_at_it(self, acme: Tenant) -> None:
        note = cast.notification(acme, cast.person(acme), api_key_id=acme.id)
        page = reverse("admin:ledger_notification_change", args=[note.id])
        said = {
            role: b"the key that sent it" in roles.staff(role, **{role: (acme,)}).get(page).content for role in SEERS
        }
        assert said == SEERS


class TestSupport:
    def test_it_finds_people_and_their_story_and_sees_addresses_masked(self, acme: Tenant) -> None:
        vera, rosa = roles.staff("vera", support=(acme,)), cast.person(acme)
        note = cast.notification(acme, rosa)
        cast.delivery(note)
        found = vera.get(listing("audience.recipient"), {"q": "rosa@acme.example"})
        assert [row.user_id for row in found.context_data["cl"].result_list] == ["rosa"]
        for page in (
            reverse("admin:audience_recipient_change", args=[rosa]),
            reverse("admin:ledger_notification_change", args=[note.id]),
        ):
            answer = vera.get(page)
            assert answer.status_code == 200
            assert "rosa@acme.example" not in answer.content.decode()
            assert "a secret" not in answer.content.decode()
        assert "r***@acme.example" in vera.get(reverse("admin:audience_recipient_change", args=[rosa])).content.decode()

    def test_it_changes_nothing_and_sees_no_messages(self, acme: Tenant) -> None:
        vera, rosa = roles.staff("vera", support=(acme,)), cast.person(acme)
        note = cast.notification(acme, rosa)
        assert [vera.get(listing(label)).status_code for label in HIDDEN if label != "events.eventtype"] == [403] * 3
        assert vera.get(reverse("sandbox")).status_code == 403
        assert vera.get(reverse("sandbox-messages")).status_code == 403
        assert vera.post(reverse("admin:ledger_notification_cancel", args=[note.id])).status_code == 403
        assert vera.post(reverse("admin:audience_recipient_delete", args=[rosa]), {"post": "yes"}).status_code == 403
        assert vera.post(reverse("admin:audience_recipient_change", args=[rosa]), {"locale": "fr"}).status_code == 403


class TestOperator:
    def test_it_approves_what_is_critical_and_changes_no_event_type(self, acme: Tenant) -> None:
        olaf = roles.staff("olaf", operator=(acme,))
        kind = event(
            acme, "login.code", category="critical", critical_asked_by="operator dora", critical_reason="x", owner="y"
        )
        page = reverse("admin:events_eventtype_change", args=[kind.id])
        assert olaf.post(page, {"name": "other"}).status_code == 403
        assert "approve-critical" in olaf.get(page).content.decode()
        olaf.post(page.replace("/change/", "/approve-critical/"))
        kind.refresh_from_db()
        assert kind.critical_approved_by == "operator olaf"
        entry = AuditEntry.objects.of(acme).get()
        assert (entry.action, entry.said, entry.actor) == ("approve", "Approved as critical.", "operator olaf")

    def test_a_developer_does_not(self, acme: Tenant) -> None:
        dora = roles.staff("dora", developer=(acme,))
        kind = event(acme, "login.code", category="critical", critical_asked_by="operator otto")
        page = reverse("admin:events_eventtype_change", args=[kind.id])
        assert "approve-critical" not in dora.get(page).content.decode()
        assert dora.post(page.replace("/change/", "/approve-critical/")).status_code == 403
        kind.refresh_from_db()
        assert kind.critical_approved_by == ""


class TestDeveloper:
    def test_it_makes_test_keys_and_no_others(self, acme: Tenant) -> None:
        dora = roles.staff("dora", developer=(acme,))
        body = {
            **{"tenant": str(acme.id), "name": "mine", "scopes": ["admin"], "rate_per_second": 5, "rate_burst": 5},
            **{"expires_at_0": "", "expires_at_1": ""},
        }
        page = reverse("admin:tenants_apikey_add")
        assert dora.post(page, body | {"mode": "live"}).context_data["adminform"].form.errors["mode"]
        assert ApiKey.objects.of(acme).count() == 0
        assert dora.post(page, body | {"mode": "test"}).status_code == 200
        assert ApiKey.objects.of(acme).get().mode == "test"

    def test_it_neither_changes_rotates_nor_revokes_a_live_one(self, acme: Tenant) -> None:
        dora = roles.staff("dora", developer=(acme,))
        key = create_api_key(tenant=acme, name="shop", mode=KeyMode.LIVE, scopes=[Scope.ADMIN])
        before = ApiKey.objects.of(acme).values().get()
        page = reverse("admin:tenants_apikey_change", args=[key.key_id])
        assert dora.get(page).status_code == 200
        for what, body in (("change", {"name": "mine"}), ("rotate", {"hours": "0"}), ("revoke", {})):
            assert dora.post(page.replace("/change/", f"/{what}/"), body).status_code == 403, what
        assert ApiKey.objects.of(acme).values().get() == before


@pytest.mark.parametrize("role", list(Role))
def test_each_opens_the_lists_of_its_column_and_no_others(role: Role, acme: Tenant) -> None:
    person: Client = roles.staff("vera", **{role.value: (acme,)})
    for label, (page, _) in roles.pages().items():
        may = not permissions_of(role).isdisjoint(page.seen_with())
        assert person.get(listing(label)).status_code == (200 if may else 403), label
