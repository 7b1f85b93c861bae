"""The pages where people agree to campaigns, set the rules, and say what messages cost."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.campaigns import approving
from apps.campaigns.models import Approval, Campaign, Policy
from apps.channels.models import Price
from apps.core import clock
from apps.core.types import Tenant
from tests.integration import admin_cast, roles_cast, templates_cast
from tests.integration import campaign_runs_cast as runs
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db
LIST = "/admin/campaigns/approval/"


@pytest.fixture
def tenant() -> Tenant:
    tenant = runs.acme()
    runs.people(tenant, 3)
    return tenant


def asked(tenant: Tenant, *, by: str = "operator otto", **fields: Any) -> Any:
    made = runs.campaign(tenant, **{"editors": ["operator otto"], **fields})
    approval = approving.ask(tenant=tenant, campaign_id=made.id, by=by, note="For Monday.", now=clock.now())
    return Approval.objects.of(tenant).get(id=approval)


def decide(client: Client, approval: Any, what: str, comment: str = "") -> Any:
    return client.post(f"{LIST}{approval.id}/decide/", {"what": what, "comment": comment}, follow=True)


def state(approval: Any) -> tuple[str, str, str]:
    approval.refresh_from_db()
    return approval.decision, approval.decided_by, Campaign.objects.all_tenants().get(id=approval.campaign_id).status


def test_it_shows_what_is_asked_for_and_how_it_reads(tenant: Tenant) -> None:
    approval = asked(tenant, throttle=600)
    client = admin_cast.mira()
    page = client.get(f"{LIST}{approval.id}/change/").content.decode()
    for said in (
        "For Monday.",
        "Approve it for 3 people",
        "600 people a minute",
        "Spring is here, u_sample.",
        "nothing of it was approved",
    ):
        assert said in page, said
    listed = client.get(LIST).content.decode()
    assert "Spring" in listed and "operator otto" in listed


def test_somebody_else_approves_or_asks_for_changes(tenant: Tenant) -> None:
    first, second = asked(tenant), asked(tenant, name="Summer")
    client = admin_cast.mira()
    assert "It may be launched" not in decide(client, first, "return").content.decode()
    assert state(first) == ("asked", "", "in_review")
    decide(client, first, "return", "The date is wrong.")
    assert state(first) == ("returned", "operator mira", "draft")
    decide(client, second, "approve")
    assert state(second) == ("approved", "operator mira", "approved")


def test_what_changed_since_is_said_field_by_field(tenant: Tenant) -> None:
    first = asked(tenant)
    client = admin_cast.mira()
    decide(client, first, "approve")
    Campaign.objects.of(tenant).update(status="draft", throttle=60, version=2)
    Approval.objects.of(tenant).update(decision="void")
    again = approving.ask(
        tenant=tenant,
        campaign_id=first.campaign_id,
        by="operator otto",
        note="",
        now=clock.now() + timedelta(seconds=1),
    )
    page = client.get(f"{LIST}{again}/change/").content.decode()
    assert "What changed since operator mira approved it" in page
    assert "as fast as it goes" in page
    assert "60 people a minute" in page
    assert "Audience</th>" not in page


def test_nobody_decides_on_their_own(tenant: Tenant) -> None:
    approval = asked(tenant, by="operator mira")
    client = admin_cast.mira()
    assert "somebody else has to decide" in client.get(f"{LIST}{approval.id}/change/").content.decode()
    assert "somebody else has to decide" in decide(client, approval, "approve").content.decode()
    assert state(approval) == ("asked", "", "in_review")


def test_who_may_not_approve_reads_only(tenant: Tenant) -> None:
    approval = asked(tenant)
    client = admin_cast.viewer("campaigns.view_campaign")
    assert "Somebody with the right to approve" in client.get(f"{LIST}{approval.id}/change/").content.decode()
    assert decide(client, approval, "approve").status_code == 403
    assert state(approval) == ("asked", "", "in_review")
    client.logout()
    assert client.get(f"{LIST}{approval.id}/change/").status_code == 302


def test_the_list_asks_no_more_for_more(tenant: Tenant) -> None:
    client = admin_cast.mira()
    asked(tenant)
    client.get(LIST)
    with counted() as few:
        client.get(LIST)
    for n in range(5):
        asked(tenant, name=f"More {n}")
    with counted() as many:
        client.get(LIST)
    assert len(many) == len(few)


def test_rules_are_set_in_amounts_and_kept_in_micros(tenant: Tenant) -> None:
    client = admin_cast.mira()
    said = {
        "tenant": str(tenant.id),
        "currency": "CHF",
        "approval_above_people": "500",
        "approval_above": "12.50",
        "growth_percent": "5",
        "type_number_above": "1000",
        "refuses_over_budget": "on",
        "day_sms": "0.07",
    }
    answer = client.post("/admin/campaigns/policy/add/", said)
    assert answer.status_code == 302, answer.content
    policy = Policy.objects.of(tenant).get()
    assert (policy.approval_above_micros, policy.day_budgets, policy.currency) == (12_500_000, {"sms": 70_000}, "CHF")
    page = client.get(f"/admin/campaigns/policy/{tenant.id}/change/").content.decode()
    assert 'value="12.5' in page and 'value="0.07' in page
    assert "sms 0.07 CHF" in client.get("/admin/campaigns/policy/").content.decode()


def test_prices_are_written_in_amounts(tenant: Tenant) -> None:
    client = admin_cast.mira()
    said = {"channel": "sms", "place": "+49", "currency": "EUR", "lowest": "0.07", "highest": "0.075"}
    said |= {"valid_from_0": "2027-01-01", "valid_from_1": "00:00:00"}
    answer = client.post("/admin/channels/price/add/", {**said, "highest": "0.01"})
    assert "Not less than the least." in answer.content.decode()
    assert not Price.objects.all_tenants().exists()
    answer = client.post("/admin/channels/price/add/", said)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    price = Price.objects.all_tenants().get()
    assert (price.low, price.high, price.place, price.tenant_id) == (70_000, 75_000, "+49", None)
    assert "0.07 to 0.075 EUR" in client.get("/admin/channels/price/").content.decode()


def test_other_tenants_approvals_are_not_shown(tenant: Tenant) -> None:
    beta = templates_cast.tenant("beta")
    approval = asked(tenant)
    client = roles_cast.staff("anna", approver=(beta,))
    assert client.get(f"{LIST}{approval.id}/change/").status_code == 404
    assert client.post(f"{LIST}{approval.id}/decide/", {"what": "approve"}).status_code == 404
    assert "operator otto" not in client.get(LIST).content.decode()
    assert state(approval) == ("asked", "", "in_review")
