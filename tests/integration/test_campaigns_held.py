"""A run that has outgrown what was approved when its time comes: nobody gets it until somebody else agreed to that, or answers for it."""

import pytest

from apps.campaigns import approving, launching
from apps.campaigns.agreeing import resume_unapproved
from apps.campaigns.models import Approval, Campaign, Policy, Run
from apps.core import clock, ids
from apps.core.problem_codes import Code
from apps.core.types import Tenant
from apps.tenants.auditing import Actor
from apps.tenants.models import AuditEntry
from tests.integration import admin_cast, roles_cast, templates_cast
from tests.integration import campaign_runs_cast as runs
from tests.integration.ingest_cast import Caller
from tests.integration.test_campaigns_approvals import asked, decide, launch, refused, state
from tests.integration.test_campaigns_approvals import spring as spring  # a fixture
from tests.integration.test_campaigns_approvals import tenant as tenant  # a fixture

pytestmark = pytest.mark.django_db
OTTO = Actor("user", "2", "otto")
GREW = "5 people are meant now; 3 were approved, and 50 % more are allowed."


@pytest.fixture
def held(tenant: Tenant, spring: Campaign, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Anna approved it for 3; at its time there are 5."""
    decide(tenant, asked(tenant, spring))
    launch(tenant, spring)
    runs.people(tenant, 2, prefix="new")
    runs.Clock(monkeypatch)
    runs.begin()
    return runs.run_of(spring)


def resume(run: Run, by: str = "otto") -> None:
    launching.resume(campaign_id=run.campaign_id, tenant_id=run.tenant_id, by=by)


def pages() -> list[int]:
    """The people of each, when the engine has done whatever is due."""
    runs.begin()
    return runs.expand()


def is_held(run: Run) -> bool:
    found = pages()
    run.refresh_from_db()
    campaign = Campaign.objects.all_tenants().get(id=run.campaign_id)
    return (run.status, campaign.status, found) == ("paused", "paused", [])


def test_what_outgrew_its_approval_goes_on_when_somebody_else_agreed_to_that(tenant: Tenant, held: Run) -> None:
    spring = Campaign.objects.of(tenant).get()
    assert runs.alerts() == [("run_stopped", f"Spring ({held}): {GREW}")]
    assert refused(Code.APPROVAL_VOID, resume, held) == f"{GREW} Ask for an approval."
    again = approving.ask(tenant=tenant, campaign_id=spring.id, by="mira", note="", now=clock.now())
    kept = Approval.objects.of(tenant).get(id=again)
    assert (kept.people, kept.note, kept.digest) == (
        5,
        GREW,
        Approval.objects.of(tenant).exclude(id=again).get().digest,
    )
    assert refused(Code.APPROVAL_VOID, resume, held) == f"{GREW} It waits for somebody's decision."
    refused(Code.OWN_WORK, decide, tenant, again, by="mira")
    assert is_held(held) and state(spring) == ("paused", ["approved", "asked"])
    decide(tenant, again, comment="All right.")
    assert is_held(held) and state(spring) == ("paused", ["approved", "approved"])
    resume(held)
    assert state(spring)[0] == "running" and pages() == [5]


def test_who_asks_is_not_who_decides_though_others_wrote_it(tenant: Tenant, held: Run) -> None:
    again = approving.ask(tenant=tenant, campaign_id=held.campaign_id, by="otto", note="", now=clock.now())
    for by in ("otto", "mira"):
        refused(Code.OWN_WORK, decide, tenant, again, by=by)
    refused(Code.CAMPAIGN_STATE, asked, tenant, Campaign.objects.of(tenant).get())
    assert is_held(held) and Approval.objects.of(tenant).count() == 2


def test_what_is_refused_stays_paused_and_may_be_asked_again(tenant: Tenant, held: Run) -> None:
    spring = Campaign.objects.of(tenant).get()
    decide(tenant, asked(tenant, spring), approves=False, comment="Wait for Monday.")
    refused(Code.APPROVAL_VOID, resume, held)
    assert is_held(held)
    decide(tenant, asked(tenant, spring))
    refused(Code.CAMPAIGN_STATE, asked, tenant, spring)
    resume(held)
    assert state(spring) == ("running", ["approved", "returned", "approved"])


def test_an_approval_of_what_it_is_now_holds_for_the_published_text_it_was_launched_with(
    tenant: Tenant, held: Run
) -> None:
    templates_cast.publish(tenant, "spring", templates_cast.email(runs.LETTER + "<p>And more.</p>"))
    waits = asked(tenant, Campaign.objects.of(tenant).get())
    page = admin_cast.mira().get(f"/admin/campaigns/approval/{waits}/change/").content.decode()
    assert "Spring is here, u_sample." in page and "And more." not in page
    decide(tenant, waits)
    resume(held)
    assert pages() == [5]


def test_launching_what_is_held_voids_nothing_and_frees_nothing(tenant: Tenant, held: Run) -> None:
    """Nor does an approval that is gone."""
    spring = Campaign.objects.of(tenant).get()
    refused(Code.APPROVAL_VOID, launch, tenant, spring)
    assert state(spring) == ("paused", ["approved"])
    refused(Code.APPROVAL_VOID, resume, held)
    Approval.objects.of(tenant).update(decision="void")
    lacks = "It is for 5 people; above 2 somebody else has to approve it."
    assert refused(Code.APPROVAL_NEEDED, resume, held) == f"{lacks} Ask for an approval."
    assert is_held(held)


def test_launching_again_what_is_launched_leaves_its_approval_alone(tenant: Tenant, spring: Campaign) -> None:
    later = {"kind": "at", "start": "2035-03-01T09:00", "zone": "UTC"}
    Campaign.objects.of(tenant).update(schedule=later)
    decide(tenant, asked(tenant, spring))
    launch(tenant, spring)
    runs.people(tenant, 2, prefix="new")
    refused(Code.APPROVAL_VOID, launch, tenant, spring)
    assert state(spring) == ("scheduled", ["approved"])


def test_the_glass_is_broken_for_one_run(tenant: Tenant, held: Run) -> None:
    spring = Campaign.objects.of(tenant).get()
    waits = asked(tenant, spring)

    def go_on(comment: str) -> None:
        resume_unapproved(tenant=tenant, campaign_id=spring.id, actor=OTTO, comment=comment, now=clock.now())

    refused(Code.MISSING_FIELD, go_on, " ")
    assert is_held(held) and [kind for kind, _ in runs.alerts()] == ["run_stopped"]
    go_on("The sale ends at noon.")
    assert pages() == [5]
    assert state(spring) == ("running", ["approved", "void", "broken"])
    refused(Code.CONFLICT, decide, tenant, waits)
    broken = Approval.objects.of(tenant).get(decision="broken")
    assert (broken.people, broken.decided_by, broken.comment) == (5, "otto", "The sale ends at noon.")
    said = "otto went on with Spring without the approval that it needs: The sale ends at noon."
    assert runs.alerts() == [("broken_glass", said)]
    entry = AuditEntry.objects.of(tenant).get(action="broken_glass")
    assert (entry.actor, entry.said) == ("otto", "Went on without an approval: The sale ends at noon.")
    refused(Code.CAMPAIGN_STATE, go_on, "Once more.")


def test_a_pause_by_hand_lacks_no_approval(tenant: Tenant, spring: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    Policy.objects.of(tenant).update(approval_above_people=30)
    launch(tenant, spring)
    runs.Clock(monkeypatch)
    runs.begin()
    run = runs.run_of(spring)
    launching.pause(campaign_id=spring.id, tenant_id=tenant.id, by="mira")
    refused(Code.CAMPAIGN_STATE, asked, tenant, spring)
    said = {"tenant": tenant, "campaign_id": spring.id, "actor": OTTO, "comment": "Now.", "now": clock.now()}
    refused(Code.CAMPAIGN_STATE, resume_unapproved, **said)
    assert is_held(run) and state(spring) == ("paused", [])
    resume(run)
    assert pages() == [3]


def test_cancelling_asks_for_no_approval_any_more(tenant: Tenant, held: Run) -> None:
    spring = Campaign.objects.of(tenant).get()
    waits = asked(tenant, spring)
    launching.cancel(campaign_id=spring.id, tenant_id=tenant.id, by="mira")
    refused(Code.CONFLICT, decide, tenant, waits)
    assert state(spring) == ("cancelled", ["approved", "void"])


def test_a_key_may_ask_and_not_go_on(tenant: Tenant, held: Run) -> None:
    caller, where = Caller(tenant), f"/v1/campaigns/{ids.show(ids.CAMPAIGN, held.campaign_id)}"
    answer = caller.post(f"{where}/resume", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "approval_void")
    assert is_held(held)
    assert caller.post(f"{where}/submit", {"note": "Please."}).json()["status"] == "paused"
    assert caller.post(f"{where}/resume", {}).json()["detail"] == f"{GREW} It waits for somebody's decision."
    decide(tenant, Approval.objects.of(tenant).get(decision="asked").id)
    assert caller.post(f"{where}/resume", {}).json()["status"] == "running"
    assert pages() == [5]


def test_the_page_of_the_run_asks_and_breaks_the_glass(tenant: Tenant, held: Run) -> None:
    where = f"/admin/campaigns/run/{held.id}"
    marketer, operator = roles_cast.staff("nina", marketer=(tenant,)), roles_cast.staff("olaf", operator=(tenant,))
    page = marketer.get(f"{where}/progress/").content.decode()
    assert GREW in page and "Ask for an approval" in page
    assert ">Resume" not in page and "Break the glass" not in page
    assert "Ask for an approval." in marketer.post(f"{where}/operate/resume/", follow=True).content.decode()
    assert marketer.post(f"{where}/operate/break/", {"comment": "Now."}).status_code == 403
    assert is_held(held)

    marketer.post(f"{where}/operate/ask/", follow=True)
    page = marketer.get(f"{where}/progress/").content.decode()
    assert "operator nina asked for" in page and ">Ask for an approval<" not in page
    assert (
        "Approve it for 5 people"
        in roles_cast.staff("anna", approver=(tenant,))
        .get(f"/admin/campaigns/approval/{Approval.objects.of(tenant).get(decision='asked').id}/change/")
        .content.decode()
    )

    page = operator.get(f"{where}/progress/").content.decode()
    assert "Break the glass" in page and ">Resume" not in page
    assert operator.get(f"{where}/operate/break/").status_code == 302
    said = operator.post(f"{where}/operate/break/", {"comment": ""}, follow=True).content.decode()
    assert "Say why it cannot wait for an approval." in said
    assert is_held(held)
    operator.post(f"{where}/operate/break/", {"comment": "The sale ends at noon."})
    assert pages() == [5]
    kept = AuditEntry.objects.of(tenant).filter(actor="operator olaf").values_list("action", "kind")
    assert list(kept) == [("broken_glass", "campaigns.campaign")]


def test_the_page_of_the_run_resumes_what_was_approved(tenant: Tenant, held: Run) -> None:
    where = f"/admin/campaigns/run/{held.id}"
    marketer = roles_cast.staff("nina", marketer=(tenant,))
    marketer.post(f"{where}/operate/ask/")
    decide(tenant, Approval.objects.of(tenant).get(decision="asked").id)
    page = marketer.get(f"{where}/progress/").content.decode()
    assert "it may be resumed" in page and ">Resume" in page
    marketer.post(f"{where}/operate/resume/")
    assert pages() == [5]
