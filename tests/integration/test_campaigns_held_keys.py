"""Runs above the limits that a key launched, and what a key, and whoever looks at its page, reads of one that is held."""

from datetime import timedelta

import pytest

from apps.campaigns.agreeing import launch_by_key
from apps.campaigns.models import Approval, Campaign, Policy, Run
from apps.core import clock, ids
from apps.core.types import Tenant
from tests.integration import campaign_runs_cast as runs
from tests.integration import roles_cast
from tests.integration.held_cast import KEY, MANY, NINE, TODAY, fired
from tests.integration.held_cast import held as held  # fixtures
from tests.integration.held_cast import tenant as tenant
from tests.integration.held_cast import time as time
from tests.integration.ingest_cast import Caller
from tests.integration.test_campaigns_approvals import decide, state
from tests.integration.test_campaigns_bulk import BULK, HELLO
from tests.integration.test_campaigns_held import is_held, pages, resume

pytestmark = pytest.mark.django_db


def test_what_a_key_launches_is_never_held(tenant: Tenant, time: runs.Clock) -> None:
    spring = runs.campaign(tenant, editors=["mira"], schedule=NINE)
    launch_by_key(tenant=tenant, campaign_id=spring.id, actor=KEY, now=clock.now())
    runs.people(tenant, 2, prefix="new")
    assert fired(spring, time).status == "running"
    assert pages() == [5] and state(spring) == ("running", [])


def test_nor_is_a_bulk(tenant: Tenant, time: runs.Clock) -> None:
    runs.people(tenant, 2, prefix="new")
    at = f"{TODAY + timedelta(days=1)}T09:00:00Z"
    said = {"recipient_ids": ["u0", "u1", "u2", "new0", "new1"], "schedule_at": at}
    assert Caller(tenant).post(BULK, HELLO | said).status_code == 202
    assert fired(Campaign.objects.of(tenant).get(), time).status == "running"
    assert pages() == [5]


def test_where_the_policy_asks_keys_too_what_they_launched_is_held(tenant: Tenant, time: runs.Clock) -> None:
    Policy.objects.of(tenant).update(approval_for_keys=True)
    spring = runs.campaign(tenant, editors=["mira"], schedule=NINE)
    launch_by_key(tenant=tenant, campaign_id=spring.id, actor=KEY, now=clock.now())
    runs.people(tenant, 2, prefix="new")
    run = fired(spring, time)
    assert is_held(run) and run.pause_detail == MANY
    Policy.objects.of(tenant).update(approval_for_keys=False)
    resume(run)
    assert pages() == [5]


def test_a_key_reads_why_asks_and_goes_on(tenant: Tenant, held: Run) -> None:
    caller, where = Caller(tenant), f"/v1/campaigns/{ids.show(ids.CAMPAIGN, held.campaign_id)}"
    run = caller.client.get(f"{where}/runs", headers=caller.headers).json()["data"][0]
    assert (run["status"], run["pause_reason"], run["pause_text"]) == ("paused", "approval_needed", MANY)
    answer = caller.post(f"{where}/resume", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "approval_needed")
    assert is_held(held)
    assert caller.post(f"{where}/submit", {"note": "Please."}).json()["status"] == "paused"
    assert caller.post(f"{where}/resume", {}).json()["detail"] == f"{MANY} It waits for somebody's decision."
    decide(tenant, Approval.objects.of(tenant).get().id)
    assert caller.post(f"{where}/resume", {}).json()["status"] == "running"
    assert pages() == [5]


def test_the_page_of_the_run_says_why_and_asks(tenant: Tenant, held: Run) -> None:
    where = f"/admin/campaigns/run/{held.id}"
    marketer, operator = roles_cast.staff("nina", marketer=(tenant,)), roles_cast.staff("olaf", operator=(tenant,))
    page = marketer.get(f"{where}/progress/").content.decode()
    assert MANY in page and ">Ask for an approval<" in page
    assert ">Resume" not in page and "Break the glass" not in page
    marketer.post(f"{where}/operate/resume/")
    marketer.post(f"{where}/operate/ask/")
    assert is_held(held)
    assert "Break the glass" in operator.get(f"{where}/progress/").content.decode()
    anna = roles_cast.staff("anna", approver=(tenant,))
    waits = Approval.objects.of(tenant).get()
    assert "Approve it for 5 people" in anna.get(f"/admin/campaigns/approval/{waits.id}/change/").content.decode()
    anna.post(f"/admin/campaigns/approval/{waits.id}/decide/", {"what": "approve"})
    marketer.post(f"{where}/operate/resume/")
    assert pages() == [5]
